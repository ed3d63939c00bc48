/** VACUUM of one table: no lock but the one of any maintenance, no transaction, and it can be cancelled at any time. */
import { type ApplyOutcome, type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { isNewer, recordLastRun } from './last-run.ts';
import { withShortLock } from './reloptions.ts';
import { type ApplyRun, applied, failed, needsAttention, reasonOf } from './run.ts';

type Vacuum = Extract<Change, { kind: 'vacuum' }>;

export async function vacuumTable(run: ApplyRun, change: Vacuum, statement: string): Promise<ApplyOutcome> {
  const { newest: before } = await lastVacuum(run.session, change);
  run.signal.throwIfAborted();
  await recordLastRun(run, change, before);
  const begun = performance.now();
  const refused = await withShortLock(run, 'statement', statement);
  if (refused) {
    const [code, message] = reasonOf(run, refused);
    return failed(code, message);
  }
  const facts = { duration_ms: Math.round(performance.now() - begun), last_vacuum_before: before };
  // VACUUM that may not touch a table only warns: the table's own word is what counts.
  const { oldest: after } = await lastVacuum(run.session, change);
  return isNewer(before, after)
    ? applied({ ...facts, last_vacuum: after })
    : needsAttention(
        'vacuum_without_effect',
        `VACUUM of ${quoteQualified(change.schema, change.table)} ran but the table, or a partition of it, shows none.`,
        facts,
      );
}

/**
 * Newest of the manual and the automatic one: of the table or, where it is partitioned, of that of its leaves which has the
 * newest, and of that which has the oldest. Null: none; of the oldest, that one leaf was never vacuumed.
 */
export async function lastVacuum(
  session: TargetSession,
  { schema, table }: Pick<Vacuum, 'schema' | 'table'>,
): Promise<{ newest: string | null; oldest: string | null }> {
  const [row] = await session.query<{ newest: string | null; oldest: string | null }>(
    `SELECT max(x.at) AS newest, CASE WHEN bool_and(x.at IS NOT NULL) THEN min(x.at) END AS oldest
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (
       SELECT c.oid WHERE c.relkind <> 'p'
       UNION ALL
       SELECT p.relid FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
       WHERE c.relkind = 'p' AND p.isleaf AND l.relkind <> 'f'
     ) AS t(oid)
     CROSS JOIN LATERAL (
       SELECT greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid)) AS at
     ) AS x
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  );
  return row ?? { newest: null, oldest: null };
}
