/** Tokens and what each may do. */
import { timingSafeEqual } from 'node:crypto';

export const tokenScopes = ['viewer', 'approver', 'applier', 'admin'] as const;
/** viewer reads. approver decides on recommendations. applier starts, schedules, cancels and stops. admin may do all. */
export type TokenScope = (typeof tokenScopes)[number];

export interface ApiTokenEntry {
  /** How the audit log names its bearer. */
  name: string;
  scopes: readonly TokenScope[];
  /** SHA-256 of the token; the token itself is never kept. */
  hash: Buffer;
}

/** Whose token this is, by its hash; all are compared, in the same time whatever fits. */
export function bearerOf(tokens: readonly ApiTokenEntry[], hash: Buffer): ApiTokenEntry | null {
  let found: ApiTokenEntry | null = null;
  for (const entry of tokens) {
    if (entry.hash.length === hash.length && timingSafeEqual(entry.hash, hash)) found = entry;
  }
  return found;
}

const DECISIONS =
  /^\/v1\/targets\/[^/]+\/recommendations\/[^/]+\/(approve|dismiss|snooze|reopen|revoke-approval)$/;
const APPLYING =
  /^\/v1\/targets\/[^/]+\/(recommendations\/[^/]+\/(apply|schedule|unschedule)|applies\/[^/]+\/(cancel|verify)|apply-stop|restart-batch\/apply)$|^\/v1\/apply-stop$/;
const WORK = /^\/v1\/targets\/[^/]+\/(analyses|snapshots)$|^\/v1\/audit\/verify$/;

/** Which scopes may send this request; one of them is enough. Every scope reads. */
export function scopesFor(method: string, path: string): readonly TokenScope[] {
  if (method === 'GET' || method === 'HEAD') return tokenScopes;
  if (DECISIONS.test(path)) return ['approver', 'admin'];
  // Stopping is for everybody who may start; lifting a stop too.
  if (APPLYING.test(path)) return ['applier', 'admin'];
  if (WORK.test(path)) return ['approver', 'applier', 'admin'];
  // The policy is the approvers' too, but for what setApplyPolicy keeps for admins.
  if (/^\/v1\/targets\/[^/]+\/apply-policy$/.test(path)) return ['approver', 'admin'];
  return ['admin'];
}
