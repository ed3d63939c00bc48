/** What one statement wants of one relation, sorted by what an index could do about it. */
import type {
  Operand,
  PredicateKind,
  StatementUsage,
  UsageOrder,
  UsagePredicate,
  UsageRelation,
} from '../../../domain/index.ts';
import { type AdvisorCatalog, type AdvisorTable, constantKey, distinctCount, rowCount } from '../catalog.ts';
import { withCollation } from './candidate.ts';
import { isLeftOut, literalSelectivity, shareOfConstant } from './literal.ts';

/** What is looked for, or where a range ends, changes from call to call: no index of one call's rows is kept. */
const OF_THE_CALL: ReadonlySet<PredicateKind> = new Set([
  'range',
  'contains',
  'full_text',
  'like_prefix',
  'like_infix',
  'distance',
]);
/** A constant out of more values than this is one call’s value; out of few it is a state or a kind. */
const MAX_STATES = 20;
/**
 * A column of so few values is a flag: who writes down one of them means this one, and code that wants another has a
 * statement for it.
 */
const FLAG_VALUES = 4;
/** A value of this share of the rows is the usual one of its column, or stands for none. */
const USUAL = 0.3;

export interface Wish {
  table: AdvisorTable;
  relation: UsageRelation;
  equalities: UsagePredicate[];
  ranges: UsagePredicate[];
  joins: UsagePredicate[];
  special: UsagePredicate[];
  /** ORDER BY x <-> constant. */
  distances: UsagePredicate[];
  /** Conditions that a partial index could have, of each column one. */
  literals: (UsagePredicate & { sql: string; is_lasting: boolean })[];
  /** Orders wanted, each of a query level: ORDER BY, a window's, min() or max(). */
  orders: UsageOrder[][];
  groups: Operand[][];
  has_limit: boolean;
}

const usable = (operand: Operand) => operand.column !== null || operand.expression !== null;

export function wishOf(
  usage: StatementUsage,
  position: number,
  relation: UsageRelation,
  table: AdvisorTable,
  catalog: AdvisorCatalog,
): Wish {
  const own = usage.predicates
    .filter((predicate) => predicate.relation === position && usable(predicate))
    .map(withCollation);
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
      ...conjuncts.filter((predicate) => predicate.joins !== null && predicate.kind === 'contains'),
      ...plain.filter((predicate) => ['full_text', 'contains', 'like_infix'].includes(predicate.kind)),
      ...own.filter((predicate) => predicate.disjunction !== null && predicate.joins === null),
    ]),
    distances: unique(conjuncts.filter((predicate) => predicate.kind === 'distance')),
    literals: unique(
      conjuncts.flatMap((predicate) => {
        if (predicate.literal === null || predicate.joins !== null) return [];
        const lasting = lastingOf(predicate, table, catalog);
        return lasting === 'no'
          ? []
          : [{ ...predicate, sql: predicate.literal, is_lasting: lasting === 'yes' }];
      }),
    ),
    orders: usage.orders
      .filter(
        (order) => order.length > 0 && order.every((item) => item.relation === position && usable(item)),
      )
      .map((order) => order.map(withCollation)),
    groups: usage.groups
      .filter((group) => group.relation === position && group.operands.every(usable))
      .map((group) => group.operands.map(withCollation)),
    has_limit: usage.has_limit,
  };
}

/** Whether a condition with a constant is the same at the statement's next call: known, likely, or not. */
function lastingOf(
  predicate: UsagePredicate,
  table: AdvisorTable,
  { recurring }: AdvisorCatalog,
): 'yes' | 'likely' | 'no' {
  // Whoever reads a view does not choose what its definition says.
  if (predicate.of_view) return 'yes';
  if (OF_THE_CALL.has(predicate.kind)) return 'no';
  if (recurring !== null && isIdentifier(predicate, table)) return 'no';
  const isRecurring =
    recurring === null || recurring.has(constantKey(table.row.oid, predicate.literal ?? ''));
  const isOther = holdsConstant(predicate);
  if (isOther ? isRecurring : predicate.kind !== 'equality' && predicate.kind !== 'in') return 'yes';
  // Of whatever many values: the one that most rows have is left out for what it means (none), not for this call.
  if (isLeftOut(predicate) && shareOfConstant(predicate, table) >= USUAL)
    return isRecurring ? 'yes' : 'likely';
  const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
  const distinct = distinctCount(column, rowCount(table));
  if (distinct === null || distinct > MAX_STATES) return 'no';
  if (isRecurring) return 'yes';
  // What is left out is the statement's own: nobody's call asks for all but one state.
  if (isOther && predicate.operator !== '=') return 'likely';
  // A file shows one call. What is rare is worth an index of its own whichever call it was: nobody asks for the usual.
  const share = literalSelectivity(predicate, table);
  const even = evenShare(predicate, table, distinct);
  const isFlag = distinct <= FLAG_VALUES && (column?.type === 'boolean' || share <= UNEVEN * even);
  return isFlag || (isKnownShare(predicate) && share < RARE * even) ? 'likely' : 'no';
}

/** Types that things are numbered by. */
const COUNTING: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'uuid']);

/**
 * A number that is part of a key (warehouse, district and number of an order) says which rows are meant and not of what
 * kind they are: the next call has another, however often the files show this one.
 */
function isIdentifier({ column }: UsagePredicate, { columns, indexes }: AdvisorTable): boolean {
  const known = column === null ? undefined : columns.get(column);
  if (known === undefined || !COUNTING.has(known.type)) return false;
  return indexes.some(({ is_unique, key_attnums }) => is_unique && key_attnums.includes(known.attnum));
}

/**
 * `'x' = ANY (list)`, `name NOT LIKE '%x%'`, `state <> 'x'`: one column beside a constant, which is as good as that of an
 * equality. A statement over two columns compares them with each other.
 */
const holdsConstant = ({ kind, columns }: UsagePredicate) => kind === 'other' && columns.length === 1;

/** A rare value has this share of what it would have if all were alike. */
const RARE = 0.5;
/** One of this many times that share is a usual one, whatever a sample's luck. */
const UNEVEN = 1.2;

/** The share of the rows that the constants would have if all values of the column were as frequent. */
function evenShare({ column, values }: UsagePredicate, table: AdvisorTable, distinct: number): number {
  const nulls = table.columns.get(column ?? '')?.stats?.null_frac ?? 0;
  return ((1 - nulls) * new Set(values ?? ['']).size) / distinct;
}

const isKnownShare = ({ kind, values }: UsagePredicate) => kind === 'equality' || values !== undefined;

/** One of each column or expression. */
export function unique<T extends Operand>(operands: T[]): T[] {
  return [
    ...new Map(operands.map((operand) => [operand.column ?? `(${operand.expression})`, operand])).values(),
  ];
}
