/** What can stand in a parameter's place. */

/** One possible text for a parameter. */
export interface Choice {
  sql: string;
  /** Share among the parameter's choices. */
  weight: number;
  /** Share of the table's rows that an equality with it selects; null: not known. */
  frequency: number | null;
}

/** Choices with where they come from. */
export type Chosen = {
  choices: Choice[];
  source: string;
  /** What decides which index serves it was erased, and nothing tells it. */
  guessed?: boolean;
};

/** Literals of equal weight. */
export function even(literals: readonly string[]): Choice[] {
  return literals.map((sql) => ({ sql, weight: 1 / literals.length, frequency: null }));
}

/** Source of a choice where pg_stats has nothing. */
export const NO_STATISTICS = 'no statistics: a plain value of the type';
