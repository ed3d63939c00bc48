/** Room that a relation takes beyond what its live rows need. `estimated` from statistics, or `measured` by reading it. */
import type { Limit } from './recommendation.ts';

/** What one relation would take if it were written anew (VACUUM FULL, REINDEX), against what it takes. */
export interface BloatEstimate {
  /** toast: the TOAST table of `table`; btree: an index of `table`. */
  kind: 'table' | 'toast' | 'btree';
  oid: number;
  schema: string;
  /** The table, or the index; of a TOAST table its table's name. */
  name: string;
  table: string;
  /** Bytes of the main fork now. */
  actual_bytes: number;
  /** Bytes that a rewrite would leave, fill factor kept. */
  expected_bytes: number;
  /** actual − expected, never below 0. */
  wasted_bytes: number;
  /** wasted ÷ actual, 0..1. */
  wasted_share: number;
  level: 'estimated' | 'measured';
  /** about: as likely too high as too low. at_least: a lower bound, the real waste may be more. */
  bound: 'about' | 'at_least';
  /** Formula with its inputs, and where they were read. */
  formula: string;
}

export interface BloatEstimates {
  /** Most wasted bytes first. */
  relations: BloatEstimate[];
  /** Relations that were left out, by reason. */
  limits: Limit[];
}

/** What pgstatindex() (extension pgstattuple) found in a B-tree by reading the whole of it. */
export interface BtreeDensity {
  oid: number;
  schema: string;
  name: string;
  /** Bytes that were read: the size then. */
  index_bytes: number;
  leaf_pages: number;
  internal_pages: number;
  /** Half-dead pages, and those that wait to be used again. */
  empty_pages: number;
  deleted_pages: number;
  /** Percent of the leaf pages' room that entries take, dead ones that nobody removed yet with them. */
  avg_leaf_density: number;
}
