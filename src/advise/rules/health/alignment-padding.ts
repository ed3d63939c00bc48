/** Room that the order of columns wastes. */
import type { ColumnRow } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { count, percent, size } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

const MINIMUM_BYTES = 1024 ** 3;
const MINIMUM_SHARE = 0.1;
const ALIGN: Record<string, number> = { c: 1, s: 2, i: 4, d: 8 };
/** MAXALIGN: the length of a row is rounded up to it. */
const ROW = 8;
/** Shorter values have a header of one byte and need no alignment (varattrib_1b). */
const SHORT = 127;

export const rule = healthRule(
  'alignment-padding',
  'The order of columns wastes room',
  'Adds up the padding before aligned columns (typalign; values of varying length below 127 bytes need none) of an average row, as ' +
    'they stand and widest first; fires from 1 GB and 10 % of the table. Estimated: columns that are mostly NULL are left out, those ' +
    'without statistics make the table be left out. Info: nobody rewrites a table for it alone.',
  ({ snapshot }) => {
    const columns = new Map<number, ColumnRow[]>();
    for (const column of snapshot.columns) {
      columns.set(column.table_oid, [...(columns.get(column.table_oid) ?? []), column]);
    }
    return {
      found: snapshot.tables.flatMap((table) => {
        const rows = table.reltuples;
        const bytes = table.main_pages * snapshot.server.block_size;
        const own = (columns.get(table.oid) ?? []).sort((a, b) => a.attnum - b.attnum);
        if (!['r', 'm'].includes(table.relkind) || bytes < MINIMUM_BYTES || rows <= 0) return [];
        if (own.length === 0 || own.some(({ stats }) => stats === null)) return [];
        const present = own.filter(
          ({ stats, generated }) => (stats?.null_frac ?? 1) < 0.5 && generated !== 'v',
        );
        const before = rowBytes(present);
        const after = rowBytes([...present].sort((a, b) => rank(b) - rank(a)));
        const saved = (before - after) * rows;
        if (saved < MINIMUM_BYTES || saved < MINIMUM_SHARE * bytes) return [];
        const name = `${table.schema}.${table.name}`;
        return [
          {
            object: name,
            title: `Another order of its columns would make ${name} about ${size(saved)} smaller (estimated)`,
            rationale:
              'Between columns of other alignment the row has gaps. Columns of 8 bytes first, then 4, 2, 1, then those of varying length leave none. Worth it when the table is rewritten or made anew for another reason.',
            severity: 'info' as const,
            level: 'estimated' as const,
            confidence: 0.6,
            evidence: [
              computed('saved', saved, 'bytes', `(${before} − ${after}) bytes a row × ${count(rows)} rows`),
              computed('share of the table', saved / bytes, 'share', percent(saved / bytes)),
              measured('size now', bytes, 'bytes', 'pg_relation_size()'),
            ],
            remedy: [
              'Column order cannot be changed in place: make the new table with the columns sorted, copy, swap; or leave it.',
            ],
          },
        ];
      }),
    };
  },
);

function rank(column: ColumnRow): number {
  return column.typlen < 0 ? 0 : (ALIGN[column.typalign] ?? 1);
}

/** Length of an average row's data, padding included, rounded up as heap_form_tuple() does. */
function rowBytes(columns: ColumnRow[]): number {
  let offset = 0;
  for (const column of columns) {
    const width = column.typlen > 0 ? column.typlen : (column.stats?.avg_width ?? 0);
    const align = column.typlen < 0 && width < SHORT ? 1 : (ALIGN[column.typalign] ?? 1);
    offset = Math.ceil(offset / align) * align + width;
  }
  return Math.ceil(offset / ROW) * ROW;
}
