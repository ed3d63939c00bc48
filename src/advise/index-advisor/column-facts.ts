/**
 * Facts of an index's keys and included columns: of the whole table as ANALYZE found them, and of the rows that a
 * condition keeps.
 */
import type { ColumnRow, IndexDefinition } from '../../domain/index.ts';
import { columnsRead } from '../../workload/index.ts';
import { SAMPLED_ROWS_PER_TARGET } from './alike-groups.ts';
import { type AdvisorTable, rowCount } from './catalog.ts';
import { commonest, groupSizes, thinned } from './group-sizes.ts';
import { columnFacts, expressionFacts, type KeyFacts } from './key-facts.ts';
import { elementsOf } from './key-widths.ts';
import type { SizeInput } from './size-model.ts';

/**
 * Where statistics leave a size open: `least` and `most` are the ends of what is consistent with them; `reserved` is what a
 * budget of real bytes has to reckon with. How wide other columns are in the rows that a condition keeps is reserved at
 * its most: where widths differ much, values are of several kinds, and conditions tell kinds apart. Absent: what is most
 * likely.
 */
export type Bound = 'least' | 'most' | 'reserved';

/** Reading back what ANALYZE found takes milliseconds, and a column is in dozens of candidates. */
const factsOfSubsets = new WeakMap<KeyFacts, Map<string, KeyFacts>>();
const factsOfColumns = new WeakMap<AdvisorTable, WeakMap<ColumnRow, KeyFacts>>();

type Key = IndexDefinition['keys'][number];

/** Facts of the keys and of what is included, over the rows that the index holds. */
export function factsOf(input: SizeInput): { keys: KeyFacts[]; include: KeyFacts[] } {
  const { definition, table } = input;
  const include = definition.include.flatMap((name) => {
    const column = table.columns.get(name);
    return column === undefined ? [] : [kept(factsOfColumn(column, table), name, input)];
  });
  return { keys: definition.keys.map((key) => kept(keyFacts(key, input), key.column, input)), include };
}

/** The column, or what is said of the expression as if it were one. */
export function columnOf(
  key: Key | undefined,
  { table, expressions }: Pick<SizeInput, 'table' | 'expressions'>,
): ColumnRow | undefined {
  if (key === undefined) return undefined;
  return key.column === null ? expressions?.get(key.expression ?? '') : table.columns.get(key.column);
}

function factsOfColumn(column: ColumnRow, table: AdvisorTable): KeyFacts {
  const ofTable = factsOfColumns.get(table) ?? new WeakMap<ColumnRow, KeyFacts>();
  factsOfColumns.set(table, ofTable);
  const facts = ofTable.get(column) ?? withGroups(columnFacts(column, rowCount(table)), column, table);
  ofTable.set(column, facts);
  return facts;
}

function keyFacts(key: Key, { table, expressions }: SizeInput): KeyFacts {
  const column = columnOf(key, { table, expressions });
  if (column !== undefined) return factsOfColumn(column, table);
  const expression = key.expression ?? '';
  const read = columnsRead(expression);
  const columns = [...table.columns.values()].filter(({ name }) => read.has(name));
  return expressionFacts(expression, columns, rowCount(table));
}

const WHOLE_NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint']);

/** With what its statistics, its table and what it refers to tell about how many rows have the same value. */
function withGroups(facts: KeyFacts, column: ColumnRow, table: AdvisorTable): KeyFacts {
  const { name, type, stats, options, stattarget } = column;
  if (stats === null || table.sampled_rows <= 0) return facts;
  const rows = rowCount(table);
  const sampled = Math.min(table.sampled_rows, rows);
  const groups = groupSizes({
    estimate: facts.distinct,
    is_counted: options?.n_distinct !== undefined,
    rows: Math.max(1, rows * (1 - facts.null_frac)),
    referred: table.referred.get(name) ?? null,
    correlation: facts.correlation,
    sampled: table.sampled_rows * (1 - facts.null_frac),
    pages: table.row.main_pages,
    bounds: WHOLE_NUMBERS.has(type) ? elementsOf(stats.histogram_bounds).map(Number) : [],
    common: commonOf(facts),
    counts: facts.most_common_freqs.map((share) => Math.max(1, Math.round(share * sampled))),
    target: stattarget !== null && stattarget > 0 ? stattarget : table.sampled_rows / SAMPLED_ROWS_PER_TARGET,
  });
  return { ...facts, distinct: groups.distinct, groups };
}

/** The most common values: how many, and their share of the rows that are not null. */
function commonOf({ most_common_freqs, null_frac }: KeyFacts): { values: number; share: number } {
  const share = most_common_freqs.reduce((sum, each) => sum + each, 0) / Math.max(1e-9, 1 - null_frac);
  return { values: most_common_freqs.length, share: Math.min(1, share) };
}

/** Of the rows that the index's condition keeps, at the wanted end of what statistics leave open. */
function kept(key: KeyFacts, column: string | null, input: SizeInput): KeyFacts {
  const { selectivity, bound, conditions = [], table } = input;
  if (selectivity >= 1 && bound === undefined) return key;
  const about = conditions.find(({ presence }) => presence !== undefined && presence.column === column);
  const demanded = about?.presence?.is_null;
  const ofKey = factsOfSubsets.get(key) ?? new Map<string, KeyFacts>();
  factsOfSubsets.set(key, ofKey);
  const rows = Math.max(1, rowCount(table) * selectivity);
  const name = `${rows} ${selectivity} ${bound} ${demanded}`;
  const facts = ofKey.get(name) ?? subsetFacts(atBound(key, bound), { rows, selectivity, bound, demanded });
  ofKey.set(name, facts);
  return facts;
}

function atBound(key: KeyFacts, bound: Bound | undefined): KeyFacts {
  const groups = bound === undefined ? undefined : key.groups?.[bound];
  return groups === undefined ? key : { ...key, distinct: groups.distinct, groups };
}

interface Kept {
  rows: number;
  selectivity: number;
  bound: Bound | undefined;
  /** Whether the condition demands a null here, or a value; undefined: neither. */
  demanded: boolean | undefined;
}

/** Of a share of the rows, drawn without regard to this key: the rarer values of it do not all occur. */
function subsetFacts(key: KeyFacts, { rows, selectivity, bound, demanded }: Kept): KeyFacts {
  if (selectivity >= 1) return key;
  if (demanded === true) return { ...key, null_frac: 1 };
  const present = Math.max(1e-9, 1 - key.null_frac);
  const null_frac = demanded === false ? 0 : nullsKept(key.null_frac, selectivity, bound);
  const share = Math.min(1, (selectivity * (1 - null_frac)) / present);
  return {
    ...key,
    ...thinner(key, rows * (1 - null_frac), share, bound),
    null_frac,
    most_common_freqs: key.most_common_freqs.map((each) => (each / present) * (1 - null_frac)),
    ...(key.scatters
      ? {
          widths: widthsKept(key, share, bound),
        }
      : {}),
  };
}

function thinner(
  key: KeyFacts,
  rows: number,
  share: number,
  bound: Bound | undefined,
): Pick<KeyFacts, 'distinct' | 'groups'> {
  if (key.groups === null) {
    const distinct = Math.max(1, key.distinct * (1 - Math.exp(-rows / key.distinct)));
    return { distinct, groups: null };
  }
  const groups =
    bound === 'least'
      ? commonest(key.groups, share, key.most_common_freqs, 1 - key.null_frac)
      : thinned(key.groups, share, key.most_common_freqs.length);
  return { distinct: Math.max(1, Math.min(rows, groups.distinct)), groups };
}

/**
 * Nulls among the rows that are kept. No statistics tell what a condition on one column has to do with nulls of
 * another: at the ends it keeps those first that have, or have not, a value.
 */
function nullsKept(nulls: number, selectivity: number, bound: Bound | undefined): number {
  if (bound === undefined) return nulls;
  if (bound === 'least') return Math.min(1, nulls / selectivity);
  return Math.max(0, (nulls - (1 - selectivity)) / selectivity);
}

/** Widths among the rows that are kept: at the ends those of the longest, or the shortest, values. */
function widthsKept(key: KeyFacts, share: number, bound: Bound | undefined): readonly number[] {
  if (bound === undefined || share >= 1) return key.widths;
  const { widths, common_widths, other_widths, most_common_freqs, null_frac } = key;
  if (common_widths.length === 0)
    return endOf(
      widths.map((width) => ({ width, share: 1 / widths.length })),
      share,
      bound,
    );
  const shares = most_common_freqs.map((each) => each / Math.max(1e-9, 1 - null_frac));
  const rest = Math.max(0, 1 - shares.reduce((sum, each) => sum + each, 0));
  const all = [
    ...common_widths.map((width, place) => ({ width, share: shares[place] ?? 0 })),
    ...other_widths.map((width) => ({ width, share: rest / other_widths.length })),
  ];
  return endOf(all, share, bound);
}

/** So many widths stand for those of a part of the rows. */
const WIDTHS = 64;

function endOf(widths: { width: number; share: number }[], share: number, bound: Bound): number[] {
  const sorted = widths.sort((a, b) => (bound === 'least' ? a.width - b.width : b.width - a.width));
  const taken: number[] = [];
  let [place, passed] = [0, 0];
  for (let draw = 0; draw < WIDTHS; draw += 1) {
    const at = ((draw + 0.5) / WIDTHS) * share;
    while (place < sorted.length - 1 && passed + (sorted[place]?.share ?? 0) < at) {
      passed += sorted[place]?.share ?? 0;
      place += 1;
    }
    taken.push(sorted[place]?.width ?? 1);
  }
  return taken;
}
