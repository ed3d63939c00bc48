/** How large an index will be, by access method; each formula's source stands with it. */
import type {
  ColumnRow,
  ExtendedStatistics,
  GinShape,
  IndexDefinition,
  IndexSize,
} from '../../domain/index.ts';
import { SAMPLED_ROWS_PER_TARGET } from './alike-groups.ts';
import { btreeSize } from './btree-size.ts';
import type { Condition } from './candidates/candidate.ts';
import { type AdvisorTable, rowCount } from './catalog.ts';
import { type Bound, columnOf, factsOf } from './column-facts.ts';
import { DEFAULT_BUILD, type GinBuild } from './gin-build.ts';
import { ginSize } from './gin-size.ts';
import { gistSize } from './gist-size.ts';
import { combinationsOf } from './key-combinations.ts';
import type { KeyFacts } from './key-facts.ts';
import { brinSize, hashSize, hnswSize, ivfflatSize } from './plain-sizes.ts';
import { checkFacts, checkSize } from './valid-size.ts';

export const BLOCK_BYTES = 8192;
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
  /** The predicate's conditions, where it is known what they say of a column's nulls. */
  conditions?: readonly Condition[];
  /** An end of what the statistics leave open; absent: what is most likely. */
  bound?: Bound | undefined;
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
    ...(sum.postings !== undefined ? { postings: sum.postings + (size.postings ?? 0) } : {}),
  }));
}

const addShapes = (a: GinShape, b: GinShape): GinShape => ({
  entry_pages: a.entry_pages + b.entry_pages,
  data_pages: a.data_pages + b.data_pages,
  entries: a.entries + b.entries,
});

function singleSize(input: SizeInput): IndexSize {
  const rows = Math.max(1, rowCount(input.table) * input.selectivity);
  const { keys, include } = factsOf(input);
  checkFacts([...keys, ...include], rows);
  const size = sizeByMethod(input, { keys, include, rows });
  checkSize(size);
  return size;
}

/** What a generated tsvector is made by: ANALYZE shows no values of it, but of the text. Null: anything else. */
export function generatorOf(column: ColumnRow | undefined): string | null {
  return column?.type === 'tsvector' && column.generated !== '' ? column.default_expression : null;
}

/** The same as if it were a column. */
function describedOf(column: ColumnRow | undefined, { expressions }: SizeInput): ColumnRow | undefined {
  return expressions?.get(generatorOf(column) ?? '');
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
        distinct: combinationsOf(input, keys, rows),
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
          described: describedOf(columnOf(definition.keys[position], input), input),
          most_elements: (10 * table.sampled_rows) / SAMPLED_ROWS_PER_TARGET,
          sampled_rows: table.sampled_rows,
        })),
        rows,
        Math.max(1, pages),
        input.gin_build ?? DEFAULT_BUILD,
        input.bound,
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
            described: describedOf(columnOf(asked, input), input),
            opclass: asked?.opclass?.split('.').at(-1) ?? null,
          };
        }),
        rows,
        input.major ?? NEWEST_MAJOR,
      );
  }
}
