/** The audit log: append-only, each row's hash covers its content and the hash before it. */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from './database.ts';

export interface AuditEvent {
  actor: string;
  /** What happened, e.g. `recommendation.approve`. */
  action: string;
  target_id: string | null;
  subject_id: string | null;
  details: Record<string, unknown>;
}

export interface AuditEntry extends AuditEvent {
  id: number;
  at: string;
  previous_hash: string;
  hash: string;
}

/** The chain starts from here. */
const GENESIS = '0'.repeat(64);
/** One writer at a time, or two rows would follow the same hash. */
const AUDIT_LOCK = 0x50474c41;

/** JSON with sorted keys: the same content has the same text, whatever jsonb did to the order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

function hashOf(id: number, at: string, event: AuditEvent, previousHash: string): string {
  const { actor, action, target_id, subject_id, details } = event;
  return createHash('sha256')
    .update(canonical([id, at, actor, action, target_id, subject_id, details, previousHash]))
    .digest('hex');
}

/** Appends within the caller's transaction, so that no change is without its row. */
export async function appendAudit(transaction: DatabaseTransaction, event: AuditEvent): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${sql.lit(AUDIT_LOCK)})`.execute(transaction);
  const last = await transaction
    .selectFrom('pgluthier.audit')
    .select(['audit_id', 'hash'])
    .orderBy('audit_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  const id = (last?.audit_id ?? 0) + 1;
  const previousHash = last?.hash ?? GENESIS;
  const at = new Date().toISOString();
  await transaction
    .insertInto('pgluthier.audit')
    .values({
      audit_id: id,
      at,
      ...event,
      details: JSON.stringify(event.details),
      previous_hash: previousHash,
      hash: hashOf(id, at, event, previousHash),
    })
    .execute();
}

export interface AuditStore {
  /** Newest first. */
  list(options: { limit: number; target_id?: string | undefined }): Promise<AuditEntry[]>;
  /** Recomputes every hash from the start; `first_bad_id` is the first row that does not fit. */
  verify(): Promise<{ ok: boolean; rows: number; first_bad_id: number | null }>;
}

export function auditStore(db: Database): AuditStore {
  return {
    list: async ({ limit, target_id }) => {
      let query = db.selectFrom('pgluthier.audit').selectAll().orderBy('audit_id', 'desc').limit(limit);
      if (target_id !== undefined) query = query.where('target_id', '=', target_id);
      return (await query.execute()).map(({ audit_id, ...row }) => ({ id: audit_id, ...row }));
    },
    verify: async () => {
      let previousHash = GENESIS;
      let last = 0;
      let rows = 0;
      for (;;) {
        const page = await db
          .selectFrom('pgluthier.audit')
          .selectAll()
          .where('audit_id', '>', last)
          .orderBy('audit_id')
          .limit(1000)
          .execute();
        if (page.length === 0) return { ok: true, rows, first_bad_id: null };
        for (const row of page) {
          const expected = hashOf(row.audit_id, row.at, row, previousHash);
          // A gap in the numbers is a removed row.
          if (row.audit_id !== last + 1 || row.previous_hash !== previousHash || row.hash !== expected) {
            return { ok: false, rows, first_bad_id: row.audit_id };
          }
          previousHash = row.hash;
          last = row.audit_id;
          rows += 1;
        }
      }
    },
  };
}
