/** ANALYZE of one table. */
import { type ApplyOutcome, type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { recordLastRun } from './last-run.ts';
import { withShortLock } from './reloptions.ts';
import { type ApplyRun, applied, failed, needsAttention, reasonOf } from './run.ts';

type Analyze = Extract<Change, { kind: 'analyze' }>;

export async function analyzeTable(run: ApplyRun, change: Analyze, statement: string): Promise<ApplyOutcome> {
  const before = await lastAnalyze(run.session, change);
  run.signal.throwIfAborted();
  await recordLastRun(run, change, before);
  const begun = performance.now();
  const refused = await withShortLock(run, 'statement', statement);
  if (refused) {
    const [code, message] = reasonOf(run, refused);
    return failed(code, message);
  }
  const facts = { duration_ms: Math.round(performance.now() - begun), last_analyze_before: before };
  // ANALYZE that may not touch a table only warns: the table's own word is what counts.
  const after = await lastAnalyze(run.session, change);
  return after !== null && after !== before
    ? applied({ ...facts, last_analyze: after })
    : needsAttention(
        'analyze_without_effect',
        `ANALYZE of ${quoteQualified(change.schema, change.table)} ran but the table shows no new statistics.`,
        facts,
      );
}

/** Newest of the manual and the automatic one, which is as good; null: never. */
export async function lastAnalyze(
  session: TargetSession,
  { schema, table }: Pick<Analyze, 'schema' | 'table'>,
): Promise<string | null> {
  const [row] = await session.query<{ at: string | null }>(
    `SELECT greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) AS at
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  );
  return row?.at ?? null;
}
