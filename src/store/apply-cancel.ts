/** Stopping an apply that another replica may run: the wish is kept in the store, and whoever runs it asks for it. */
import { evidenceOf, PgLuthierError, type Recommendation } from '../domain/index.ts';
import { stopOver } from './apply-policies.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import { notFound } from './errors.ts';

/**
 * Asked for again, by a client that lost the answer or by somebody else, it is the same wish: the first one's name stays.
 * @param options.stop_rebuild also the rebuild that a first cancel may have led to is to stop: that is another wish.
 */
export async function markCancelled(
  db: Database,
  targetId: string,
  applyId: string,
  actor: string,
  options: { stop_rebuild: boolean },
) {
  return db.transaction().execute(async (transaction) => {
    const row = await transaction
      .selectFrom('pgluthier.apply')
      .selectAll()
      .where('target_id', '=', targetId)
      .where('apply_id', '=', applyId)
      .forUpdate()
      .executeTakeFirst();
    if (!row) throw notFound('apply', applyId);
    const ended = row.state !== 'running' && row.state !== 'queued';
    if (ended && row.cancel_requested_by === actor) return row;
    if (ended) {
      throw new PgLuthierError({
        code: 'invalid_state_transition',
        status: 409,
        message: `This apply is ${row.state}; only one that runs can be cancelled.`,
        remedy: 'Its rollback is in its plan.',
        details: { state: row.state },
      });
    }
    if (row.cancel_requested_by !== null && !options.stop_rebuild) return row;
    const marked = await transaction
      .updateTable('pgluthier.apply')
      .set({ cancel_requested_at: new Date(), cancel_requested_by: actor })
      .where('target_id', '=', targetId)
      .where('apply_id', '=', applyId)
      .returningAll()
      .executeTakeFirstOrThrow();
    const { plan_hash, body } = await transaction
      .selectFrom('pgluthier.recommendation')
      .select(['plan_hash', 'body'])
      .where('target_id', '=', targetId)
      .where('recommendation_id', '=', row.recommendation_id)
      .where('generation', '=', row.generation)
      .executeTakeFirstOrThrow();
    await appendAudit(transaction, {
      actor,
      action: 'apply.cancel',
      target_id: targetId,
      subject_id: applyId,
      details: {
        recommendation_id: row.recommendation_id,
        plan_hash,
        ...(options.stop_rebuild ? { stop_rebuild: true } : {}),
        evidence: evidenceOf(body as Recommendation),
      },
    });
    return marked;
  });
}

/** The last wish to cancel it: who, and when as ms since the epoch; null: nobody has asked. */
export async function lastCancel(
  db: Database,
  targetId: string,
  applyId: string,
): Promise<{ actor: string; at: number } | null> {
  const row = await db
    .selectFrom('pgluthier.apply')
    .select(['cancel_requested_at', 'cancel_requested_by'])
    .where('target_id', '=', targetId)
    .where('apply_id', '=', applyId)
    .executeTakeFirst();
  const { cancel_requested_at: at, cancel_requested_by: actor } = row ?? {};
  return at && actor ? { actor, at: new Date(at).getTime() } : null;
}

/** In words; null: nobody wants it to stop. */
export async function stopReason(db: Database, targetId: string, applyId: string): Promise<string | null> {
  const row = await db
    .selectFrom('pgluthier.apply')
    .select('cancel_requested_by')
    .where('target_id', '=', targetId)
    .where('apply_id', '=', applyId)
    .executeTakeFirst();
  if (row?.cancel_requested_by) return `${row.cancel_requested_by} cancelled it.`;
  const stop = await stopOver(db, targetId);
  return stop
    ? `${stop.stopped_by} stopped ${stop.scope === '*' ? 'all applying' : 'applying on this target'}: ${stop.because}`
    : null;
}
