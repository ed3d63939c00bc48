/** How many changes run beside each other: one a table, a bounded number a server. */
import { type Change, PgLuthierError, tableOf } from '../domain/index.ts';
import { stopOver } from './apply-policies.ts';
import type { DatabaseTransaction } from './database.ts';
import { advisoryLocks, lockExclusively } from './locks.ts';

/**
 * Refuses what would be one too many, and everything while a stop is there. Until the transaction ends no other apply
 * begins, so that two replicas count the same.
 * @throws PgLuthierError `apply_stopped`, `table_busy`, `server_busy` (409).
 */
export async function refuseTooMany(
  transaction: DatabaseTransaction,
  targetId: string,
  recommendationId: string,
  change: Change,
  maxPerServer: number | undefined,
): Promise<void> {
  await lockExclusively(transaction, advisoryLocks.applies);
  const stop = await stopOver(transaction, targetId);
  if (stop) throw stopped(stop);
  if (maxPerServer === undefined) return;
  const own = await transaction
    .selectFrom('pgluthier.target')
    .select(['address', 'database_name'])
    .where('target_id', '=', targetId)
    .executeTakeFirstOrThrow();
  const open = await transaction
    .selectFrom('pgluthier.apply as a')
    .innerJoin('pgluthier.target as t', 't.target_id', 'a.target_id')
    .select(['a.apply_id', 'a.target_id', 'a.recommendation_id', 'a.plan', 't.address', 't.database_name'])
    .where('a.state', 'in', ['queued', 'running'])
    .execute();
  // An apply of the very same recommendation is refused by its state, which says more.
  const onServer = open.filter(
    (other) =>
      serverOf(other.address) === serverOf(own.address) &&
      !(other.target_id === targetId && other.recommendation_id === recommendationId),
  );
  const table = tableOf(change);
  const sameTable = onServer.find((other) => {
    if (other.address !== own.address || other.database_name !== own.database_name) return false;
    const theirs = tableOf((other.plan as { change: Change }).change);
    return table !== null && theirs?.schema === table.schema && theirs.table === table.table;
  });
  if (sameTable) {
    throw new PgLuthierError({
      code: 'table_busy',
      status: 409,
      message: `Apply ${sameTable.apply_id} changes the same table; one at a time.`,
      remedy: 'Wait for its end.',
      details: { apply_id: sameTable.apply_id },
    });
  }
  if (onServer.length >= maxPerServer) {
    const ids = onServer.map(({ apply_id }) => apply_id);
    throw new PgLuthierError({
      code: 'server_busy',
      status: 409,
      message: `${ids.length} change(s) run on this server: ${ids.join(', ')}. Its policy allows ${maxPerServer} at once.`,
      remedy: 'Wait for their end, or raise max_applies_per_server of the policy.',
      details: { apply_ids: ids },
    });
  }
}

/** `host:port` of `host:port/database`. */
const serverOf = (address: string) => address.slice(0, address.lastIndexOf('/'));

export function stopped(stop: { scope: string; because: string; stopped_by: string; stopped_at: string }) {
  return new PgLuthierError({
    code: 'apply_stopped',
    status: 409,
    message: `${stop.scope === '*' ? 'All applying' : 'Applying on this target'} was stopped by ${stop.stopped_by} at ${stop.stopped_at}: ${stop.because}`,
    remedy: 'Lift the stop when its reason is gone.',
    details: { scope: stop.scope },
  });
}
