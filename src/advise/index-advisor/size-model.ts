/** How large an index will be, by access method; each formula's source stands with it. */
import type {
  ColumnRow,
  ExtendedStatistics,
  GinShape,
  IndexDefinition,
  IndexSize,
} from '../../domain/index.ts';
import { btreeSize } from './btree-size.ts';
import { type AdvisorTable, rowCount } from './catalog.ts';
import { DEFAULT_BUILD, type GinBuild } from './gin-build.ts';
import { ginSize } from './gin-size.ts';
import { gistSize } from './gist-size.ts';
import { groupSizes, SAMPLED_ROWS_PER_TARGET, thinned } from './group-sizes.ts';
import { alignTo } from './index-tuple.ts';
import { columnFacts, expressionFacts, type KeyFacts } from './key-facts.ts';
import { elementsOf } from './key-widths.ts';
import { checkFacts, checkSize } from './valid-size.ts';

export const BLOCK_BYTES = 8192;
const USABLE = BLOCK_BYTES - 24;
const NEWEST_MAJOR = 18;

/** What the index takes on disk, in bytes. */
export const bytesOf = (size: IndexSize) => size.pages * BLOCK_BYTES;

/** Rows that a predicate keeps: what `selectivity` says of the table's rows. */
export interface SizeInput {
  definition: IndexDefinition;
  table: AdvisorTable;
  /** Share of the rows that the partial predicate keeps; 1 without one. */
  selectivity: number;
  /** Expressions of the keys as if they were columns, by their text (WhatIf.describeExpression). */
  expressions?: ReadonlyMap<string, ColumnRow> | undefined;
  /** CREATE STATISTICS objects: those of this table tell how many combinations of its columns there are. */
  statistics?: readonly ExtendedStatistics[];
  /** Keys as if all of them followed from the most distinct one: the smallest that a B-tree of these keys can be. */
  dependent?: boolean;
  /** Memory and method of a GIN's build; absent: PostgreSQL's defaults. */
  gin_build?: GinBuild;
  /** Of the server that builds it; absent: the newest. */
  major?: number | undefined;
  /** Of a partitioned table: its leaf partitions, each with an index of its own. */
  partitions?: readonly AdvisorTable[];
}

/**
 * Pages, entries and height of the index as CREATE INDEX would leave it; a partitioned index's parts are summed.
 * @throws PgLuthierError `index_size_invalid`: the model came to what is no number, a defect of ours.
 */
export function indexSize(input: SizeInput): IndexSize {
  const { partitions, ...whole } = input;
  if (!partitions?.length) return singleSize(input);
  const sizes = partitions.map((table) => singleSize({ ...whole, table }));
  return sizes.reduce((sum, size) => ({
    pages: sum.pages + size.pages,
    tuples: sum.tuples + size.tuples,
    tree_height: size.tree_height === null ? null : Math.max(sum.tree_height ?? 0, size.tree_height),
    ...(sum.gin && size.gin ? { gin: addShapes(sum.gin, size.gin) } : {}),
  }));
}

const addShapes = (a: GinShape, b: GinShape): GinShape => ({
  entry_pages: a.entry_pages + b.entry_pages,
  data_pages: a.data_pages + b.data_pages,
  entries: a.entries + b.entries,
});

function singleSize(input: SizeInput): IndexSize {
  const { definition, table } = input;
  const rows = Math.max(1, rowCount(table) * input.selectivity);
  const keys = definition.keys.map((key) => ofSubset(keyFacts(key, input), rows, input.selectivity));
  const include = definition.include.flatMap((name) => {
    const column = table.columns.get(name);
    return column === undefined ? [] : [columnFacts(column, rowCount(table))];
  });
  checkFacts([...keys, ...include], rows);
  const size = sizeByMethod(input, { keys, include, rows });
  checkSize(size);
  return size;
}

interface Entries {
  keys: readonly KeyFacts[];
  include: readonly KeyFacts[];
  rows: number;
}

function sizeByMethod(input: SizeInput, { keys, include, rows }: Entries): IndexSize {
  const { definition, table } = input;
  const { main_pages: pages } = table.row;
  switch (definition.method) {
    case 'btree':
      return btreeSize({
        keys,
        include,
        rows,
        unique: definition.unique,
        fillfactor: Number(definition.options.fillfactor ?? 90),
        deduplicate: definition.options.deduplicate_items !== 'off',
        distinct: combinationsOf(input, keys),
      });
    case 'brin':
      return brinSize(keys, pages, Number(definition.options.pages_per_range ?? 128));
    case 'hash':
      return hashSize(keys, rows, Number(definition.options.fillfactor ?? 75));
    case 'gin':
      return ginSize(
        keys.map((facts, position) => ({
          facts,
          opclass: definition.keys[position]?.opclass?.split('.').at(-1) ?? null,
          is_text: definition.keys[position]?.expression?.includes('to_tsvector') ?? false,
          column: columnOf(definition.keys[position], input),
          most_elements: (10 * table.sampled_rows) / SAMPLED_ROWS_PER_TARGET,
        })),
        rows,
        Math.max(1, pages),
        input.gin_build ?? DEFAULT_BUILD,
      );
    case 'hnsw':
      return hnswSize(keys, rows, Number(definition.options.m ?? 16));
    case 'ivfflat':
      return ivfflatSize(keys, rows, Number(definition.options.lists ?? 100));
    default:
      return gistSize(
        keys.map((facts, position) => {
          const asked = definition.keys[position];
          return {
            facts,
            column: columnOf(asked, input),
            opclass: asked?.opclass?.split('.').at(-1) ?? null,
          };
        }),
        rows,
        input.major ?? NEWEST_MAJOR,
      );
  }
}

/** Reading back what ANALYZE found takes a third of a millisecond, and a column is in dozens of candidates. */
const factsOfSubsets = new WeakMap<KeyFacts, Map<string, KeyFacts>>();
const factsOfColumns = new WeakMap<AdvisorTable, WeakMap<ColumnRow, KeyFacts>>();

function keyFacts(key: IndexDefinition['keys'][number], { table, expressions }: SizeInput): KeyFacts {
  const rows = rowCount(table);
  const column = columnOf(key, { table, expressions });
  if (column !== undefined) {
    const ofTable = factsOfColumns.get(table) ?? new WeakMap<ColumnRow, KeyFacts>();
    factsOfColumns.set(table, ofTable);
    const facts = ofTable.get(column) ?? withGroups(columnFacts(column, rows), column, table);
    ofTable.set(column, facts);
    return facts;
  }
  const expression = key.expression ?? '';
  const words = new Set(expression.match(/"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []);
  const columns = [...table.columns.values()].filter(
    ({ name }) => words.has(name) || words.has(`"${name.replaceAll('"', '""')}"`),
  );
  return expressionFacts(expression, columns, rows);
}

const WHOLE_NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint']);

/** With what its statistics, its table and what it refers to tell about how many rows have the same value. */
function withGroups(
  facts: KeyFacts,
  { name, type, stats, options }: ColumnRow,
  table: AdvisorTable,
): KeyFacts {
  if (stats === null || table.sampled_rows <= 0) return facts;
  const groups = groupSizes({
    estimate: facts.distinct,
    is_counted: options?.n_distinct !== undefined,
    rows: Math.max(1, rowCount(table) * (1 - facts.null_frac)),
    referred: table.referred.get(name) ?? null,
    correlation: facts.correlation,
    sampled: table.sampled_rows,
    pages: table.row.main_pages,
    bounds: WHOLE_NUMBERS.has(type) ? elementsOf(stats.histogram_bounds).map(Number) : [],
    common: commonOf(facts),
  });
  return { ...facts, distinct: groups.distinct, groups };
}

/** The most common values: how many, and their share of the rows that are not null. */
function commonOf({ most_common_freqs, null_frac }: KeyFacts): { values: number; share: number } {
  const share = most_common_freqs.reduce((sum, each) => sum + each, 0) / Math.max(1e-9, 1 - null_frac);
  return { values: most_common_freqs.length, share: Math.min(1, share) };
}

function columnOf(
  key: IndexDefinition['keys'][number] | undefined,
  { table, expressions }: Pick<SizeInput, 'table' | 'expressions'>,
): ColumnRow | undefined {
  if (key === undefined) return undefined;
  return key.column === null ? expressions?.get(key.expression ?? '') : table.columns.get(key.column);
}

/** Distinct combinations of the keys, where more is known or wanted than that they are independent. */
function combinationsOf(input: SizeInput, keys: readonly KeyFacts[]): number | undefined {
  if (input.dependent) return Math.max(...keys.map(({ distinct }) => distinct));
  return input.selectivity < 1 ? undefined : knownCombinations(input);
}

/** Distinct combinations of the keys as ANALYZE counted them for a CREATE STATISTICS object of these very columns. */
export function knownCombinations({ definition, table, statistics }: SizeInput): number | undefined {
  const attnums = definition.keys.map((key) => table.columns.get(key.column ?? '')?.attnum);
  if (attnums.length < 2 || attnums.includes(undefined)) return undefined;
  const wanted = attnums.toSorted((a, b) => Number(a) - Number(b)).join(', ');
  for (const { table_oid, data } of statistics ?? []) {
    if (table_oid !== table.row.oid || !data?.n_distinct) continue;
    // {"1, 2": 33178} up to PostgreSQL 18.
    const counted = (JSON.parse(data.n_distinct) as Record<string, unknown>)[wanted];
    // The same estimator as of single columns (estimate_ndistinct() of mvdistinct.c).
    if (typeof counted === 'number') return asCounted(counted, table);
  }
  return undefined;
}

/** Combinations that are there, out of what ANALYZE reckoned. */
function asCounted(estimate: number, table: AdvisorTable): number {
  if (table.sampled_rows <= 0) return estimate;
  return groupSizes({
    estimate,
    is_counted: false,
    rows: rowCount(table),
    sampled: table.sampled_rows,
    pages: table.row.main_pages,
    correlation: null,
    common: { values: 0, share: 0 },
    referred: null,
    bounds: [],
  }).distinct;
}

/** Of a share of the rows, drawn without regard to this key: the rarer values of it do not all occur. */
function ofSubset(key: KeyFacts, rows: number, selectivity: number): KeyFacts {
  if (selectivity >= 1) return key;
  const ofKey = factsOfSubsets.get(key) ?? new Map<string, KeyFacts>();
  factsOfSubsets.set(key, ofKey);
  const name = `${rows} ${selectivity}`;
  const facts = ofKey.get(name) ?? subsetFacts(key, rows, selectivity);
  ofKey.set(name, facts);
  return facts;
}

function subsetFacts(key: KeyFacts, rows: number, selectivity: number): KeyFacts {
  if (key.groups === null) {
    return { ...key, distinct: Math.max(1, key.distinct * (1 - Math.exp(-rows / key.distinct))) };
  }
  const groups = thinned(key.groups, selectivity, key.most_common_freqs.length);
  return { ...key, distinct: Math.max(1, Math.min(rows, groups.distinct)), groups };
}

/**
 * BRIN: metapage, reverse map (6 bytes a range: REVMAP_PAGE_MAXITEMS, 1360, a page) and one summary a range of two
 * values a key (brin_tuple.c: 5 bytes of header and null bits, aligned).
 */
function brinSize(keys: readonly KeyFacts[], tablePages: number, pagesPerRange: number): IndexSize {
  const ranges = Math.max(1, Math.ceil(tablePages / pagesPerRange));
  const values = keys.reduce((sum, key) => alignTo(sum, key.align) + 2 * alignTo(key.width, key.align), 0);
  const tuple = alignTo(8 + values, 8) + 4;
  const summaries = Math.ceil(ranges / Math.max(1, Math.floor((USABLE - 8) / tuple)));
  return { pages: 1 + Math.ceil(ranges / 1360) + summaries, tuples: ranges, tree_height: null };
}

/**
 * Hash: buckets for the rows at a target of (8192 × fillfactor / 100) / 20 each, in powers of two up to 512 and in
 * quarters of the next power above (_hash_init, _hash_spareindex). Equal values share a bucket, and what exceeds its
 * page goes to overflow pages: values fall into buckets as a Poisson distribution.
 */
function hashSize(keys: readonly KeyFacts[], rows: number, fillfactor: number): IndexSize {
  const perBucket = Math.max(10, Math.floor((BLOCK_BYTES * fillfactor) / 100 / 20));
  const wanted = Math.max(2, rows / perBucket);
  let buckets = 2;
  while (buckets < wanted) buckets += buckets < 512 ? buckets : 2 ** Math.floor(Math.log2(buckets)) / 4;
  const perPage = Math.floor((USABLE - 16) / 20);
  const distinct = Math.min(rows, keys[0]?.distinct ?? rows);
  const perValue = rows / distinct;
  const mean = distinct / buckets;
  let probability = Math.exp(-mean);
  let pagesPerBucket = mean > 50 ? Math.ceil(rows / buckets / perPage) : 0;
  for (let values = 0; mean <= 50 && values < mean + 12 * Math.sqrt(mean) + 20; values += 1) {
    pagesPerBucket += probability * Math.max(1, Math.ceil((values * perValue) / perPage));
    probability *= mean / (values + 1);
  }
  return { pages: Math.ceil(buckets * pagesPerBucket) + 2, tuples: rows, tree_height: null };
}

/**
 * HNSW (pgvector's hnsw.h): for each row an element tuple (the vector behind a header of 72 bytes) and a neighbour tuple
 * of six bytes for each of 2 m neighbours on the lowest level and m on each above, of which there is 1 / (m − 1) on
 * average; both on one page where they fit.
 */
function hnswSize(keys: readonly KeyFacts[], rows: number, m: number): IndexSize {
  const element = alignTo(72 + vectorBytes(keys), 8) + 4;
  const neighbours = alignTo(4 + 6 * (2 * m + m / (m - 1)), 8) + 4;
  const perPage = Math.max(1, Math.floor(USABLE_BY_VECTORS / (element + neighbours)));
  return { pages: 1 + Math.ceil(rows / perPage), tuples: rows, tree_height: null };
}

/** IVFFlat (ivfflat.h): each row's vector in the pages of its list, each list's centre, on the average half a page free. */
function ivfflatSize(keys: readonly KeyFacts[], rows: number, lists: number): IndexSize {
  const tuple = alignTo(8 + vectorBytes(keys), 8) + 4;
  const perPage = Math.max(1, Math.floor(USABLE_BY_VECTORS / tuple));
  const centres = Math.ceil((lists * (tuple + 16)) / USABLE_BY_VECTORS);
  return {
    pages: Math.ceil(1 + centres + rows / perPage + lists / 2),
    tuples: rows,
    tree_height: null,
  };
}

/** Opaque data of eight bytes at each page's end. */
const USABLE_BY_VECTORS = USABLE - 8;
const vectorBytes = (keys: readonly KeyFacts[]) => keys.reduce((sum, key) => sum + key.width, 0);
