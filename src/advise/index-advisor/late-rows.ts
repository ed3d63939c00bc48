/**
 * Rows that a LIMIT finds late. The planner takes for granted that rows which pass a filter lie evenly in an index's
 * order. A state that statements of the workload set (`UPDATE … SET state = …`) is what it is by age: its rare values,
 * the open ones, lie together at one end of an order that follows the table's own, and a scan in that order may read
 * nearly all rows before it finds them. Files hold what somebody put into them, often reads alone: of a table that none
 * of their statements writes it is not known which columns are set, so each may be.
 */
import {
  PgLuthierError,
  type StatementUsage,
  type Workload,
  type WorkloadQuery,
} from '../../domain/index.ts';
import { statementUsage, type UsageCatalog } from '../../workload/index.ts';
import { literalSelectivity } from './candidates/literal.ts';
import type { AdvisorCatalog, AdvisorTable } from './catalog.ts';
import type { AdvisorStatement } from './statement.ts';

/** Of the rows, at most: more cannot all lie at one end. */
const RARE = 0.1;
/** An order whose values follow the table's own so far (pg_stats.correlation) is one of age. */
const OF_AGE = 0.3;
/** How many times more often than elsewhere the rows are taken to lie last: every other call. */
const TIMES = 10;

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

/** Marks the samples of a statement with a LIMIT that ask for a rare value of a column that is set as rows get older. */
export async function markLateRows(
  { samples, usages: [written] }: AdvisorStatement,
  isSet: SetColumns,
  { catalog, tables }: { catalog: UsageCatalog; tables: AdvisorCatalog['tables'] },
): Promise<void> {
  if (!written?.has_limit || !isAboutAge(written, isSet, tables)) return;
  for (const sample of samples) {
    const usage = await statementUsage(sample.sql, catalog);
    const isRare = usage.predicates.some((predicate) => {
      const oid = usage.relations[predicate.relation]?.table_oid ?? -1;
      const table = tables.get(oid);
      if (table === undefined || predicate.kind !== 'equality' || predicate.literal === null) return false;
      if (predicate.column === null || !isSet(oid, predicate.column)) return false;
      return literalSelectivity(predicate, table) <= RARE;
    });
    if (isRare) sample.late_rows = TIMES;
  }
}

/** It orders by a column that follows the table's order, and compares another one that is set. */
function isAboutAge(
  { predicates, orders, relations }: StatementUsage,
  isSet: SetColumns,
  tables: ReadonlyMap<number, AdvisorTable>,
): boolean {
  return orders.some(([first]) => {
    const oid = first === undefined ? undefined : relations[first.relation]?.table_oid;
    if (first === undefined || oid === undefined || first.column === null) return false;
    const correlation = tables.get(oid)?.columns.get(first.column)?.stats?.correlation ?? 0;
    if (Math.abs(correlation) < OF_AGE) return false;
    return predicates.some(
      ({ relation, kind, column }) =>
        relation === first.relation &&
        kind === 'equality' &&
        column !== null &&
        column !== first.column &&
        isSet(oid, column),
    );
  });
}
