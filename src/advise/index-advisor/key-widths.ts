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

/**
 * Widths that the column's values have, each as likely as the others; one alone where all are alike. The mean is
 * pg_stats.avg_width: values only show how widths scatter about it.
 */
export function valueWidths(column: ColumnRow, averageWidth: number): number[] {
  if (column.typlen > 0 || column.stats === null) return [averageWidth];
  // A document's text is not what is stored of it.
  if (!['S', 'N'].includes(column.typcategory)) return [averageWidth];
  const { most_common_vals, most_common_freqs, histogram_bounds } = column.stats;
  const common = elementsOf(most_common_vals);
  const bounds = elementsOf(histogram_bounds);
  const widths: number[] = [];
  common.forEach((value, index) => {
    const copies = Math.round((most_common_freqs?.[index] ?? 0) * SAMPLE);
    for (let copy = 0; copy < copies; copy += 1) widths.push(storedWidth(column, value));
  });
  const step = Math.max(1, bounds.length / Math.max(1, SAMPLE - widths.length));
  for (let at = 0; at < bounds.length && widths.length < SAMPLE; at += step) {
    widths.push(storedWidth(column, bounds[Math.floor(at)] ?? ''));
  }
  if (widths.length === 0) return [averageWidth];
  const mean = widths.reduce((sum, width) => sum + width, 0) / widths.length;
  return widths.map((width) => Math.max(1, width + shiftTo(averageWidth, mean)));
}
