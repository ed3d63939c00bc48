/** Sessions that a role may have at once, and what roles with a work_mem of their own take beyond the others. */
import type { RuleContext } from '../../domain/index.ts';
import { setting } from './facts.ts';
import { type MemoryUse, workMemUses } from './memory-budget.ts';
import { parseSetting } from './units.ts';

/** What whoever changes a setting of a role must know. */
export const NEW_SESSIONS_ONLY =
  'New sessions of the role have it; those that are there keep what they have until they connect anew, pools among them.';

/** Sessions are counted at moments: that many times what was seen are reckoned with. */
const MARGIN = 2;
const ENOUGH_SAMPLES = 10;

/** Its CONNECTION LIMIT, else twice what was seen at work, else all that are allowed. */
export function sessionsOf(
  context: RuleContext,
  most: number,
  role: string,
): { sessions: number; source: string } {
  const limit = context.snapshot.instance?.roles.find(({ name }) => name === role)?.connection_limit ?? -1;
  if (limit > 0 && limit < most) return { sessions: limit, source: `CONNECTION LIMIT ${limit} of the role` };
  const seen = context.window?.concurrency;
  if (!seen || seen.samples < ENOUGH_SAMPLES) return { sessions: most, source: `max_connections ${most}` };
  const now = context.snapshot.activity.groups
    .filter(({ user, backend_type }) => user === role && backend_type === 'client backend')
    .reduce((sum, group) => sum + group.sessions, 0);
  const busiest = Math.max(now, seen.active_max);
  return {
    sessions: Math.min(most, Math.max(1, MARGIN * busiest)),
    source: `${MARGIN} × ${busiest}, the most sessions of all roles at work in ${seen.samples} samples, or of this role now`,
  };
}

/** A value of work_mem as an override has it, bytes; null: none, or not to be read. */
export function workMemBytes(context: RuleContext, value: string | undefined): number | null {
  const row = setting(context, 'work_mem');
  const kilobytes = value !== undefined && row ? parseSetting(value, row) : null;
  return kilobytes === null ? null : kilobytes * 1024;
}

/** Bytes that roles and databases with more work_mem than the server take beyond it, all at once. */
export function roleWorkMemBytes(context: RuleContext, use: MemoryUse): number {
  return context.snapshot.setting_overrides
    .filter(({ name }) => name === 'work_mem')
    .reduce((sum, { role, value }) => {
      const more = (workMemBytes(context, value) ?? 0) - use.work_mem;
      const { sessions } =
        role === null ? { sessions: use.max_connections } : sessionsOf(context, use.max_connections, role);
      // Parallel workers have the settings of who started them.
      return sum + Math.max(0, more) * workMemUses(use) * (sessions + use.parallel_workers);
    }, 0);
}
