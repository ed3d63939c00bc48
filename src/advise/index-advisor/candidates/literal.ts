/** How many of the rows a condition with a constant keeps. */
import type { UsagePredicate } from '../../../domain/index.ts';
import { parseArrayText } from '../../../workload/index.ts';
import { type AdvisorTable, distinctCount, rowCount } from '../catalog.ts';

/** Share of the rows where nothing is known. */
const UNKNOWN_SHARE = 0.34;
/** From pg_stats: null fraction, or a common value's frequency; a third where nothing is known. */
export function literalSelectivity(predicate: UsagePredicate, table: AdvisorTable): number {
  const stats = predicate.column === null ? undefined : table.columns.get(predicate.column)?.stats;
  if (!stats) return UNKNOWN_SHARE;
  if (predicate.kind === 'is_null') return stats.null_frac;
  if (predicate.kind === 'is_not_null') return 1 - stats.null_frac;
  if (isLeftOut(predicate)) return 1 - stats.null_frac - shareOfConstant(predicate, table);
  if (predicate.kind === 'in' && predicate.values) return shareOfValues(predicate.values, predicate, table);
  if (predicate.kind !== 'equality') return UNKNOWN_SHARE;
  return shareOfConstant(predicate, table);
}

/** Share of the rows that have one of these values of the predicate's column. */
function shareOfValues(values: readonly string[], { column }: UsagePredicate, table: AdvisorTable): number {
  const shares = [...new Set(values)].map((value) => shareOfValue(value, column, table));
  return Math.min(
    1,
    shares.reduce((sum, share) => sum + share, 0),
  );
}

/** `column <> constant`. */
export const isLeftOut = ({ kind, operator, column, columns }: UsagePredicate) =>
  kind === 'other' && operator === '<>' && column !== null && columns.length === 1;

/** Share of the rows that have the constant of `column = constant` or `column <> constant`. */
export function shareOfConstant(predicate: UsagePredicate, table: AdvisorTable): number {
  const isBoolean = table.columns.get(predicate.column ?? '')?.type === 'boolean';
  const constant = (isBoolean ? truthOf : constantOf)(predicate.literal ?? '');
  return shareOfValue(constant, predicate.column, table);
}

/** @param constant null: it is not known. */
function shareOfValue(constant: string | null, name: string | null, table: AdvisorTable): number {
  const column = table.columns.get(name ?? '');
  const stats = column?.stats;
  if (!stats) return UNKNOWN_SHARE;
  const values = stats.most_common_vals === null ? [] : parseArrayText(stats.most_common_vals);
  const written = column?.type.startsWith('character(') ? withoutPadding : (value: unknown) => value;
  const position = constant === null ? -1 : values.map(written).indexOf(written(constant));
  const frequency = stats.most_common_freqs?.[position];
  if (frequency !== undefined) return frequency;
  return 1 / Math.max(1, distinctCount(column, rowCount(table)) ?? 3);
}

/** Of character(n) the blanks at the end count for nothing, and statistics have them. */
const withoutPadding = (value: unknown) => (typeof value === 'string' ? value.trimEnd() : value);

/** The constant of `column = 'constant'` or `column = 5`, as PostgreSQL's own deparser writes it. */
export function constantOf(literal: string): string | null {
  const first = literal.indexOf("'");
  if (first === -1) return literal.split(' ').at(-1) ?? null;
  const end = literal.lastIndexOf("'");
  return literal.slice(first + 1, end).replaceAll("''", "'");
}

/** `active`, `NOT active`, `active = false`: as pg_stats writes it. */
function truthOf(literal: string): string {
  const words = literal.toLowerCase().split(' ');
  return words.includes('not') !== words.includes('false') ? 'f' : 't';
}
