/** What choosing a parameter's values looks at, and what it gives. */
import type { Snapshot, WorkloadQuery } from '../domain/index.ts';
import type { Analysis } from './analysis.ts';
import type { Choice } from './choice.ts';

/** What goes into a parameter's place. */
export interface ParameterChoice {
  column: string | null;
  operator: string | null;
  choices: Choice[];
  source: string;
  /** How far a range reaches, or of which kind a pattern is, was erased, and no observed rows tell it. */
  guessed?: boolean;
  /** Of `column = $n` on a plain column: its relation in the statement, and its name. */
  equality?: { relation: number; attribute: string };
}

/** What choosing may look at. */
export interface ChoiceContext {
  analysis: Analysis;
  snapshot: Snapshot;
  query: WorkloadQuery;
  erased: Map<number, { value: string; source: string }>;
  /** Parameters that stand for a longer list of constants: `$1 /*, ... *\/` of PostgreSQL 18. */
  squashed: ReadonlySet<number>;
  /** Rows per call, where they are what the conditions let through (no LIMIT, no grouping); null otherwise. */
  observed_rows: number | null;
  /** Operands (by shape) that parameters bound from below and from above. */
  bounded: ReadonlyMap<string, ReadonlySet<'low' | 'high'>>;
}

/** One value for all samples. */
export function fixed(
  sql: string,
  source: string,
  operator: string | null,
  column: string | null,
): ParameterChoice {
  return { column, operator, choices: [{ sql, weight: 1, frequency: null }], source };
}
