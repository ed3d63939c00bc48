/** Stored widths of a column's values, as its statistics show them: padding depends on each width, not on their mean. */
import type { ColumnRow } from '../../domain/index.ts';

/** Values looked at. */
const SAMPLE = 64;

/** Elements of an array's text as pg_stats gives it, near enough to count their bytes. */
export function elementsOf(text: string | null | undefined): string[] {
  if (!text?.startsWith('{')) return [];
  const elements = text.slice(1, -1).match(/"(?:[^"\\]|\\.)*"|[^,]+/g) ?? [];
  return elements.map((each) => (each.startsWith('"') ? each.slice(1, -1).replace(/\\(.)/g, '$1') : each));
}

/** numeric: one byte of varlena header, two of sign and scale, two for each four digits (numeric.c, short format). */
function numericWidth(text: string): number {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const digits = whole.replace(/^0+/, '').length;
  const decimals = fraction.replace(/0+$/, '').length;
  return 3 + 2 * (Math.ceil(digits / 4) + Math.ceil(decimals / 4));
}

/** Bytes of a value with its varlena header of one byte, or of four when it is long. */
export function storedWidth(column: ColumnRow, value: string): number {
  if (column.type.startsWith('numeric')) return numericWidth(value);
  const bytes = Buffer.byteLength(value);
  return bytes + (bytes <= 126 ? 1 : 4);
}

/**
 * Bytes to add to each width so that their mean is what ANALYZE stored of it. It stores whole bytes, cut off
 * (compute_scalar_stats() of analyze.c: `stawidth` is an integer): a mean of 4.8 is stored as 4.
 */
function shiftTo(averageWidth: number, mean: number): number {
  if (mean < averageWidth) return Math.round(averageWidth - mean);
  return mean > averageWidth + 1 ? Math.round(averageWidth + 1 - mean) : 0;
}

/** Widths of values, each as likely as the others. */
export interface ValueWidths {
  widths: number[];
  /** Of the most common values, one each. */
  common_widths: number[];
  /** Of the other values. */
  other_widths: number[];
}

/** So many rows' widths: those of the common values by their shares, and those of others for the rest. */
function drawn(common: readonly number[], shares: readonly number[], others: readonly number[]): number[] {
  const listed = shares.reduce((sum, share) => sum + share, 0);
  const all = others.length > 0 ? Math.max(1, listed) : listed;
  const widths: number[] = [];
  let [place, passed] = [0, 0];
  for (let draw = 0; draw < SAMPLE && all > 0; draw += 1) {
    const at = ((draw + 0.5) / SAMPLE) * all;
    while (place < common.length && passed + (shares[place] ?? 0) < at) {
      passed += shares[place] ?? 0;
      place += 1;
    }
    // What is drawn of the others stands all over their order.
    const rest = Math.floor(((at - listed) / Math.max(1e-9, all - listed)) * others.length);
    widths.push(common[place] ?? others[Math.max(0, rest)] ?? common.at(-1) ?? 1);
  }
  return widths;
}

const alike = (width: number): ValueWidths => ({
  widths: [width],
  common_widths: [],
  other_widths: [width],
});

/**
 * Widths that the column's values have; one alone where all are alike. The mean is pg_stats.avg_width: values only show
 * how widths scatter about it. Common values are often short and the many rare ones long.
 */
export function valueWidths(column: ColumnRow, averageWidth: number): ValueWidths {
  if (column.typlen > 0 || column.stats === null) return alike(averageWidth);
  // A document's text is not what is stored of it.
  if (!['S', 'N'].includes(column.typcategory)) return alike(averageWidth);
  const { most_common_vals, most_common_freqs, histogram_bounds, null_frac } = column.stats;
  const common = elementsOf(most_common_vals).map((value) => storedWidth(column, value));
  const bounds = elementsOf(histogram_bounds);
  const step = Math.max(1, bounds.length / SAMPLE);
  const others: number[] = [];
  for (let at = 0; at < bounds.length && others.length < SAMPLE; at += step) {
    others.push(storedWidth(column, bounds[Math.floor(at)] ?? ''));
  }
  // Frequencies are of all rows, those with a null among them.
  const shares = common.map((_, at) => (most_common_freqs?.[at] ?? 0) / Math.max(1e-9, 1 - null_frac));
  const widths = drawn(common, shares, others);
  if (widths.length === 0) return alike(averageWidth);
  const mean = widths.reduce((sum, width) => sum + width, 0) / widths.length;
  const shift = shiftTo(averageWidth, mean);
  const shifted = (width: number) => Math.max(1, width + shift);
  return {
    widths: widths.map(shifted),
    common_widths: common,
    other_widths: others.length > 0 ? others.map(shifted) : widths.map(shifted),
  };
}
