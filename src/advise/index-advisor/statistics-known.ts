/** What a recommended index rests on: whether the statistics of its table are those of what it holds now. */
import { amountWords, type Evidence, percentWords, quoteQualified } from '../../domain/index.ts';
import { changedShare, hasGrownUncounted, isLoaded } from '../autovacuum/statistics-age.ts';
import type { AdvisorTable } from './catalog.ts';

/** Tables of fewer rows are planned the same whatever is known of their values. */
const MINIMUM_ROWS = 1000;
/** So much of the confidence is left where the planner guesses. */
const GUESSED = 0.6;

export interface KnownStatistics {
  evidence: Evidence[];
  notes: string[];
  /** 1: nothing is against them. */
  confidence: number;
}

/**
 * Costs and sizes are as good as pg_statistic: of a table that was loaded since, or never looked at, they are those of
 * another table. The advice stays, for the index may be needed all the more; it says so.
 */
export function statisticsKnown({ row, columns }: AdvisorTable): KnownStatistics {
  const isAnalysed = [...columns.values()].some(({ stats }) => stats !== null);
  const doubt = doubtOf(row, isAnalysed);
  if (doubt === null) return { evidence: [], notes: [], confidence: 1 };
  const { value, source, note } = doubt;
  return {
    evidence: [
      {
        name: 'statistics that its costs and its size rest on',
        value,
        unit: null,
        source,
        level: 'measured',
        formula: null,
      },
    ],
    notes: [note],
    confidence: GUESSED,
  };
}

interface Doubt {
  value: string;
  source: string;
  note: string;
}

function doubtOf(row: AdvisorTable['row'], isAnalysed: boolean): Doubt | null {
  if (Math.max(row.reltuples, row.n_live_tup) < MINIMUM_ROWS) return null;
  const analyse = `ANALYZE ${quoteQualified(row.schema, row.name)}`;
  if (!isAnalysed) {
    return {
      value: 'none are visible',
      source: 'pg_stats',
      note: `Costs and size rest on guesses at the table's values: run ${analyse}, or let this role see its statistics, and ask again.`,
    };
  }
  // Counters of a partitioned table are its partitions', which are analysed one by one.
  if (row.relkind === 'p') return null;
  const note = `Costs and size rest on statistics of what the table held before: run ${analyse} and ask again.`;
  if (isLoaded(row)) {
    return {
      value: `${amountWords(row.n_mod_since_analyze)} rows changed since ANALYZE, ${percentWords(changedShare(row))} of those that there were`,
      source: 'pg_stat_user_tables.n_mod_since_analyze, pg_class.reltuples',
      note,
    };
  }
  if (!hasGrownUncounted(row)) return null;
  return {
    value: `of ${amountWords(row.relpages)} pages, where it has ${amountWords(row.main_pages)} now`,
    source: 'pg_class.relpages, pg_relation_size()',
    note,
  };
}
