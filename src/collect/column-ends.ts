/**
 * Least and greatest values of columns that an index leads with: the one thing that reads users' data, two values a
 * column. The planner looks them up where a constant lies beyond the histogram; the twin's indexes are empty.
 */
import { z } from 'zod';
import { type ColumnRow, quoteIdentifier, quoteQualified } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { isUndecodable } from './undecodable.ts';
import { sqlVariant } from './variants.ts';

/** Columns at most, a snapshot. */
const MOST_COLUMNS = 500;
/** For all of them, ms. */
const BUDGET_MS = 2_000;
/** For one statement, ms: an end behind many dead rows, or behind somebody's lock, is given up. */
const STATEMENT_TIMEOUT_MS = 100;
const AT_ONCE = 20;
/** After so many statements that failed by themselves no more are sent: each is a line in the server's log. */
const MOST_FAILURES = 5;

/**
 * With these an index that leads with the column is the one plan: whatever else can be done is forbidden or needs a
 * sort, which is, too.
 */
const SETTINGS: Record<string, string> = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_sort: 'off',
  enable_indexscan: 'on',
  enable_indexonlyscan: 'on',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  statement_timeout: String(STATEMENT_TIMEOUT_MS),
};

const rowSchema = z.object({
  table_oid: z.number(),
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  attnum: z.number(),
  nulls_first: z.boolean(),
  may_select: z.boolean(),
  only_unique: z.boolean(),
  uncounted: z.boolean(),
  /** How many there are. */
  columns: z.number(),
});
type Row = z.infer<typeof rowSchema>;
type Ends = NonNullable<ColumnRow['ends']>;

/** The columns with their ends, where they matter and can be had for little; a limit says where not. */
export async function withColumnEnds(reader: Reader, columns: readonly ColumnRow[]): Promise<ColumnRow[]> {
  const sql = sqlVariant('column-ends', String(reader.session.server_version_num));
  const rows = await readNoun(reader, 'column-ends', sql, rowSchema);
  const place = ({ table_oid, attnum }: { table_oid: number; attnum: number }) => `${table_oid}/${attnum}`;
  // Without a histogram there is nothing to put ends to.
  const described = new Set(columns.filter((column) => column.stats?.histogram_bounds).map(place));
  const readable = rows.filter(
    (row) =>
      described.has(place(row)) &&
      row.may_select &&
      !isUndecodable({ schema: row.schema, name: `${row.table}${row.name}` }),
  );
  // An index that our looks keep in use would never be told as unused.
  const wanted = readable.filter((row) => row.uncounted || row.only_unique);
  const chosen = wanted.slice(0, MOST_COLUMNS);
  const ends = chosen.length > 0 ? await readEnds(reader, chosen) : new Map<Row, Ends | null>();
  sayWhatCounts(reader, readable.length - wanted.length);
  const hidden = rows.filter((row) => !row.may_select).length;
  if (hidden > 0) {
    reader.limits.push({
      scope: 'column-ends',
      code: 'column_ends_hidden',
      message: `The least and greatest value of ${hidden} columns that indexes lead with cannot be read: that takes SELECT on them. Conditions beyond what ANALYZE saw are estimated without them.`,
      remedy: `GRANT pg_read_all_data TO ${quoteIdentifier(reader.session.role)};`,
    });
  }
  const unread = wanted.length - ends.size + ((rows[0]?.columns ?? 0) - rows.length);
  if (unread > 0) {
    reader.limits.push({
      scope: 'column-ends',
      code: 'column_ends_unread',
      message: `The least and greatest value of ${unread} columns that indexes lead with were not read: there are too many, or it took too long. Conditions beyond what ANALYZE saw are estimated without them.`,
      remedy: 'ANALYZE the tables that change most.',
    });
  }
  const found = new Map([...ends].map(([row, value]) => [place(row), value]));
  return columns.map((column) => {
    const value = found.get(place(column));
    return value === undefined ? column : { ...column, ends: value };
  });
}

function sayWhatCounts(reader: Reader, columns: number): void {
  if (columns === 0) return;
  const grantable = reader.session.server_version_num >= 150_000;
  reader.limits.push({
    scope: 'column-ends',
    code: 'column_ends_counted',
    message: `The least and greatest value of ${columns} columns that indexes lead with were not read: each look would count as a scan of the index, so that one that nobody uses would pass for used. Conditions beyond what ANALYZE saw are estimated without them.`,
    remedy: grantable
      ? `GRANT SET ON PARAMETER track_counts TO ${quoteIdentifier(reader.session.role)};`
      : null,
  });
}

/** What was read; null: the column has no values. */
async function readEnds(reader: Reader, rows: readonly Row[]): Promise<Map<Row, Ends | null>> {
  const until = Math.min(reader.deadline, Date.now() + BUDGET_MS);
  const found = new Map<Row, Ends | null>();
  let failures = 0;
  const uncounted = rows.every((row) => row.uncounted);
  const before = await change(reader, { ...SETTINGS, ...(uncounted ? { track_counts: 'off' } : {}) });
  if (before === null) return found;
  for (let from = 0; from < rows.length && failures < MOST_FAILURES; from += AT_ONCE) {
    const group = rows.slice(from, from + AT_ONCE);
    if (Date.now() > until) break;
    if (await ask(reader, group, found)) continue;
    for (const row of group) {
      if (Date.now() > until || failures >= MOST_FAILURES) break;
      if (!(await ask(reader, [row], found))) failures += 1;
    }
  }
  await change(reader, before);
  return found;
}

/** @returns the values before, in one statement; null: the server refused, and a limit says so. */
async function change(
  reader: Reader,
  settings: Readonly<Record<string, string>>,
): Promise<Record<string, string> | null> {
  const names = Object.keys(settings);
  // From left to right: what a setting was is read before it is set.
  const parts = names.map(
    (name, at) =>
      `current_setting('${name}') AS ${name}, set_config('${name}', $${at + 1}, false) AS set_${at}`,
  );
  try {
    const [row] = await reader.session.query<Record<string, string>>(
      `SELECT ${parts.join(', ')}`,
      Object.values(settings),
    );
    return Object.fromEntries(names.map((name) => [name, row?.[name] ?? '']));
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    reader.limits.push({
      scope: 'column-ends',
      code: 'read_failed',
      message: `column-ends: settings of the session could not be changed: ${error.message}`,
      remedy: null,
    });
    return null;
  }
}

/**
 * By query_to_xml(), which takes the statement as a value: pg_stat_statements keeps one entry for all columns, where it
 * does not track what functions run (then there are few columns).
 * @returns whether the server answered.
 */
async function ask(reader: Reader, rows: readonly Row[], found: Map<Row, Ends | null>): Promise<boolean> {
  try {
    const answers = await reader.session.query<{ position: number; answer: string }>(
      `SELECT q.position::int4 AS position, query_to_xml(q.statement, false, false, '')::text AS answer
       FROM unnest($1::text[]) WITH ORDINALITY AS q (statement, position)`,
      [rows.map(statementOf)],
    );
    for (const { position, answer } of answers) {
      const row = rows[position - 1];
      const min = element(answer, 'least');
      const max = element(answer, 'greatest');
      if (row) found.set(row, min === null || max === null ? null : { min, max });
    }
    return true;
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    return false;
  }
}

/** Both ends in the index's own order, so that it is read forwards and backwards; NULLs are passed by within it. */
function statementOf({ schema, table, name, nulls_first }: Row): string {
  const column = quoteIdentifier(name);
  const [up, down] = nulls_first ? ['NULLS FIRST', 'NULLS LAST'] : ['NULLS LAST', 'NULLS FIRST'];
  const end = (order: string) =>
    `(SELECT ${column} FROM ONLY ${quoteQualified(schema, table)} WHERE ${column} IS NOT NULL ORDER BY ${column} ${order} LIMIT 1)::text`;
  return `SELECT ${end(`ASC ${up}`)} AS least, ${end(`DESC ${down}`)} AS greatest`;
}

/** Numbers and times have no character that XML would write otherwise. */
function element(answer: string, name: string): string | null {
  const from = answer.indexOf(`<${name}>`);
  const to = answer.indexOf(`</${name}>`, from);
  return from === -1 || to === -1 ? null : answer.slice(from + name.length + 2, to);
}
