/**
 * Partial indexes: conditions that stand in the statement itself, each alone and all together, with the other keys in
 * the index. The more conditions the smaller it is, and the fewer statements it serves.
 */
import type { AdvisorTable } from '../catalog.ts';
import { type Candidate, type Condition, type KeyPart, makeBtree } from './candidate.ts';
import { comparedColumns, comparison, shareOfOrders } from './compared-columns.ts';
import { coveringColumns } from './key-orders.ts';
import { literalSelectivity } from './literal.ts';
import type { Wish } from './wish.ts';

/** Most of the rows in a partial index: then it saves nothing over a whole one. */
const MAX_SHARE = 0.7;

type Literal = Wish['literals'][number];

export function partialCandidates(wish: Wish, sequences: KeyPart[][]): Candidate[] {
  const { table, literals } = wish;
  const useful = literals.filter((literal) => conditionOf(literal, table).share <= MAX_SHARE);
  const sets = useful.map((literal) => [literal]);
  if (useful.length > 1) sets.push(useful);
  return sets.flatMap((set) => candidatesUnder(set, wish, sequences));
}

function candidatesUnder(literals: readonly Literal[], wish: Wish, sequences: KeyPart[][]): Candidate[] {
  const { table } = wish;
  const conditions = literals.map((literal) => conditionOf(literal, table));
  const about = new Set(literals.flatMap(({ columns }) => columns));
  // Of these all rows of the index have the same value.
  const fixed = new Set(literals.filter(isConstant).flatMap(({ columns }) => columns));
  const candidates: Candidate[] = [];
  const add = (keys: KeyPart[]) => {
    candidates.push(makeBtree(table, keys, { conditions }));
    // A condition that the index implies is not checked again, so what it reads need not be there (check_index_only()).
    const include = coveringColumns(wish, keys).filter((name) => !fixed.has(name));
    if (include.length > 0) candidates.push(makeBtree(table, keys, { conditions, include }));
  };
  for (const keys of sequences) {
    const rest = keys.filter((key) => key.column === null || !about.has(key.column));
    const open = keys.filter((key) => key.column === null || !fixed.has(key.column));
    if (rest.length > 0) add(rest);
    if (open.length > rest.length) add(open);
  }
  // Nothing else to sort by: the column itself keeps the index small and useful.
  const [column] = about;
  if (sequences.length === 0 && column !== undefined) add([{ column, expression: null, columns: [column] }]);
  return candidates;
}

function conditionOf(literal: Literal, table: AdvisorTable): Condition {
  const { sql, is_lasting } = literal;
  const compares = comparedColumns(literal);
  if (!compares) {
    const presence = presenceOf(literal);
    return { sql, share: literalSelectivity(literal, table), is_lasting, ...(presence ? { presence } : {}) };
  }
  return { sql: comparison(literal, compares), share: shareOfOrders([compares]), compares, is_lasting };
}

/** Operators of conditions that no index is searched for, and that are null where an operand is (pg_proc.proisstrict). */
const STRICT: ReadonlySet<string> = new Set(['<>', '!~~', '!~~*', '!~', '!~*']);

/** What a condition says of a column's nulls: an operator with a null gives null, which is not true. */
function presenceOf({ kind, column, operator }: Literal): Condition['presence'] | null {
  if (column === null) return null;
  if (kind === 'is_null') return { column, is_null: true };
  // IS DISTINCT FROM and IS NOT TRUE hold for nulls, too; they come with the operator =.
  if (kind === 'other' && !STRICT.has(operator)) return null;
  return { column, is_null: false };
}

const isConstant = ({ kind }: Literal) => kind === 'equality' || kind === 'is_null';
