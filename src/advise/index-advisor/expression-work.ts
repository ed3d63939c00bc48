/**
 * How long PostgreSQL evaluates the expressions of an index for one row. All constants are of
 * `npm run bench -- build-times`: PostgreSQL 18 and 15, 2 cores of a server of 2026, differences to the same index without
 * the expression.
 */
import { columnsRead, expressionCalls } from '../../workload/index.ts';
import { type AdvisorTable, rowCount } from './catalog.ts';

/** A function, operator or cast of numbers, times or documents (`n * 2`, `date_trunc()`, `->>`: 0.03 to 0.1). */
const CALL_MICROSECONDS = 0.05;
/** A condition on a number, a time or a null (0.005 to 0.01). */
const COMPARISON_MICROSECONDS = 0.01;
/**
 * A byte of what they read, by the dearest of the functions: to_tsvector() parses and looks up words (title of 50 bytes
 * 0.08, text of 490 bytes 0.11 in english, 0.09 in simple); lower() by a locale's rules 0.011; md5() of 3,200 bytes out
 * of TOAST and LIKE '%…%' of 65 bytes 0.0025.
 */
const BYTE_MICROSECONDS = { parsed: 0.1, cased: 0.012, read: 0.0025 } as const;
const PARSERS: ReadonlySet<string> = new Set(['to_tsvector', 'json_to_tsvector', 'jsonb_to_tsvector']);
const CASES: ReadonlySet<string> = new Set(['lower', 'upper', 'initcap', 'unaccent']);

/** What cuts off the end of a time leaves times in their order, and so does the time of another zone, but for an hour. */
const CUTTING: ReadonlySet<string> = new Set(['date', 'date_trunc', 'timezone']);

/**
 * Whether the expression's values come in the order of the one column that it reads: a time that is cut off.
 * @throws PgLuthierError `sql_syntax`.
 */
export function keepsOrder(expression: string): boolean {
  const { comparisons, others, functions } = expressionCalls(expression);
  const isCut = [...functions].every((name) => CUTTING.has(name)) && functions.size > 0;
  return isCut && comparisons === 0 && others === functions.size && columnsRead(expression).size === 1;
}

/** Work of one row. */
export interface ExpressionWork {
  comparisons: number;
  calls: number;
  bytes: number;
  /** Of one. */
  microseconds: { comparison: number; call: number; byte: number };
}

/** @throws PgLuthierError `sql_syntax`: the parser cannot read it. */
export function expressionWork(expression: string, table: AdvisorTable): ExpressionWork {
  const { comparisons, others, functions } = expressionCalls(expression);
  const calls = [...functions];
  const dearest = calls.some((name) => PARSERS.has(name))
    ? BYTE_MICROSECONDS.parsed
    : calls.some((name) => CASES.has(name))
      ? BYTE_MICROSECONDS.cased
      : BYTE_MICROSECONDS.read;
  return {
    comparisons,
    calls: others,
    bytes: bytesRead(expression, table),
    microseconds: { comparison: COMPARISON_MICROSECONDS, call: CALL_MICROSECONDS, byte: dearest },
  };
}

/** Numbers are never long; members of a document in its place are found without reading all of it (jsonb_util.c). */
const SHORT = /^(numeric|inet|cidr)/;

/**
 * Bytes of a row's values of varying length that the expression reads. Of what is out of line the statistics count the
 * pointer alone (compute_scalar_stats() of analyze.c), so all of the table's TOAST is taken for it: at most that.
 */
function bytesRead(expression: string, table: AdvisorTable): number {
  const columns = [...columnsRead(expression)].flatMap((name) => table.columns.get(name) ?? []);
  const long = columns.filter(({ typlen, type }) => typlen < 0 && !SHORT.test(type));
  if (long.length === 0) return 0;
  const inline = long.reduce(
    (sum, { type, stats }) => sum + (type === 'jsonb' ? 0 : (stats?.avg_width ?? 0)),
    0,
  );
  return inline + table.row.toast_bytes / rowCount(table);
}
