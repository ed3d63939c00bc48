/**
 * What one new entry costs, by kind of index, in planner cost units. Measured with `npm run bench -- write-cost` on
 * PostgreSQL 18 with everything in memory: the time that an INSERT of 40,000 rows takes longer with the index than
 * without, by the time that a unit of a sequential scan takes there (1.25 µs). The measures scatter by a third from run
 * to run; their order does not.
 */
import type { IndexSize } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import { distinctCount, rowCount } from './catalog.ts';

/** At the right end, or at one of a few places: the path is in the processor's cache. Measured 0.64 and 0.79. */
const BTREE_APPENDED = 0.7;
/** Anywhere. Measured 2.4. */
const BTREE_RANDOM = 2.4;
/** The same for a text of 32 bytes, whose comparison costs more. Measured 3.0. */
const BTREE_RANDOM_TEXT = 3;
/** Measured 1.3. */
const HASH = 1.3;
/** A row's summary is looked up and seldom widened. Measured 0.33, no WAL. */
const BRIN = 0.33;
/** For each entry of a row's, through the pending list and out of it. Measured 0.17 (arrays) to 0.54 (trigrams). */
const GIN_ENTRY = 0.5;
/** Penalties are worked out for every entry on the path. Measured 8.8 for ranges. */
const GIST = 8.8;
/** Not measured here: each insert is a search for neighbours, of ef_construction (64) distances and their pages. */
const HNSW = 200;
const IVFFLAT = 10;

/** From this correlation of values and rows on, new rows have the largest values. */
const APPENDED_CORRELATION = 0.95;
/** So many places at which entries come in stay in the cache. */
const FEW_PLACES = 100;
/** Entries of one document where nothing tells. */
const UNKNOWN_ENTRIES = 10;

export interface EntryCost {
  /** Planner cost units for one row. */
  units: number;
  /** Entries come in all over the index, each on another page. */
  scattered: boolean;
}

/** What a further entry costs an index of which nothing else is known. */
export const OTHER_INDEX_ENTRY = BTREE_RANDOM;

export function entryCost({ definition, table }: Candidate, size: IndexSize): EntryCost {
  switch (definition.method) {
    case 'btree':
      return btreeEntry({ definition, table });
    case 'hash':
      return { units: HASH, scattered: true };
    case 'brin':
      return { units: BRIN, scattered: false };
    case 'gin': {
      const column = table.columns.get(definition.keys[0]?.column ?? '');
      const elements = column?.stats?.elem_count_histogram?.at(-1) ?? null;
      const isTrigram = definition.keys[0]?.opclass?.endsWith('trgm_ops') ?? false;
      const entries = isTrigram ? (column?.stats?.avg_width ?? 32) : (elements ?? UNKNOWN_ENTRIES);
      return { units: GIN_ENTRY * Math.max(1, entries), scattered: true };
    }
    case 'hnsw':
      return { units: HNSW, scattered: true };
    case 'ivfflat':
      return { units: IVFFLAT, scattered: true };
    default:
      return { units: GIST, scattered: size.pages > FEW_PLACES };
  }
}

function btreeEntry({ definition, table }: Pick<Candidate, 'definition' | 'table'>): EntryCost {
  let places = 1;
  for (const key of definition.keys) {
    const column = key.column === null ? undefined : table.columns.get(key.column);
    const correlation = column?.stats?.correlation ?? 0;
    if (correlation >= APPENDED_CORRELATION) break;
    places *= distinctCount(column, rowCount(table)) ?? FEW_PLACES + 1;
  }
  if (places <= FEW_PLACES) return { units: BTREE_APPENDED, scattered: false };
  const isText = definition.keys.some(
    (key) => key.column === null || (table.columns.get(key.column)?.typlen ?? 0) < 0,
  );
  return { units: isText ? BTREE_RANDOM_TEXT : BTREE_RANDOM, scattered: true };
}
