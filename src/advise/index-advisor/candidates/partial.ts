/**
 * Partial indexes: conditions that stand in the statement itself, each alone and all together, with the other keys in
 * the index. The more conditions the smaller it is, and the fewer statements it serves. Beside them, what follows from
 * any value that is looked for: a column that is compared is not null.
 */
import { quoteIdentifier } from '../../../domain/index.ts';
import type { AdvisorTable } from '../catalog.ts';
import { type Candidate, type Condition, type KeyPart, makeBtree } from './candidate.ts';
import { comparedColumns, comparison, shareOfOrders } from './compared-columns.ts';
import { coveringColumns } from './key-orders.ts';
import { literalSelectivity } from './literal.ts';
import { unique, type Wish } from './wish.ts';

/** Most of the rows in a partial index: then it saves nothing over a whole one. */
const MAX_SHARE = 0.7;

type Literal = Wish['literals'][number];

export function partialCandidates(wish: Wish, sequences: KeyPart[][]): Candidate[] {
  const { table, literals } = wish;
  const useful = literals.filter((literal) => conditionOf(literal, table).share <= MAX_SHARE);
  const sets = useful.map((literal) => [literal]);
  if (useful.length > 1) sets.push(useful);
  return [
    ...sets.flatMap((set) => candidatesUnder(set, wish, sequences)),
    ...impliedNotNull(wish).flatMap((implied) => {
      const conditions = [conditionOf(implied, table)];
      return sequences
        .filter((keys) => keys.some(({ column }) => column === implied.column))
        .flatMap((keys) => withCovering(wish, keys, conditions, coveringColumns(wish, keys)));
    }),
  ];
}

/**
 * Columns of many nulls that the statement compares with something: the planner takes `column = …`, an IN, a range, a
 * pattern or a join's equality for a proof that the column is not null, with parameters as well
 * (predicate_implied_by_simple_clause() and clause_is_strict_for() of predtest.c; check_index_predicates() of indxpath.c
 * for the clauses of joins).
 */
function impliedNotNull({ table, equalities, ranges, joins, literals }: Wish): Literal[] {
  const said = new Set(literals.filter(({ kind }) => kind === 'is_not_null').map(({ column }) => column));
  const strict = [...equalities, ...ranges, ...joins].filter(({ kind }) => kind !== 'is_null');
  return unique(strict).flatMap((predicate): Literal[] => {
    const { column } = predicate;
    if (column === null || said.has(column)) return [];
    const literal = `${quoteIdentifier(column)} IS NOT NULL`;
    const implied: Literal = { ...predicate, kind: 'is_not_null', literal, sql: literal, is_lasting: true };
    return literalSelectivity(implied, table) <= MAX_SHARE ? [implied] : [];
  });
}

function candidatesUnder(literals: readonly Literal[], wish: Wish, sequences: KeyPart[][]): Candidate[] {
  const { table } = wish;
  const conditions = literals.map((literal) => conditionOf(literal, table));
  const about = new Set(literals.flatMap(({ columns }) => columns));
  // Of these all rows of the index have the same value.
  const fixed = new Set(literals.filter(isConstant).flatMap(({ columns }) => columns));
  const candidates: Candidate[] = [];
  const add = (keys: KeyPart[]) => {
    // A condition that the index implies is not checked again, so what it reads need not be there (check_index_only()).
    const include = coveringColumns(wish, keys).filter((name) => !fixed.has(name));
    candidates.push(...withCovering(wish, keys, conditions, include));
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

function withCovering(
  { table }: Wish,
  keys: KeyPart[],
  conditions: readonly Condition[],
  include: string[],
): Candidate[] {
  const bare = makeBtree(table, keys, { conditions });
  return include.length > 0 ? [bare, makeBtree(table, keys, { conditions, include })] : [bare];
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

/**
 * Operators of conditions that no index is searched for, and that are null, or false, where an operand is
 * (pg_proc.proisstrict). `<> ALL` of an empty array is true for nulls, too.
 */
const STRICT: ReadonlySet<string> = new Set(['<>', 'NOT IN', '<> ANY', '!~~', '!~~*', '!~', '!~*']);

/** What a condition says of a column's nulls: an operator with a null gives null, which is not true. */
function presenceOf({ kind, column, operator }: Literal): Condition['presence'] | null {
  if (column === null) return null;
  if (kind === 'is_null') return { column, is_null: true };
  // IS DISTINCT FROM and IS NOT TRUE hold for nulls, too; they come with the operator =.
  if (kind === 'other' && !STRICT.has(operator)) return null;
  return { column, is_null: false };
}

const isConstant = ({ kind }: Literal) => kind === 'equality' || kind === 'is_null';
