/** The triggers that parameters give for a number of rows: relation_needs_vacanalyze() of autovacuum.c. */
import type { TableParameters } from './parameters.ts';

/** Rows above which autovacuum comes; Infinity: never for this reason. */
export interface Triggers {
  dead: number;
  inserted: number;
  analyze: number;
}

/**
 * @param rows pg_class.reltuples.
 * @param frozenShare pages that are all-frozen; 18 multiplies the insert scale factor by the rest, earlier versions
 * give it as 0.
 */
export function triggersOf(parameters: TableParameters, rows: number, frozenShare: number): Triggers {
  const plain = parameters.vacuum_threshold + parameters.vacuum_scale_factor * rows;
  const { vacuum_max_threshold: most } = parameters;
  const unfrozen = 1 - Math.min(1, Math.max(0, frozenShare));
  return {
    dead: most >= 0 ? Math.min(plain, most) : plain,
    inserted:
      parameters.insert_threshold < 0
        ? Number.POSITIVE_INFINITY
        : parameters.insert_threshold + parameters.insert_scale_factor * rows * unfrozen,
    analyze: parameters.analyze_threshold + parameters.analyze_scale_factor * rows,
  };
}
