/** What can be read out of a parameter's surroundings without looking at any value. */
import { TRANSPARENT_FUNCTIONS, TSQUERY_FUNCTIONS } from './function-arguments.ts';
import type { Hint, OperatorHint } from './hint.ts';
import { commutator } from './operators.ts';
import { shapeOf } from './parser.ts';

/** Bound that a comparison sets on the operand: the operator is turned when the parameter is on the left. */
export function boundOf(hint: OperatorHint): 'low' | 'high' | null {
  const operator = hint.side === 'left' ? commutator(hint.operator) : hint.operator;
  if (operator === '>' || operator === '>=') return 'low';
  return operator === '<' || operator === '<=' ? 'high' : null;
}

/** Arithmetic between parameters and constants alone. */
function isConstantArithmetic(hint: OperatorHint): boolean {
  return hint.operand === null && ARITHMETIC.has(hint.operator);
}

/** Operators whose result is of the operands' kind. */
export const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^']);

/**
 * The operator that a parameter's place comes to: through casts, and through arithmetic of constants that it begins
 * (`$1::date + $2` is compared; $2 is not).
 */
export function comparisonOf(hint: Hint): OperatorHint | null {
  for (let each: Hint | null = hint; each !== null; each = 'outer' in each ? each.outer : null) {
    if (each.kind === 'operator') {
      if (!isConstantArithmetic(each)) return each;
      if (each.side !== 'left') return null;
    } else if (each.kind !== 'cast') return null;
  }
  return null;
}

/** Key under which bounds of one operand meet. */
export function operandKey(hint: OperatorHint): string | null {
  if (hint.operand === null) return null;
  return `${hint.operand.columns[0]?.relation} ${shapeOf(hint.operand.node)}`;
}

/** How much a place tells about the value: with several places of one parameter the best one decides. */
export function informativeness(hint: Hint): number {
  switch (hint.kind) {
    case 'limit':
    case 'offset':
      return 5;
    case 'operator':
      return hint.operand !== null ? 4 : 1 + informativeness(hint.outer) / 10;
    case 'cast':
      return Math.max(2, informativeness(hint.outer) - 0.5);
    case 'function':
      return TRANSPARENT_FUNCTIONS.has(hint.name) || TSQUERY_FUNCTIONS.has(hint.name) ? 3 : 1.5;
    case 'alternative':
      return hint.operand !== null ? 2 : 1;
    case 'assign':
      return 2;
    case 'none':
      return 0;
  }
}

/** The nearest operator around, through casts and functions. */
export function innermostOperator(hint: Hint): OperatorHint | null {
  for (let each: Hint | null = hint; each !== null; each = 'outer' in each ? each.outer : null) {
    if (each.kind === 'operator') return each;
  }
  return null;
}
