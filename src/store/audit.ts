/** The audit log: append-only, each row's hash covers its content and the hash before it. */
import { createHash } from 'node:crypto';
import type { Database, DatabaseTransaction } from './database.ts';
import { canonicalJson, storableJson } from './json-text.ts';
import { advisoryLocks, lockExclusively } from './locks.ts';

export interface AuditEvent {
  actor: string;
  /** What happened, e.g. `recommendation.approve`. */
  action: string;
  target_id: string | null;
  subject_id: string | null;
  details: Record<string, unknown>;
}

interface AuditEntry extends AuditEvent {
  id: number;
  at: string;
  previous_hash: string;
  hash: string;
}

/** The chain starts from here. */
const GENESIS = '0'.repeat(64);

function hashOf(id: number, at: string, event: AuditEvent, previousHash: string): string {
  const { actor, action, target_id, subject_id, details } = event;
  return createHash('sha256')
    .update(canonicalJson([id, at, actor, action, target_id, subject_id, details, previousHash]))
    .digest('hex');
}

/**
 * Appends within the caller's transaction, so that no change is without its row. One writer at a time, or two rows
 * would follow the same hash: callers append last, after their other locks.
 */
export async function appendAudit(transaction: DatabaseTransaction, given: AuditEvent): Promise<void> {
  // What is hashed is what comes back when it is verified.
  const event = storableJson(given) as AuditEvent;
  await lockExclusively(transaction, advisoryLocks.audit);
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
  /** Newest first; `before` (an entry's id) goes on where a page ended. */
  list(options: {
    limit: number;
    target_id?: string | undefined;
    subject_id?: string | undefined;
    before?: number | undefined;
  }): Promise<AuditEntry[]>;
  /**
   * Recomputes every hash from the start; `first_bad_id` is the first row that does not fit: changed, or with a row
   * missing before it. Rows cut off the end leave no trace here: compare `last_hash` with one noted elsewhere.
   */
  verify(): Promise<{ ok: boolean; rows: number; first_bad_id: number | null; last_hash: string }>;
  /** Whether an entry has this hash. */
  contains(hash: string): Promise<boolean>;
}

/** Rows read at a time. */
const PAGE = 1000;

export function auditStore(db: Database): AuditStore {
  return {
    list: async ({ limit, target_id, subject_id, before }) => {
      let query = db.selectFrom('pgluthier.audit').selectAll().orderBy('audit_id', 'desc').limit(limit);
      if (target_id !== undefined) query = query.where('target_id', '=', target_id);
      if (subject_id !== undefined) query = query.where('subject_id', '=', subject_id);
      if (before !== undefined) query = query.where('audit_id', '<', before);
      return (await query.execute()).map(({ audit_id, ...row }) => ({ id: audit_id, ...row }));
    },
    contains: async (hash) => {
      const row = await db
        .selectFrom('pgluthier.audit')
        .select('audit_id')
        .where('hash', '=', hash)
        .executeTakeFirst();
      return row !== undefined;
    },
    verify: async () => {
      let previousHash = GENESIS;
      let last = 0;
      for (;;) {
        const page = await db
          .selectFrom('pgluthier.audit')
          .selectAll()
          .where('audit_id', '>', last)
          .orderBy('audit_id')
          .limit(PAGE)
          .execute();
        for (const row of page) {
          const expected = hashOf(row.audit_id, row.at, row, previousHash);
          // A gap in the numbers is a removed row.
          if (row.audit_id !== last + 1 || row.previous_hash !== previousHash || row.hash !== expected) {
            return { ok: false, rows: last, first_bad_id: row.audit_id, last_hash: previousHash };
          }
          previousHash = row.hash;
          last = row.audit_id;
        }
        if (page.length < PAGE) return { ok: true, rows: last, first_bad_id: null, last_hash: previousHash };
      }
    },
  };
}
