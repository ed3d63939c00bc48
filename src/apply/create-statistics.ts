/** CREATE STATISTICS and the ANALYZE that fills them: a short lock each, checked by what the catalog then holds. */
import { type ApplyOutcome, type Change, type JournalEntry, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { withShortLock } from './reloptions.ts';
import { type ApplyRun, applied, type Facts, failed, needsAttention, reasonOf } from './run.ts';

type CreateStatistics = Extract<Change, { kind: 'statistics.create' }>;

export async function createStatistics(
  run: ApplyRun,
  change: CreateStatistics,
  statements: readonly string[],
): Promise<ApplyOutcome> {
  const [create = '', analyze = ''] = statements;
  const refused = await withShortLock(run, 'statement', create);
  if (refused) {
    const [code, message] = reasonOf(run, refused);
    return failed(code, message);
  }
  const begun = performance.now();
  const unfilled = await withShortLock(run, 'analyze', analyze);
  const facts = { analyze_ms: Math.round(performance.now() - begun) };
  const note = unfilled ? reasonOf(run, unfilled)[1] : '';
  return judgeStatistics(run.session, change, { note, analysed: !unfilled }, facts);
}

/** After an interruption: what was made and not filled yet is filled, unless that was begun already. */
export async function recoverStatistics(
  run: ApplyRun,
  change: CreateStatistics,
  statements: readonly string[],
  entries: readonly JournalEntry[],
  note: string,
): Promise<ApplyOutcome> {
  const [, analyze = ''] = statements;
  const filling = entries.filter((entry) => entry.purpose === 'analyze');
  let analysed = filling.some((entry) => entry.state === 'done');
  const found = await findStatistics(run.session, change.schema, change.name);
  if (filling.length === 0 && found && isAsAsked(found, change) && !found.holds_data) {
    analysed = (await withShortLock(run, 'analyze', analyze)) === null;
  }
  return judgeStatistics(run.session, change, { note, analysed });
}

/**
 * Made and filled, made and empty, or not there.
 * @param seen.note what went wrong before; empty: nothing.
 * @param seen.analysed whether ANALYZE ran to its end after they were made.
 */
async function judgeStatistics(
  session: TargetSession,
  change: CreateStatistics,
  { note, analysed }: { note: string; analysed: boolean },
  facts: Facts = {},
): Promise<ApplyOutcome> {
  const name = quoteQualified(change.schema, change.name);
  const found = await findStatistics(session, change.schema, change.name);
  const said = note === '' ? '' : `${note} `;
  if (!found) return failed('statistics_missing', `${said}There are no statistics ${name}.`, facts);
  if (!isAsAsked(found, change)) {
    return needsAttention(
      'statistics_differ',
      `${said}${name} are not the statistics of the plan; they are: ${found.definition}`,
      facts,
    );
  }
  if (found.holds_data) {
    return applied({ ...facts, definition: found.definition, ...(note === '' ? {} : { note }) });
  }
  const table = quoteQualified(change.schema, change.table);
  return analysed
    ? needsAttention(
        'statistics_empty',
        `${said}ANALYZE of ${table} found nothing to keep in ${name}: the columns do not depend on each other as they were thought to. Drop them: DROP STATISTICS ${name}.`,
        facts,
      )
    : needsAttention(
        'statistics_not_filled',
        `${said}${name} exist but hold nothing until the next ANALYZE of ${table}.`,
        facts,
      );
}

interface FoundStatistics {
  table: string;
  table_schema: string;
  columns: string[];
  kinds: string[];
  definition: string;
  /** ANALYZE has kept something in them. */
  holds_data: boolean;
}

const LETTERS: Readonly<Record<string, string>> = { ndistinct: 'd', dependencies: 'f', mcv: 'm' };

function isAsAsked(found: FoundStatistics, change: CreateStatistics): boolean {
  const sorted = (names: readonly (string | undefined)[]) => JSON.stringify(names.toSorted());
  return (
    found.table === change.table &&
    found.table_schema === change.schema &&
    sorted(found.columns) === sorted(change.columns) &&
    sorted(found.kinds) === sorted(change.kinds.map((kind) => LETTERS[kind]))
  );
}

/** By pg_stats_ext, which the table's owner may read: pg_statistic_ext_data is for superusers. */
async function findStatistics(
  session: TargetSession,
  schema: string,
  name: string,
): Promise<FoundStatistics | null> {
  const [row] = await session.query<FoundStatistics>(
    `SELECT t.relname::text AS "table", tn.nspname::text AS table_schema,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = x.stxrelid AND a.attnum = ANY (x.stxkeys::int2[])) AS columns,
            x.stxkind::text[] AS kinds, pg_get_statisticsobjdef(x.oid) AS definition,
            EXISTS (SELECT FROM pg_stats_ext s
                    WHERE s.statistics_schemaname = n.nspname AND s.statistics_name = x.stxname
                      AND coalesce(s.n_distinct::text, s.dependencies::text, s.most_common_freqs::text) IS NOT NULL)
              AS holds_data
     FROM pg_statistic_ext x
     JOIN pg_namespace n ON n.oid = x.stxnamespace
     JOIN pg_class t ON t.oid = x.stxrelid
     JOIN pg_namespace tn ON tn.oid = t.relnamespace
     WHERE n.nspname = $1 AND x.stxname = $2`,
    [schema, name],
  );
  return row ?? null;
}
