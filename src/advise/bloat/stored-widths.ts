/** How many bytes the values of a column take in a row: a distribution, since padding depends on each value's width. */
import type { ColumnRow } from '../../domain/index.ts';
import { elementsOf, storedWidth } from '../index-advisor/key-widths.ts';

/** Points of the distribution, each as likely as the others. */
const POINTS = 100;
/** Values longer than this are kept neither as common values nor in a histogram (WIDTH_THRESHOLD, analyze.c). */
const WIDEST_SEEN = 1024;

/**
 * Widths of the values that are not null, each as likely as the others; fractions are means of two widths. Their mean
 * agrees with pg_stats.avg_width, which is what is stored in the row: of a value that was compressed or moved to the
 * TOAST table what is left of it there (18 bytes of pointer). Null: no statistics.
 */
export function storedWidths(column: ColumnRow): readonly number[] | null {
  if (column.typlen > 0) return [column.typlen];
  const { stats } = column;
  if (stats === null) return null;
  // ANALYZE cuts the fraction off (stawidth is an integer).
  const least = stats.avg_width;
  const most = least + 1;
  const seen = seenWidths(column);
  if (seen === null) return [least + 0.5];
  const mean = seen.reduce((sum, width) => sum + width, 0) / seen.length;
  if (mean >= least && mean < most) return seen;
  // Texts of documents are longer or shorter than what is stored of them; long texts are not among the seen values.
  const near = Math.abs(mean - least) < 4 ? least + 0.5 - mean : null;
  const factor = (least + 0.5) / mean;
  return seen.map((width) => Math.max(1, near === null ? width * factor : width + near));
}

/** Widths of common values and of the histogram's bounds, by their share; null: there are none. */
function seenWidths(column: ColumnRow): number[] | null {
  const { stats } = column;
  if (stats === null || !['S', 'N', 'U'].includes(column.typcategory)) return null;
  const common = elementsOf(stats.most_common_vals);
  const bounds = elementsOf(stats.histogram_bounds);
  const frequencies = stats.most_common_freqs ?? [];
  const weighted = common.map((value, at) => ({
    width: storedWidth(column, value),
    weight: frequencies[at] ?? 0,
  }));
  const rest = 1 - stats.null_frac - weighted.reduce((sum, { weight }) => sum + weight, 0);
  for (const value of bounds) {
    weighted.push({ width: storedWidth(column, value), weight: Math.max(0, rest) / bounds.length });
  }
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= 0 || weighted.some(({ width }) => width > WIDEST_SEEN + 4)) return null;
  weighted.sort((a, b) => a.width - b.width);
  const points: number[] = [];
  let passed = 0;
  for (const { width, weight } of weighted) {
    passed += weight / total;
    while (points.length < POINTS && (points.length + 0.5) / POINTS <= passed) points.push(width);
  }
  return points.length > 0 ? points : null;
}
