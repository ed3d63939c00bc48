/** Candidate indexes out of how statements use tables. What pays is not decided here: the planner is asked. */
import type {
  IndexDefinition,
  IndexKey,
  Operand,
  PredicateKind,
  StatementUsage,
  UsageOrder,
  UsagePredicate,
  UsageRelation,
} from '../../domain/index.ts';
import { type AdvisorCatalog, type AdvisorTable, distinctCount, rowCount } from './catalog.ts';
import { indexName, normalisedDefinition } from './naming.ts';

/** Longest key; beyond it the gain of a further column is next to nothing. */
const MAX_KEYS = 4;
/** Columns that INCLUDE may add, and their bytes together. */
const MAX_INCLUDED = 8;
const MAX_INCLUDED_BYTES = 96;
/** A table smaller than this is read whole as fast as through any index. */
const MIN_PAGES = 8;
/** What is looked for, or where a range ends, changes from call to call: no index of one call's rows is kept. */
const OF_THE_CALL: ReadonlySet<PredicateKind> = new Set([
  'range',
  'contains',
  'full_text',
  'like_prefix',
  'like_infix',
  'distance',
]);
/** A constant out of so many values is one call's value; out of few it is a state or a kind. */
const MAX_STATES = 50;
/** From this correlation and size on, a range of pages holds a range of values. */
const BRIN_CORRELATION = 0.9;
const BRIN_PAGES = 1024;

export interface Candidate {
  /** Normalised definition: equal for equal indexes. */
  key: string;
  definition: IndexDefinition;
  table: AdvisorTable;
  /** Share of the rows that a partial predicate keeps, estimated from statistics; 1 without one. */
  selectivity: number;
}

interface KeyPart extends Operand {
  direction?: 'asc' | 'desc';
  nulls?: 'first' | 'last' | null;
  opclass?: string;
}

/** What one statement wants of one relation. */
interface Wish {
  table: AdvisorTable;
  equalities: UsagePredicate[];
  ranges: UsagePredicate[];
  joins: UsagePredicate[];
  special: UsagePredicate[];
  literals: UsagePredicate[];
  orders: UsageOrder[];
  groups: Operand[][];
  relation: UsageRelation;
}

/** All candidates of one statement, by their key. */
export function candidatesOf(usages: StatementUsage[], catalog: AdvisorCatalog): Map<string, Candidate> {
  const found = new Map<string, Candidate>();
  for (const usage of usages) {
    usage.relations.forEach((relation, position) => {
      const table = catalog.tables.get(relation.table_oid);
      if (!table || table.row.main_pages < MIN_PAGES || !['r', 'm'].includes(table.row.relkind)) return;
      for (const candidate of candidatesOfRelation(wishOf(usage, position, relation, table), catalog)) {
        if (!found.has(candidate.key)) found.set(candidate.key, candidate);
      }
    });
  }
  return found;
}

const usable = (operand: Operand) => operand.column !== null || operand.expression !== null;

function wishOf(usage: StatementUsage, position: number, relation: UsageRelation, table: AdvisorTable): Wish {
  const own = usage.predicates.filter((predicate) => predicate.relation === position && usable(predicate));
  const conjuncts = own.filter((predicate) => predicate.disjunction === null);
  const plain = conjuncts.filter((predicate) => predicate.joins === null);
  return {
    table,
    relation,
    equalities: unique(plain.filter((predicate) => ['equality', 'in', 'is_null'].includes(predicate.kind))),
    ranges: unique(
      plain.filter((predicate) => ['range', 'like_prefix', 'is_not_null'].includes(predicate.kind)),
    ),
    joins: unique(conjuncts.filter((predicate) => predicate.joins !== null && predicate.kind === 'equality')),
    // An OR's arms are served by a bitmap of several indexes: each arm's own is worth a try.
    special: unique([
      ...plain.filter((predicate) => ['full_text', 'contains', 'like_infix'].includes(predicate.kind)),
      ...own.filter((predicate) => predicate.disjunction !== null && predicate.joins === null),
    ]),
    literals: conjuncts.filter(
      (predicate) => predicate.literal !== null && predicate.joins === null && isLasting(predicate, table),
    ),
    orders:
      usage.orders.find(
        (order) => order.length > 0 && order.every((item) => item.relation === position && usable(item)),
      ) ?? [],
    groups: usage.groups
      .filter((group) => group.relation === position && group.operands.every(usable))
      .map((group) => group.operands),
  };
}

/** Whether a condition with a constant is likely to be the same at the statement's next call. */
function isLasting(predicate: UsagePredicate, table: AdvisorTable): boolean {
  if (OF_THE_CALL.has(predicate.kind)) return false;
  if (predicate.kind !== 'equality' && predicate.kind !== 'in') return true;
  const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
  const distinct = distinctCount(column, rowCount(table));
  return distinct !== null && distinct <= MAX_STATES;
}

function unique<T extends Operand>(operands: T[]): T[] {
  return [
    ...new Map(operands.map((operand) => [operand.column ?? `(${operand.expression})`, operand])).values(),
  ];
}

function candidatesOfRelation(wish: Wish, catalog: AdvisorCatalog): Candidate[] {
  const sequences = keySequences(wish, catalog);
  const candidates: Candidate[] = [];
  for (const keys of sequences) {
    candidates.push(btree(wish, keys, {}));
    const include = coveringColumns(wish, keys);
    if (include.length > 0) candidates.push(btree(wish, keys, { include }));
  }
  candidates.push(...partials(wish, sequences));
  candidates.push(...inverted(wish, catalog));
  candidates.push(...blockRanges(wish));
  return candidates;
}

/** Key orders worth a question: equalities by how much they narrow, then one range or the order. */
function keySequences(wish: Wish, catalog: AdvisorCatalog): KeyPart[][] {
  const { table, orders, groups } = wish;
  const rows = rowCount(table);
  const narrowing = (operand: Operand) =>
    operand.column === null ? rows : (distinctCount(table.columns.get(operand.column), rows) ?? 1);
  const indexable = (operand: Operand) => isOrdered(operand, table);
  const equalities: KeyPart[] = wish.equalities
    .filter((predicate) => predicate.kind !== 'is_null' && indexable(predicate))
    .sort((a, b) => narrowing(b) - narrowing(a));
  const ranges: KeyPart[] = wish.ranges
    .filter((predicate) => predicate.kind !== 'is_not_null' && indexable(predicate))
    .map((predicate) => withPatternClass(predicate, table, catalog));
  const joins: KeyPart[] = wish.joins.filter(indexable);
  const ordered: KeyPart[] = orders.filter(indexable);
  const orderComplete = ordered.length === orders.length && ordered.length > 0;
  const either: KeyPart[] = wish.special
    .filter(
      (predicate) =>
        ['equality', 'in', 'range', 'like_prefix'].includes(predicate.kind) && indexable(predicate),
    )
    .map((predicate) => withPatternClass(predicate, table, catalog));

  const sequences: KeyPart[][] = [];
  const add = (keys: KeyPart[]) => {
    const distinct = dedupe(keys).slice(0, MAX_KEYS);
    if (distinct.length > 0) sequences.push(distinct);
  };
  for (const one of [...equalities, ...ranges, ...joins, ...either]) add([one]);
  add(equalities);
  for (const range of ranges) add([...equalities, range]);
  // Two ranges: the second filters within the index.
  if (ranges.length > 1) add([...equalities, ...ranges]);
  if (orderComplete) {
    add([...equalities, ...ordered]);
    add(ordered);
    for (const range of ranges) add([...equalities, ...ordered, range]);
  }
  for (const join of joins) {
    add([join, ...equalities]);
    add([...equalities, join]);
    for (const range of ranges) add([join, ...equalities, range]);
    if (orderComplete) add([join, ...equalities, ...ordered]);
  }
  if (joins.length > 1) add([...joins, ...equalities]);
  for (const group of groups) {
    const parts: KeyPart[] = group.filter(indexable);
    if (parts.length === group.length) {
      add(parts);
      add([...equalities, ...parts]);
    }
  }
  return sequences;
}

function dedupe(keys: KeyPart[]): KeyPart[] {
  const seen = new Set<string>();
  return keys.filter((key) => {
    const text = key.column ?? `(${key.expression})`;
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** Types without a B-tree order are no keys; an expression's type is left to the planner's server to refuse. */
function isOrdered(operand: Operand, table: AdvisorTable): boolean {
  if (operand.column === null) return operand.expression !== null;
  const column = table.columns.get(operand.column);
  return (
    column !== undefined &&
    !['json', 'xml', 'point', 'box', 'polygon', 'line', 'lseg', 'path', 'circle', 'tsquery'].includes(
      column.type,
    ) &&
    !['tsvector', 'jsonb'].includes(column.type)
  );
}

function withPatternClass(predicate: UsagePredicate, table: AdvisorTable, catalog: AdvisorCatalog): KeyPart {
  if (predicate.kind !== 'like_prefix' || catalog.sorts_by_bytes) return predicate;
  const type = predicate.column === null ? 'text' : (table.columns.get(predicate.column)?.type ?? 'text');
  return {
    ...predicate,
    opclass: type.startsWith('character varying') ? 'varchar_pattern_ops' : 'text_pattern_ops',
  };
}

function toKey(part: KeyPart): IndexKey {
  return {
    column: part.column,
    expression: part.column === null ? part.expression : null,
    opclass: part.opclass ?? null,
    collation: null,
    direction: part.direction ?? 'asc',
    nulls: part.nulls ?? null,
  };
}

interface Shape {
  method?: string;
  include?: string[];
  where?: string;
  selectivity?: number;
  options?: Record<string, string>;
}

function make(wish: Wish, keys: IndexKey[], shape: Shape): Candidate {
  const { row } = wish.table;
  const bare = {
    schema: row.schema,
    table: row.name,
    method: shape.method ?? 'btree',
    unique: false,
    keys,
    include: shape.include ?? [],
    where: shape.where ?? null,
    options: shape.options ?? {},
  };
  const definition: IndexDefinition = { ...bare, name: indexName(bare, wish.table.indexes) };
  return {
    key: normalisedDefinition(definition),
    definition,
    table: wish.table,
    selectivity: shape.selectivity ?? 1,
  };
}

function btree(wish: Wish, keys: KeyPart[], shape: Shape): Candidate {
  return make(wish, allAscending(keys.map(toKey)), shape);
}

/** An index reads both ways: all descending is all ascending, unless NULLS says otherwise. */
function allAscending(keys: IndexKey[]): IndexKey[] {
  const reversible = keys.every((key) => key.direction === 'desc' && key.nulls !== 'last');
  return reversible ? keys.map((key) => ({ ...key, direction: 'asc' as const, nulls: null })) : keys;
}

/** Columns that would make the index answer alone, where they are few and narrow. */
function coveringColumns(wish: Wish, keys: KeyPart[]): string[] {
  const read = wish.relation.columns_read;
  if (read === null || wish.relation.is_written || keys.some((key) => key.column === null)) return [];
  const inKey = new Set(keys.map((key) => key.column));
  const rest = read.filter((name) => !inKey.has(name));
  if (rest.length === 0 || rest.length > MAX_INCLUDED) return [];
  const bytes = rest.reduce((sum, name) => {
    const column = wish.table.columns.get(name);
    return sum + (column && column.typlen > 0 ? column.typlen : (column?.stats?.avg_width ?? 32));
  }, 0);
  return bytes <= MAX_INCLUDED_BYTES ? rest.toSorted() : [];
}

/** A condition that stands in the statement itself makes a partial index, with the other keys in it. */
function partials(wish: Wish, sequences: KeyPart[][]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const literal of unique(wish.literals)) {
    const selectivity = literalSelectivity(literal, wish.table);
    // Most of the rows in a partial index: then it saves nothing over a whole one.
    if (selectivity > 0.5 || literal.literal === null) continue;
    const shape = { where: literal.literal, selectivity };
    const isConstant = literal.kind === 'equality' || literal.kind === 'is_null';
    for (const keys of sequences) {
      const rest = keys.filter((key) => key.column === null || !literal.columns.includes(key.column));
      if (rest.length > 0) candidates.push(btree(wish, rest, shape));
      if (rest.length < keys.length && !isConstant) candidates.push(btree(wish, keys, shape));
    }
    // Nothing else to sort by: the column itself keeps the index small and useful.
    const [column] = literal.columns;
    if (sequences.length === 0 && column !== undefined) {
      candidates.push(btree(wish, [{ column, expression: null, columns: [column] }], shape));
    }
  }
  return candidates;
}

/** From pg_stats: null fraction, or a common value's frequency; a third where nothing is known. */
function literalSelectivity(predicate: UsagePredicate, table: AdvisorTable): number {
  const stats = predicate.column === null ? undefined : table.columns.get(predicate.column)?.stats;
  if (!stats) return 0.34;
  if (predicate.kind === 'is_null') return stats.null_frac;
  if (predicate.kind === 'is_not_null') return 1 - stats.null_frac;
  if (predicate.kind !== 'equality') return 0.34;
  const constant = /'((?:[^']|'')*)'/.exec(predicate.literal ?? '')?.[1];
  const values = stats.most_common_vals?.slice(1, -1).split(',') ?? [];
  const position =
    constant === undefined ? -1 : values.findIndex((value) => value.replaceAll('"', '') === constant);
  const frequency = stats.most_common_freqs?.[position];
  if (frequency !== undefined) return frequency;
  const distinct = distinctCount(table.columns.get(predicate.column ?? ''), rowCount(table)) ?? 3;
  return 1 / Math.max(1, distinct);
}

/** GIN for what is inside of values: lexemes, members, elements, trigrams. */
function inverted(wish: Wish, catalog: AdvisorCatalog): Candidate[] {
  return wish.special.flatMap((predicate) => {
    const key = (opclass: string | null): IndexKey => ({
      ...toKey(predicate),
      direction: 'asc',
      nulls: null,
      opclass,
    });
    const type = predicate.column === null ? null : (wish.table.columns.get(predicate.column)?.type ?? null);
    if (predicate.kind === 'full_text') return [make(wish, [key(null)], { method: 'gin' })];
    if (predicate.kind === 'contains') {
      if (type === 'jsonb' || type === null) {
        const paths = ['@>', '@?', '@@'].includes(predicate.operator);
        return [
          ...(paths ? [make(wish, [key('jsonb_path_ops')], { method: 'gin' })] : []),
          make(wish, [key(null)], { method: 'gin' }),
        ];
      }
      if (type.endsWith('[]')) return [make(wish, [key(null)], { method: 'gin' })];
      if (type.includes('range')) return [make(wish, [key(null)], { method: 'gist' })];
    }
    if (predicate.kind === 'like_infix' && catalog.extensions.has('pg_trgm')) {
      return [make(wish, [key('gin_trgm_ops')], { method: 'gin' })];
    }
    return [];
  });
}

/** BRIN where values follow the table's order: a range of pages then holds a range of values. */
function blockRanges(wish: Wish): Candidate[] {
  if (wish.table.row.main_pages < BRIN_PAGES) return [];
  return wish.ranges.flatMap((predicate) => {
    const correlation =
      predicate.column === null
        ? null
        : (wish.table.columns.get(predicate.column)?.stats?.correlation ?? null);
    if (predicate.kind !== 'range' || correlation === null || Math.abs(correlation) < BRIN_CORRELATION)
      return [];
    const perRange = wish.table.row.main_pages < 65_536 ? 32 : 128;
    return [
      make(wish, [toKey({ ...predicate })], {
        method: 'brin',
        options: { pages_per_range: String(perRange) },
      }),
    ];
  });
}
