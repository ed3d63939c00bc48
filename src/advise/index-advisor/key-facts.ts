/** What the size of an index depends on, key by key: width, alignment, distinct values, nulls. */
import type { ColumnRow } from '../../domain/index.ts';
import type { GroupSizes } from './alike-groups.ts';
import { elementsOf, valueWidths } from './key-widths.ts';

/** One key or included column of an index. */
export interface KeyFacts {
  /** Average stored bytes of a value that is not null, varlena header included (pg_stats.avg_width). */
  width: number;
  /** Alignment, bytes: 1, 2, 4 or 8; 1 for a varlena short enough for a one-byte header. */
  align: 1 | 2 | 4 | 8;
  /** Widths that values have, each as likely as the others; their mean is `width`. */
  widths: readonly number[];
  /** Of the most common values, in their order; empty: all values are as wide, or nothing is known. */
  common_widths: readonly number[];
  /** As `widths`, of the values that are not among the most common. */
  other_widths: readonly number[];
  /** Texts: rows that a condition keeps may have longer or shorter ones than others. */
  scatters: boolean;
  /** Distinct values, nulls apart. */
  distinct: number;
  /** Rows that have the same value, the most common ones apart; null: no statistics, all alike at random. */
  groups: GroupSizes | null;
  null_frac: number;
  /** Shares of the most common values; empty when none is known. */
  most_common_freqs: readonly number[];
  /** Equal values have equal images, so a B-tree may deduplicate them (amproc 4, btequalimage). */
  equalimage: boolean;
  /** Correlation of value order and row order, −1 to 1; null: unknown. */
  correlation: number | null;
  /** Average number of elements of an array; null: no array or unknown. */
  elements: number | null;
  /** Shares of the rows that have each of the most common elements, or lexemes of a tsvector. */
  element_freqs: readonly number[];
  /** Stored bytes of an element or lexeme, varlena header included. */
  element_bytes: number;
}

const ALIGNMENTS: Readonly<Record<string, KeyFacts['align']>> = { c: 1, s: 2, i: 4, d: 8 };

/** A varlena of up to 126 bytes of data is stored with a one-byte header, unaligned. */
const SHORT_VARLENA_BYTES = 127;

/**
 * Types whose default B-tree operator class has no equalimage support function, or one that says no, in PostgreSQL 15
 * to 18 (pg_amproc read there; interval lost it in 15.5 and 16.1).
 */
const NOT_EQUALIMAGE =
  /^(numeric|real|double precision|interval|jsonb|tsvector|tsquery|record|.*range|.*\[\])(\(|$)/;

/** Distinct values as a count: pg_stats gives a share of the rows as a negative number. */
function distinctCount(nDistinct: number, rows: number): number {
  return Math.max(1, nDistinct < 0 ? -nDistinct * rows : nDistinct);
}

/** Bytes taken for a varlena column that was never analysed: the planner's own guess (get_typavgwidth). */
const UNKNOWN_WIDTH = 32;
/** The planner's DEFAULT_NUM_DISTINCT. */
const UNKNOWN_DISTINCT = 200;

/** Of an element that is not known: a word of eight letters, or a number of eight bytes. */
const ELEMENT_BYTES = 9;
/** Element types of one length. */
const ELEMENT_LENGTHS: Readonly<Record<string, number>> = {
  smallint: 2,
  integer: 4,
  bigint: 8,
  date: 4,
  uuid: 16,
  real: 4,
  'double precision': 8,
};

/** Stored bytes of an array's element, where all are as long; else null. */
export function elementLength({ type }: Pick<ColumnRow, 'type'>): number | null {
  return type.endsWith('[]') ? (ELEMENT_LENGTHS[type.slice(0, -2)] ?? null) : null;
}

function elementBytes(column: ColumnRow): number {
  const fixed = elementLength(column);
  if (fixed !== null) return fixed;
  const { stats } = column;
  const known = elementsOf(stats?.most_common_elems);
  if (known.length === 0) return ELEMENT_BYTES;
  return 1 + known.reduce((sum, each) => sum + Math.min(126, Buffer.byteLength(each)), 0) / known.length;
}

/** Facts of a column. */
export function columnFacts(column: ColumnRow, rows: number): KeyFacts {
  const { stats } = column;
  const width = column.typlen > 0 ? column.typlen : (stats?.avg_width ?? UNKNOWN_WIDTH);
  const isShort = column.typlen < 0 && width <= SHORT_VARLENA_BYTES;
  return {
    width,
    align: isShort ? 1 : (ALIGNMENTS[column.typalign] ?? 4),
    ...valueWidths(column, width),
    scatters: column.typcategory === 'S' && column.typlen < 0,
    distinct: distinctCount(stats?.n_distinct ?? -1, rows),
    groups: null,
    null_frac: stats?.null_frac ?? 0,
    most_common_freqs: stats?.most_common_freqs ?? [],
    equalimage: !NOT_EQUALIMAGE.test(column.type) && !['r', 'm', 'c'].includes(column.typtype),
    correlation: stats?.correlation ?? null,
    elements: stats?.elem_count_histogram?.at(-1) ?? null,
    // The frequencies are followed by the least and the greatest, and of arrays by that of null elements.
    element_freqs: stats?.most_common_elem_freqs?.slice(0, column.type === 'tsvector' ? -2 : -3) ?? [],
    element_bytes: elementBytes(column),
  };
}

/** Functions of one text that give about one value for each value of it, of about its width. */
const KEEPS_VALUES = /^(?:pg_catalog\.)?(?:lower|upper|btrim|ltrim|rtrim|initcap|reverse)\(/;

const SPREAD = [-4, -3, -2, -1, 0, 1, 2, 3];

/** Bytes of an expression's value, where its form tells: a cast or function of a known result. */
function resultWidth(expression: string): 1 | 2 | 4 | 8 | null {
  const cast = /::\s*([a-z0-9 ]+?)\)*$/.exec(expression)?.[1] ?? '';
  if (/^(?:pg_catalog\.)?date\(/.test(expression) || /^(date|integer|int|int4|real)$/.test(cast)) return 4;
  if (/^(?:pg_catalog\.)?date_trunc\(/.test(expression)) return 8;
  if (/^(timestamp.*|bigint|int8|double precision|float8)$/.test(cast)) return 8;
  if (/^(smallint|int2)$/.test(cast)) return 2;
  return /^(boolean|bool)$/.test(cast) ? 1 : null;
}

/** Facts of an expression: what its one column's statistics say of it, or the planner's defaults. */
export function expressionFacts(expression: string, columns: readonly ColumnRow[], rows: number): KeyFacts {
  const [source] = columns;
  if (source !== undefined && columns.length === 1 && KEEPS_VALUES.test(expression)) {
    return columnFacts(source, rows);
  }
  const fixed = resultWidth(expression);
  const width = fixed ?? UNKNOWN_WIDTH / 2;
  // An unknown width may end anywhere between two multiples of the alignment.
  const widths = fixed === null ? SPREAD.map((difference) => Math.max(1, width + difference)) : [fixed];
  return {
    width,
    align: fixed ?? 1,
    widths,
    common_widths: [],
    other_widths: widths,
    scatters: false,
    distinct: Math.min(distinctOfExpression(source, rows, fixed), rows),
    groups: null,
    null_frac: 0,
    most_common_freqs: [],
    equalimage: true,
    correlation: fixed === null ? null : (source?.stats?.correlation ?? null),
    elements: null,
    element_freqs: [],
    element_bytes: ELEMENT_BYTES,
  };
}

/** A day for each day between the column's bounds (date, date_trunc of a time); else the planner's default. */
function distinctOfExpression(source: ColumnRow | undefined, rows: number, width: number | null): number {
  if (source === undefined) return UNKNOWN_DISTINCT;
  const bounds = source.stats?.histogram_bounds;
  if (/^(timestamp|date)/.test(source.type) && width !== null && bounds) {
    const days = bounds.match(/\d{4,}-\d\d-\d\d/g);
    const first = Date.parse(days?.at(0) ?? '');
    const last = Date.parse(days?.at(-1) ?? '');
    if (!Number.isNaN(first) && !Number.isNaN(last)) return Math.max(1, (last - first) / 86_400_000 + 1);
  }
  if (/^jsonb?$/.test(source.type)) return UNKNOWN_DISTINCT;
  return distinctCount(source.stats?.n_distinct ?? UNKNOWN_DISTINCT, rows);
}
