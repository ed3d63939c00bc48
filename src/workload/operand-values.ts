/** Values of an operand: a column's own, or those of an expression over it as far as it can be followed. */

import type { Node } from '@pgsql/types';
import type { ColumnRow, Snapshot } from '../domain/index.ts';
import { GIVES_ITS_ARGUMENT } from './aggregates.ts';
import type { Analysis, Expression } from './analysis.ts';
import { familyIn, plainText, subtypeOf } from './plain-value.ts';
import { constantText, holdsColumn, lastName, withoutCasts } from './tree.ts';
import { familyOfType, type TypeFamily } from './type-family.ts';
import { type ValuePool, valuePool, type WeightedValue } from './value-pool.ts';

/** What an operand's values look like. */
export interface OperandValues {
  /** The column whose statistics were used. */
  column: ColumnRow;
  family: TypeFamily;
  /** `schema.table.column`. */
  name: string;
  /** Rows of its table; 0 when not known. */
  rows: number;
  pool: ValuePool;
  /** The values are a plain column's own. */
  plain: boolean;
  /** Type of the operand as SQL; null: not known. */
  type: string | null;
  /** Text of a value that its type takes, where the pool has none. */
  fallback: string;
}

/** How a value of the column becomes a value of the expression; null where that cannot be followed. */
interface Path {
  family: TypeFamily;
  /** As SQL; absent: only the family is known. */
  type?: string;
  map: ((value: string) => string | null) | null;
}

/** Text of a parameter that a constant was found for. */
export type Erased = ReadonlyMap<number, { value: string; source: string }>;

const AS_TEXT: ReadonlyMap<string, (value: string) => string> = new Map([
  ['lower', (value: string) => value.toLowerCase()],
  ['upper', (value: string) => value.toUpperCase()],
  ['btrim', (value: string) => value.trim()],
  ['ltrim', (value: string) => value.trimStart()],
  ['rtrim', (value: string) => value.trimEnd()],
  ['unaccent', (value: string) => value.normalize('NFD').replace(/\p{M}/gu, '')],
]);

/** Types that stand for the families that are not named like a type. */
const FAMILY_TYPES: Partial<Record<TypeFamily, string>> = {
  number: 'numeric',
  range: 'int4range',
  array: 'text[]',
};

const TRANSPARENT_NUMBERS: ReadonlySet<string> = new Set(['abs', 'ceil', 'floor', 'round', 'trunc']);

/** Families with a || of their own; `other` has hstore, ltree and bit strings. */
const JOINED_AS_THEY_ARE: ReadonlySet<TypeFamily> = new Set([
  'text',
  'array',
  'json',
  'bytea',
  'tsvector',
  'tsquery',
  'vector',
]);
const OWN_JOINS: ReadonlySet<string> = new Set(['hstore', 'ltree', 'bit', 'varbit', 'bit varying']);

const LENGTHS: ReadonlySet<string> = new Set(['length', 'char_length', 'character_length', 'octet_length']);

function keyText(node: Node | undefined, erased: Erased): string | null {
  if (node === undefined) return null;
  const bare = withoutCasts(node);
  if ('A_Const' in bare) return constantText(bare.A_Const);
  if ('ParamRef' in bare) return erased.get(bare.ParamRef.number ?? 0)?.value ?? null;
  return null;
}

/** A member as JSON: strings keep their quotes. */
function memberJson(document: string, key: string): string | null {
  const value = member(document, key);
  if (value === null) return null;
  try {
    return typeof (JSON.parse(document) as Record<string, unknown>)[key] === 'string'
      ? JSON.stringify(value)
      : value;
  } catch {
    // As in `member`.
    return null;
  }
}

function member(document: string, key: string): string | null {
  try {
    const value: unknown = JSON.parse(document);
    const found =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    if (found === undefined || found === null) return null;
    return typeof found === 'string' ? found : JSON.stringify(found);
  } catch {
    // A json value that JavaScript cannot read offers no member.
    return null;
  }
}

/** The column that a path begins at. */
interface Start {
  family: TypeFamily;
  type: string;
  snapshot: Snapshot;
}

function firstColumn(nodes: readonly Node[] | undefined): Node | undefined {
  return (nodes ?? []).find((node) => holdsColumn(node));
}

function pathOf(node: Node, start: Start, erased: Erased): Path {
  const unknown: Path = { family: 'other', map: null };
  const through = (inner: Node | undefined): Path =>
    inner === undefined ? unknown : pathOf(inner, start, erased);
  if ('ColumnRef' in node) return { family: start.family, type: start.type, map: (value) => value };
  if ('MinMaxExpr' in node) return through(firstColumn(node.MinMaxExpr.args));
  if ('CollateClause' in node) return through(node.CollateClause.arg);
  if ('TypeCast' in node) {
    const inner = through(node.TypeCast.arg);
    const { typeName } = node.TypeCast;
    const family =
      (typeName?.arrayBounds?.length ?? 0) > 0 ? 'array' : familyOfType(lastName(typeName?.names));
    const { map } = inner;
    const type = lastName(typeName?.names) + (family === 'array' ? '[]' : '');
    if (map === null) return { family, type, map };
    if (family === 'date' && inner.family === 'timestamp') {
      return { family, map: (value) => map(value)?.slice(0, 10) ?? null };
    }
    return { family, map };
  }
  if ('CoalesceExpr' in node) {
    return through(firstColumn(node.CoalesceExpr.args));
  }
  if ('FuncCall' in node) {
    const name = lastName(node.FuncCall.funcname);
    const args = node.FuncCall.args ?? [];
    const asText = AS_TEXT.get(name);
    const first = through(args[0]);
    if ((first.family === 'range' || first.family === 'multirange') && first.type !== undefined) {
      const subtype = subtypeOf(first.type, start.snapshot);
      if (subtype === null || (name !== 'lower' && name !== 'upper')) return unknown;
      return { family: familyIn(subtype, start.snapshot), type: subtype, map: null };
    }
    if (TRANSPARENT_NUMBERS.has(name) || GIVES_ITS_ARGUMENT.has(name)) return first;
    const { map } = through(args.find((arg) => pathOf(arg, start, erased).map !== null));
    if (asText !== undefined) {
      return { family: 'text', map: map && ((value) => nullable(map(value), asText)) };
    }
    if (LENGTHS.has(name)) {
      return {
        family: 'integer',
        map: map && ((value) => nullable(map(value), (text) => String(text.length))),
      };
    }
    if (name === 'date') {
      return { family: 'date', map: map && ((value) => nullable(map(value), (text) => text.slice(0, 10))) };
    }
    if (name === 'date_trunc') {
      const truncated = through(args[1]);
      if (truncated.family === 'time' || truncated.family === 'interval') {
        return { family: 'interval', map: null };
      }
      return {
        family: 'timestamp',
        map: map && ((value) => nullable(map(value), (text) => text.slice(0, 10))),
      };
    }
    if (name === 'extract' || name === 'date_part') return { family: 'number', map: () => '1' };
    if (name === 'to_tsvector') return { family: 'tsvector', map };
    return unknown;
  }
  if ('A_Expr' in node) {
    const operator = lastName(node.A_Expr.name);
    if (operator === '->>' || operator === '->') {
      const { map } = through(node.A_Expr.lexpr);
      const key = keyText(node.A_Expr.rexpr, erased);
      const family = operator === '->>' ? 'text' : 'json';
      if (map === null || key === null) return { family, map: null };
      const read = operator === '->>' ? member : memberJson;
      return { family, map: (value) => nullable(map(value), (document) => read(document, key)) };
    }
    const left = through(node.A_Expr.lexpr);
    // What is joined to a text becomes one.
    if (
      operator === '||' &&
      left.map !== null &&
      !JOINED_AS_THEY_ARE.has(left.family) &&
      !OWN_JOINS.has(start.type.split('(')[0]?.split('.').at(-1) ?? '')
    ) {
      return { family: 'text', type: 'text', map: null };
    }
    if (left.map !== null) return left;
    return through(node.A_Expr.rexpr);
  }
  return unknown;
}

function nullable<T>(value: string | null, then: (value: string) => T): T | null {
  return value === null ? null : then(value);
}

function mapPool(pool: ValuePool, map: Path['map']): ValuePool {
  if (map === null) return { common: [], bounds: [], elements: [], rest: 1, n_distinct: pool.n_distinct };
  const merged = new Map<string, WeightedValue>();
  for (const each of pool.common) {
    const value = map(each.value);
    if (value === null) continue;
    const known = merged.get(value);
    merged.set(value, {
      value,
      weight: each.weight + (known?.weight ?? 0),
      frequency: (each.frequency ?? 0) + (known?.frequency ?? 0),
    });
  }
  return {
    common: [...merged.values()].sort((a, b) => b.weight - a.weight),
    bounds: pool.bounds.map(map).filter((value) => value !== null),
    elements: pool.elements,
    rest: pool.rest,
    n_distinct: pool.n_distinct,
  };
}

/** Values of an operand; null where it holds no column of a table in the snapshot. */
export function operandValues(
  analysis: Analysis,
  snapshot: Snapshot,
  operand: Expression,
  erased: Erased,
): OperandValues | null {
  const use = operand.columns[0];
  const table = use === undefined ? undefined : analysis.relations[use.relation]?.table;
  const column = use === undefined ? undefined : table?.columns.get(use.column);
  if (table === undefined || column === undefined) return null;
  const start: Start = { family: familyIn(column.type, snapshot), type: column.type, snapshot };
  const path = pathOf(operand.node, start, erased);
  const own = valuePool(column.stats, column.type.startsWith('box') ? ';' : ',');
  const plain = 'ColumnRef' in operand.node;
  return {
    column,
    family: path.family,
    name: `${table.schema}.${table.name}.${column.name}`,
    rows: Math.max(0, table.reltuples),
    pool: plain ? own : mapPool(own, path.map),
    plain,
    type: path.type ?? null,
    // '1' is taken by most types; NULL would make the condition, and so the whole plan, empty.
    fallback: plainText(path.type ?? FAMILY_TYPES[path.family] ?? path.family, snapshot) ?? '1',
  };
}
