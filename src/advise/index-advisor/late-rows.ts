/**
 * Rows that a LIMIT finds late. The planner takes for granted that rows which pass a filter lie evenly in an index's
 * order. A state that statements of the workload set (`UPDATE … SET state = …`) is what it is by age: its rare values,
 * the open ones, lie together at one end of an order that follows the table's own, and a scan in that order may read
 * nearly all rows before it finds them. Files hold what somebody put into them, often reads alone: of a table that none
 * of their statements writes it is not known which columns are set, so each may be.
 */
import {
  PgLuthierError,
  type PredicateKind,
  type StatementUsage,
  type UsageOrder,
  type UsagePredicate,
  type Workload,
  type WorkloadQuery,
} from '../../domain/index.ts';
import { parseArrayText, statementUsage, type UsageCatalog } from '../../workload/index.ts';
import { constantOf, isLeftOut, literalSelectivity, shareOfConstant } from './candidates/literal.ts';
import type { AdvisorCatalog, AdvisorTable } from './catalog.ts';
import { UNLUCKY } from './search/known-plan.ts';
import type { AdvisorStatement } from './statement.ts';

/** Of the rows, at most: more cannot all lie at one end. */
const RARE = 0.1;
/** An order whose values follow the table's own so far (pg_stats.correlation) is one of age. */
const OF_AGE = 0.3;
/** How many times more often than elsewhere the rows are taken to lie last: every other call. */
const TIMES = 10;

/** Conditions on the column of an order that say where in it the scan begins or ends. */
const SEARCHED: ReadonlySet<PredicateKind> = new Set(['equality', 'in', 'range', 'is_null', 'like_prefix']);

const nameOf = (tableOid: number, column: string) => `${tableOid} ${column}`;

/** Whether statements set a column as rows get older, as far as the workload tells. */
export type SetColumns = (tableOid: number, column: string) => boolean;

/** Which columns the workload's statements set; with files, all columns of tables that none of them writes, too. */
export async function columnsSet(
  { queries, source }: Pick<Workload, 'queries' | 'source'>,
  catalog: UsageCatalog,
): Promise<SetColumns> {
  const found = new Set<string>();
  const written = new Set<number>();
  for (const query of queries) {
    if (query.class === 'select') continue;
    for (const { table_oid, columns_written } of await writtenBy(query, catalog)) {
      written.add(table_oid);
      if (query.class !== 'update' && query.class !== 'merge') continue;
      for (const column of columns_written) found.add(nameOf(table_oid, column));
    }
  }
  const mayHide = source === 'files';
  return (oid, column) => found.has(nameOf(oid, column)) || (mayHide && !written.has(oid));
}

async function writtenBy(
  { query }: WorkloadQuery,
  catalog: UsageCatalog,
): Promise<StatementUsage['relations']> {
  try {
    return (await statementUsage(query, catalog)).relations.filter(({ is_written }) => is_written);
  } catch (error) {
    // Why it cannot be read is said where it is to be planned.
    if (error instanceof PgLuthierError) return [];
    throw error;
  }
}

/** Marks the samples of a statement with a LIMIT whose rows come late in its order: likely, or for certain. */
export async function markLateRows(
  { samples, usages: [written] }: AdvisorStatement,
  isSet: SetColumns,
  { catalog, tables }: { catalog: UsageCatalog; tables: AdvisorCatalog['tables'] },
): Promise<void> {
  if (!written?.has_limit) return;
  for (const sample of samples) {
    const usage = await statementUsage(sample.sql, catalog);
    const late = Math.max(timesByAge(usage, isSet, tables), timesByOrder(usage, tables));
    if (late > 1) sample.late_rows = late;
  }
}

/** The leading item of an order, with its table. */
interface Leading {
  item: UsageOrder;
  table: AdvisorTable;
}

function leadingItems({ orders, relations }: StatementUsage, tables: AdvisorCatalog['tables']): Leading[] {
  return orders.flatMap(([item]) => {
    const table = tables.get(relations[item?.relation ?? -1]?.table_oid ?? -1);
    return item === undefined || item.column === null || table === undefined ? [] : [{ item, table }];
  });
}

const conjunctsOn = ({ predicates }: StatementUsage, { item }: Leading): UsagePredicate[] =>
  predicates.filter(
    ({ relation, joins, disjunction }) =>
      relation === item.relation && joins === null && disjunction === null,
  );

/** It orders by a column that follows the table's order, and asks for rare rows by another one that is set. */
function timesByAge(usage: StatementUsage, isSet: SetColumns, tables: AdvisorCatalog['tables']): number {
  const isLate = leadingItems(usage, tables).some((leading) => {
    const { item, table } = leading;
    const correlation = table.columns.get(item.column ?? '')?.stats?.correlation ?? 0;
    if (Math.abs(correlation) < OF_AGE) return false;
    const isNewestFirst = (item.direction === 'desc') === correlation > 0;
    return conjunctsOn(usage, leading).some((predicate) => {
      const { column, kind, literal } = predicate;
      if (column === null || column === item.column || literal === null) return false;
      if (!isSet(table.row.oid, column)) return false;
      // What is not set yet is new, and such an order begins with it.
      if (kind === 'is_null' && isNewestFirst) return false;
      const isKnown = ['equality', 'is_null', 'is_not_null'].includes(kind) || isLeftOut(predicate);
      return isKnown && literalSelectivity(predicate, table) <= RARE;
    });
  });
  return isLate ? TIMES : 1;
}

/**
 * `phrase <> '' ORDER BY phrase`: no index condition leaves the value out, and where it is the first of the order all of
 * its rows are read before any that passes; so are nulls that come first. That is certain, whatever the other rows are.
 */
function timesByOrder(usage: StatementUsage, tables: AdvisorCatalog['tables']): number {
  const times = leadingItems(usage, tables).map((leading) => {
    const { item, table } = leading;
    const own = conjunctsOn(usage, leading);
    const left = own.filter((predicate) => isLeftOut(predicate) && predicate.column === item.column);
    if (left.length === 0) return 1;
    // A condition that an index is searched with keeps the scan from beginning there.
    if (own.some(({ column, kind }) => column === item.column && SEARCHED.has(kind))) return 1;
    const isFirst = (predicate: UsagePredicate) => comesFirst(predicate, item, table);
    const values = left.filter(isFirst).reduce((sum, one) => sum + shareOfConstant(one, table), 0);
    const areNullsFirst = item.nulls === 'first' || (item.nulls === null && item.direction === 'desc');
    const nulls = areNullsFirst ? (table.columns.get(item.column ?? '')?.stats?.null_frac ?? 0) : 0;
    if (values + nulls <= 0) return 1;
    // The risk is of all rows that the filter drops: of several conditions these are a part of it.
    return 1 + (1 / UNLUCKY - 1) * (own.length === left.length ? 1 : Math.min(1, values + nulls));
  });
  return Math.max(1, ...times);
}

/** No other value of the column comes before the constant. Texts' order is the collation's: there, only the empty one is known to. */
function comesFirst(predicate: UsagePredicate, { direction }: UsageOrder, table: AdvisorTable): boolean {
  const constant = constantOf(predicate.literal ?? '');
  const stats = table.columns.get(predicate.column ?? '')?.stats;
  if (constant === null || !stats) return false;
  if (constant === '') return direction === 'asc';
  const values = [stats.most_common_vals, stats.histogram_bounds].flatMap((text) =>
    text === null ? [] : parseArrayText(text),
  );
  const numbers = values.map(Number);
  const own = Number(constant);
  if (numbers.length === 0 || [own, ...numbers].some(Number.isNaN)) return false;
  return numbers.every((value) => (direction === 'asc' ? value >= own : value <= own));
}
