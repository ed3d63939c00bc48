/**
 * Columns that the workload compares, or groups by, together, where what came back shows that they are not independent:
 * more rows than their most common values could bring about together, or far fewer groups than the product of theirs.
 */
import type { ColumnRow, RuleContext, UsageRelation } from '../../domain/index.ts';
import { returnedRows } from '../../workload/index.ts';
import { type AdvisorCatalog, type AdvisorTable, distinctCount, rowCount } from '../index-advisor/catalog.ts';
import type { AdvisorStatement } from '../index-advisor/statement.ts';

/** Smaller tables are read whole, whatever is thought of them. */
const MINIMUM_ROWS = 10_000;
/** A mean of fewer calls says little. */
const MINIMUM_CALLS = 10;
/** Estimates that are off by less are ordinary. */
export const MISESTIMATE = 10;
/** Extended statistics take eight columns (STATS_MAX_DIMENSIONS); the work of ANALYZE grows with their combinations. */
const MOST_COLUMNS = 4;

export interface ColumnGroup {
  table: AdvisorTable;
  columns: string[];
  kind: 'dependencies' | 'ndistinct';
  /** The statement whose rows tell. */
  statement: AdvisorStatement;
  /** Rows, or groups, a call. */
  observed: number;
  /** The most (rows) or the least (groups) that there would be if the columns were independent. */
  independent: number;
  /** How `independent` was worked out. */
  formula: string;
}

export interface RejectedGroup {
  table: AdvisorTable;
  columns: string[];
  code: string;
  reason: string;
}

/** Groups, the furthest off first, each set of columns once a kind. */
export async function correlatedGroups(
  context: RuleContext,
  catalog: AdvisorCatalog,
  statements: readonly AdvisorStatement[],
): Promise<{ groups: ColumnGroup[]; rejected: RejectedGroup[] }> {
  const groups: ColumnGroup[] = [];
  const rejected: RejectedGroup[] = [];
  for (const statement of statements) {
    if (statement.query.calls < MINIMUM_CALLS) continue;
    const returned = await returnedRows(statement.query);
    if (returned === null) continue;
    const found =
      returned.of === 'groups'
        ? groupedOf(statement, catalog, returned.per_call)
        : comparedOf(statement, catalog, returned.per_call, context);
    for (const each of found) {
      if ('code' in each) rejected.push(each);
      else groups.push(each);
    }
  }
  const off = ({ observed, independent }: ColumnGroup) =>
    Math.max(observed / independent, independent / observed);
  const unique = new Map<string, ColumnGroup>();
  for (const group of groups.toSorted((a, b) => off(b) - off(a))) {
    const key = `${group.table.row.oid} ${group.kind} ${group.columns.join('\u0000')}`;
    if (!unique.has(key)) unique.set(key, group);
  }
  return { groups: [...unique.values()], rejected };
}

/** Each relation on which two and more columns are compared for equality, and whose rows no join multiplies. */
function comparedOf(
  statement: AdvisorStatement,
  catalog: AdvisorCatalog,
  observed: number,
  { snapshot }: RuleContext,
): (ColumnGroup | RejectedGroup)[] {
  const [usage] = statement.usages;
  if (!usage) return [];
  return usage.relations.flatMap((relation, position): (ColumnGroup | RejectedGroup)[] => {
    const table = catalog.tables.get(relation.table_oid);
    if (!table || rowCount(table) < MINIMUM_ROWS || snapshot.server.in_recovery) return [];
    const columns = equalColumns(statement, position);
    if (columns.length < 2 || columns.length > MOST_COLUMNS) return [];
    const isOnePer = (other: UsageRelation, at: number) =>
      at === position || isUniquePer(statement, at, catalog.tables.get(other.table_oid));
    if (!usage.relations.every(isOnePer)) return [];
    const rows = rowCount(table);
    const shares = columns.map((name) => largestShare(table.columns.get(name), rows));
    if (shares.some((share) => share === null)) return [];
    const known = shares.map((share) => share ?? 1);
    const independent = rows * known.reduce((product, share) => product * share, 1);
    if (observed < MISESTIMATE * Math.max(1, independent)) return [];
    const most = rows * Math.min(...known);
    if (observed > 1.5 * most) {
      const reason = `a call returns ${Math.round(observed)} rows, more than even one of the columns alone allows (${Math.round(most)}): their statistics are out of date`;
      return [{ table, columns, code: 'not_explained', reason }];
    }
    return [
      {
        table,
        columns,
        kind: 'dependencies' as const,
        statement,
        observed,
        independent,
        formula: `${Math.round(rows)} rows × ${known.map((share) => share.toPrecision(3)).join(' × ')}: shares of the most common value of ${columns.join(', ')} (pg_stats)`,
      },
    ];
  });
}

/** Columns of one relation that the statement compares with constants or parameters, all together. */
export function equalColumns(statement: AdvisorStatement, relation: number): string[] {
  const names = (statement.usages[0]?.predicates ?? [])
    .filter(
      (predicate) =>
        predicate.relation === relation &&
        predicate.kind === 'equality' &&
        predicate.joins === null &&
        predicate.disjunction === null,
    )
    .flatMap(({ column }) => column ?? []);
  return [...new Set(names)].sort();
}

/** At most one of its rows goes with each row of the others: all keys of a unique index are compared for equality. */
function isUniquePer(
  statement: AdvisorStatement,
  relation: number,
  table: AdvisorTable | undefined,
): boolean {
  const compared = new Set(
    (statement.usages[0]?.predicates ?? [])
      .filter(
        (predicate) =>
          predicate.relation === relation && predicate.kind === 'equality' && predicate.disjunction === null,
      )
      .map(({ column }) => table?.columns.get(column ?? '')?.attnum),
  );
  return (table?.indexes ?? []).some(
    (index) =>
      index.is_unique &&
      index.is_valid &&
      index.predicate === null &&
      index.key_attnums.every((attnum) => attnum !== 0 && compared.has(attnum)),
  );
}

/** The share of the rows that the most common value has: no other value has more. Null: not known. */
function largestShare(column: ColumnRow | undefined, rows: number): number | null {
  const stats = column?.stats;
  const distinct = distinctCount(column, rows);
  if (!stats || distinct === null) return null;
  const common = stats.most_common_freqs ?? [];
  const rest = 1 - stats.null_frac - common.reduce((sum, share) => sum + share, 0);
  const others = Math.max(1, distinct - common.length);
  // Values that are not listed share what is left.
  return Math.max(common[0] ?? 0, Math.max(0, rest) / others, 1 / Math.max(1, rows));
}

/** The columns that a whole table is grouped by. */
function groupedOf(statement: AdvisorStatement, catalog: AdvisorCatalog, observed: number): ColumnGroup[] {
  const [usage] = statement.usages;
  const table = catalog.tables.get(usage?.relations[0]?.table_oid ?? 0);
  const [group] = usage?.groups ?? [];
  if (!table || !group || usage?.groups.length !== 1 || rowCount(table) < MINIMUM_ROWS) return [];
  const columns = [...new Set(group.operands.flatMap(({ column }) => column ?? []))].sort();
  if (columns.length !== group.operands.length || columns.length > MOST_COLUMNS || observed < 1) return [];
  const rows = rowCount(table);
  const distinct = columns.map((name) => distinctCount(table.columns.get(name), rows));
  if (distinct.some((each) => each === null)) return [];
  // estimate_num_groups() (selfuncs.c) takes the product, but no more than a tenth of the rows.
  const product = distinct.reduce<number>((all, each) => all * (each ?? 1), 1);
  const independent = Math.min(product, Math.max(rows / 10, ...distinct.map((each) => each ?? 1)));
  if (independent < MISESTIMATE * observed) return [];
  return [
    {
      table,
      columns,
      kind: 'ndistinct',
      statement,
      observed,
      independent,
      formula: `the lesser of ${distinct.map((each) => Math.round(each ?? 1)).join(' × ')} and a tenth of ${Math.round(rows)} rows: distinct values of ${columns.join(', ')} (pg_stats)`,
    },
  ];
}
