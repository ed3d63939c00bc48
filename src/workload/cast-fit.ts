/** Whether values of a column can stand under a cast. */
import type { Snapshot } from '../domain/index.ts';
import type { Hint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { hasChecks } from './plain-value.ts';
import { familyOfType, type TypeFamily } from './type-family.ts';
import { knownValues } from './value-pool.ts';

/** Values of what a cast parameter meets can be written as the cast's type. */
export function fitsCast(
  { type, array }: Extract<Hint, { kind: 'cast' }>,
  values: OperandValues,
  quantified: boolean,
  snapshot: Snapshot,
): boolean {
  if (array && !quantified && values.family !== 'array') return false;
  if (array) return !hasChecks(type, snapshot) || knownValues(values.pool).length > 0;
  const known = knownValues(values.pool).length > 0;
  if (hasChecks(type, snapshot)) return known && sameType(type, values.column.type);
  const family = familyOfType(type);
  const group = (each: TypeFamily) => (each === 'integer' ? 'number' : each === 'date' ? 'timestamp' : each);
  if (family === 'other' || values.family === 'other') return sameType(type, values.type ?? '');
  return family === 'text' || group(family) === group(values.family);
}

/** A parse tree's type name against format_type's: `mood` and `"Größe".mood`. */
function sameType(name: string, type: string): boolean {
  const last = type.split('.').at(-1) ?? type;
  return last === name || last === `"${name.replaceAll('"', '""')}"`;
}

const INTEGER_BITS: Readonly<Record<string, number>> = {
  int2: 15,
  smallint: 15,
  int4: 31,
  int: 31,
  integer: 31,
};

/** An integer type takes this literal: no fraction, and within its range. */
export function takes(type: string, sql: string): boolean {
  if (familyOfType(type) !== 'integer' || !sql.startsWith("'") || !sql.endsWith("'")) return true;
  const text = sql.slice(1, -1);
  const value = Number(text);
  const bits = INTEGER_BITS[type] ?? 63;
  return Number.isInteger(value) && !text.includes('.') && !text.includes('e') && Math.abs(value) < 2 ** bits;
}
