/** What surrounds a parameter: enough to choose a value that the planner would have met. */
import type { Node } from '@pgsql/types';
import type { Expression } from './analysis.ts';

/** Place in a list of values: `IN ($1, $2)`, `ARRAY[$1]`, VALUES. */
export interface ListPlace {
  index: number;
  count: number;
  /** Elements of ARRAY[…], not of IN (…). */
  array: boolean;
}

/** From the innermost surrounding to the outermost, through `outer`. */
export type Hint =
  /** Nothing is known: a target list's bare parameter, for one. */
  | { kind: 'none' }
  | { kind: 'limit' }
  | { kind: 'offset' }
  /** Value of a column in INSERT, UPDATE or MERGE. */
  | { kind: 'assign'; relation: number; column: string }
  | {
      kind: 'cast';
      type: string;
      array: boolean;
      /** `interval day`, `interval month`: a number alone counts in this unit, and less than one is cut off. */
      unit: boolean;
      outer: Hint;
    }
  | {
      kind: 'operator';
      operator: string;
      /** The other side; null: it holds no column. */
      operand: Expression | null;
      /** The other side as written, whether it holds a column or not; null for a prefix operator. */
      other: Node | null;
      /** Side that the parameter is on. */
      side: 'left' | 'right';
      /** `= ANY (…)`, `<> ALL (…)`: the parameter is the array, unless a list place says that it is an element. */
      quantified: boolean;
      /** LIKE, ILIKE and SIMILAR, which the operator's name alone does not tell from `~`. */
      pattern: 'like' | 'ilike' | 'similar' | null;
      place: ListPlace | null;
      outer: Hint;
    }
  | {
      kind: 'function';
      name: string;
      argument: number;
      count: number;
      /** The first other argument that holds a column. */
      operand: Expression | null;
      outer: Hint;
    }
  /** Result of CASE, element of COALESCE or GREATEST: of one type with the operand. */
  | { kind: 'alternative'; operand: Expression | null; outer: Hint };

/** The hint of a parameter of which nothing is known. */
export const NO_HINT: Hint = { kind: 'none' };

/** A parameter that meets an operator. */
export type OperatorHint = Extract<Hint, { kind: 'operator' }>;
