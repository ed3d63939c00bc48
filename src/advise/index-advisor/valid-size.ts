/**
 * Numbers of the size model that are none: a server would refuse them in words that blame PostgreSQL, and what is
 * reckoned on (no width is larger than a page) may come out as an index of one page that spends no budget.
 */
import { type IndexSize, PgLuthierError } from '../../domain/index.ts';
import type { KeyFacts } from './key-facts.ts';

/** @throws PgLuthierError `index_size_invalid`. */
export function checkFacts(facts: readonly KeyFacts[], rows: number): void {
  refuse({ rows });
  for (const { width, distinct, null_frac, widths, most_common_freqs, groups } of facts) {
    const widest = widths.reduce((most, each) => Math.max(most, each), 0);
    const common = most_common_freqs.reduce((sum, each) => sum + each, 0);
    refuse({ width, distinct, null_frac, widths: widest, most_common_freqs: common });
    if (groups) refuse({ distinct_of_groups: groups.distinct });
  }
}

/** @throws PgLuthierError `index_size_invalid`. */
export function checkSize({ pages, tuples, tree_height, gin }: IndexSize): void {
  refuse({ pages, tuples, tree_height: tree_height ?? 0, ...gin });
}

function refuse(numbers: Readonly<Record<string, number>>): void {
  const wrong = Object.entries(numbers).filter(([, value]) => !Number.isFinite(value) || value < 0);
  if (wrong.length === 0) return;
  throw new PgLuthierError({
    code: 'index_size_invalid',
    status: 500,
    message: `PgLuthier's size model came to ${wrong.map(([name, value]) => `${name} = ${value}`).join(', ')}: a defect of ours, not of the index.`,
    remedy:
      'Report it with the table’s definition and its rows of pg_stats; the index can be tried by hand meanwhile.',
  });
}
