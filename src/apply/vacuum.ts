/** VACUUM of one table: no lock but the one of any maintenance, no transaction, and it can be cancelled at any time. */
import { type ApplyOutcome, type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { recordLastRun } from './last-run.ts';
import { withShortLock } from './reloptions.ts';
import { type ApplyRun, applied, failed, needsAttention, reasonOf } from './run.ts';

type Vacuum = Extract<Change, { kind: 'vacuum' }>;

export async function vacuumTable(run: ApplyRun, change: Vacuum, statement: string): Promise<ApplyOutcome> {
  const before = await lastVacuum(run.session, change);
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
  const after = await lastVacuum(run.session, change);
  return after !== null && after !== before
    ? applied({ ...facts, last_vacuum: after })
    : needsAttention(
        'vacuum_without_effect',
        `VACUUM of ${quoteQualified(change.schema, change.table)} ran but the table shows none.`,
        facts,
      );
}

/** Newest of the manual and the automatic one of the table or, where it is partitioned, of its leaves; null: never. */
export async function lastVacuum(
  session: TargetSession,
  { schema, table }: Pick<Vacuum, 'schema' | 'table'>,
): Promise<string | null> {
  const [row] = await session.query<{ at: string | null }>(
    `SELECT max(greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid))) AS at
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (
       SELECT c.oid WHERE c.relkind <> 'p'
       UNION ALL SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND p.isleaf
     ) AS t(oid)
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  );
  return row?.at ?? null;
}
