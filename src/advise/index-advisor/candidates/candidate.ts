/** A candidate index, and how one is made of keys. */
import {
  type ColumnRow,
  type IndexDefinition,
  type IndexKey,
  type Operand,
  quoteIdentifier,
  quoteQualified,
  type UsagePredicate,
} from '../../../domain/index.ts';
import type { AdvisorCatalog, AdvisorTable } from '../catalog.ts';
import { indexName, normalisedDefinition } from '../naming.ts';
import { type ComparedColumns, shareOfConditions } from './compared-columns.ts';

export interface Candidate {
  /** Normalised definition: equal for equal indexes. */
  key: string;
  definition: IndexDefinition;
  table: AdvisorTable;
  /** Share of the rows that a partial predicate keeps, estimated from statistics; 1 without one. */
  selectivity: number;
  /** Conjuncts of the predicate, ANDed; empty: all rows. */
  conditions: readonly Condition[];
  /** Its size rests on an expression of which nothing could be derived from its columns' statistics. */
  is_guess?: true;
  /** What is derived of the expressions that its size rests on, as if they were columns; absent: not asked yet. */
  expressions?: ReadonlyMap<string, ColumnRow>;
  /** Some of its keys are only there to be read, as what others include. */
  is_covering?: true;
}

/** Its table as SQL names it: what rejections are grouped by. */
export const tableOf = ({ definition: { schema, table } }: Candidate): string =>
  quoteQualified(schema, table);

/** A condition of a statement that a partial index can have. */
export interface Condition {
  /** As the statement has it, with the table's own column names. */
  sql: string;
  /** Share of the rows that it keeps by statistics, or by a rule of thumb where they say nothing. */
  share: number;
  /** Where it compares two columns with each other, of which no statistics tell anything. */
  compares?: ComparedColumns;
  /** Where it holds for rows only that have a value, or none, in a column. */
  presence?: { column: string; is_null: boolean };
  /** False: only one call of one statement shows the constant, which may be another in the next. */
  is_lasting: boolean;
}

/** What a key is about, with how it is kept. */
export interface KeyPart extends Operand {
  direction?: 'asc' | 'desc';
  nulls?: 'first' | 'last' | null;
  opclass?: string;
  /** Collation as SQL where it is not the column's own. */
  collation?: string;
}

interface Shape {
  method?: string;
  include?: string[];
  conditions?: readonly Condition[];
  options?: Record<string, string>;
}

/** `name COLLATE "C"` is the column in another order, not an expression (ComputeIndexAttrs() strips the clause). */
export function withCollation<T extends KeyPart>(part: T): T {
  const [column, ...more] = part.columns;
  if (part.expression === null || column === undefined || more.length > 0) return part;
  const start = `${quoteIdentifier(column)} COLLATE `;
  if (!part.expression.startsWith(start)) return part;
  const collation = part.expression.slice(start.length);
  // Anything behind it makes it an expression after all.
  if (collation.includes(' ') || collation.includes(')')) return part;
  return { ...part, column, expression: null, collation };
}

export function toKey(part: KeyPart): IndexKey {
  return {
    column: part.column,
    expression: part.column === null ? part.expression : null,
    opclass: part.opclass ?? null,
    collation: part.collation ?? null,
    direction: part.direction ?? 'asc',
    nulls: part.nulls ?? null,
  };
}

/** A key of a method that keeps no order. */
export function unorderedKey(operand: Operand, opclass: string | null = null): IndexKey {
  return { ...toKey({ ...operand, direction: 'asc', nulls: null }), opclass };
}

export function makeCandidate(table: AdvisorTable, keys: IndexKey[], shape: Shape): Candidate {
  const { row } = table;
  const { conditions = [] } = shape;
  const bare = {
    schema: row.schema,
    table: row.name,
    method: shape.method ?? 'btree',
    unique: false,
    keys,
    include: shape.include ?? [],
    where: conjunction(conditions),
    options: shape.options ?? {},
  };
  const definition: IndexDefinition = { ...bare, name: indexName(bare, table.names) };
  const selectivity = shareOfConditions(conditions);
  return { key: normalisedDefinition(definition), definition, table, selectivity, conditions };
}

/** Conjuncts in one order, so that statements that have them in another share the index. */
function conjunction(conditions: readonly Condition[]): string | null {
  const [only, ...others] = conditions.map(({ sql }) => sql).sort();
  if (only === undefined) return null;
  return others.length === 0 ? only : [only, ...others].map((sql) => `(${sql})`).join(' AND ');
}

export function makeBtree(table: AdvisorTable, keys: KeyPart[], shape: Shape): Candidate {
  return makeCandidate(table, allAscending(keys.map(toKey)), shape);
}

/** An index reads both ways: all descending is all ascending, unless NULLS says otherwise. */
function allAscending(keys: IndexKey[]): IndexKey[] {
  const reversible = keys.every((key) => key.direction === 'desc' && key.nulls !== 'last');
  return reversible ? keys.map((key) => ({ ...key, direction: 'asc' as const, nulls: null })) : keys;
}

/** Types that no B-tree operator class of PostgreSQL's own orders, or that nobody wants to be ordered. */
const UNORDERED: ReadonlySet<string> = new Set(
  'json xml point box polygon line lseg path circle tsquery tsvector jsonb'.split(' '),
);

/** Types without a B-tree order are no keys; an expression's type is left to the planner's server to refuse. */
export function isOrdered(operand: Operand, table: AdvisorTable): boolean {
  if (operand.column === null) return operand.expression !== null;
  const column = table.columns.get(operand.column);
  return column !== undefined && !UNORDERED.has(column.type) && vectorTypeOf(column.type) === null;
}

/** pgvector's type without its schema and dimensions; null: another type. */
export function vectorTypeOf(type: string): { name: string; dimensions: number | null } | null {
  const [qualified = '', size] = type.split('(');
  const name = qualified.split('.').at(-1) ?? '';
  if (!['vector', 'halfvec', 'sparsevec'].includes(name)) return null;
  return { name, dimensions: size === undefined ? null : Number.parseInt(size, 10) };
}

/**
 * LIKE 'x%' is a range of bytes: where texts are sorted otherwise it takes an operator class that compares bytes
 * (like_support.c). What the operator class of a type is called is pg_opclass's.
 */
export function withPatternClass(
  predicate: UsagePredicate,
  table: AdvisorTable,
  catalog: AdvisorCatalog,
): KeyPart {
  if (predicate.kind !== 'like_prefix') return predicate;
  const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
  const bytewise =
    column?.collation == null
      ? catalog.sorts_by_bytes
      : ['"C"', '"POSIX"', 'ucs_basic'].includes(column.collation.replace('pg_catalog.', ''));
  if (bytewise) return predicate;
  const type = column?.type ?? 'text';
  if (type.startsWith('character varying')) return { ...predicate, opclass: 'varchar_pattern_ops' };
  return { ...predicate, opclass: type.startsWith('character') ? 'bpchar_pattern_ops' : 'text_pattern_ops' };
}
