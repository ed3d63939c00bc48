/** The snapshot as the index advisor looks things up in it. */
import type { ColumnRow, IndexRow, Snapshot, TableRow } from '../../domain/index.ts';
import { SAMPLED_ROWS_PER_TARGET } from './alike-groups.ts';
import { type SchemaNames, schemaNames } from './naming.ts';

export interface AdvisorTable {
  /** A partitioned table's has its leaf partitions' pages, rows and counters together. */
  row: TableRow;
  columns: Map<string, ColumnRow>;
  indexes: IndexRow[];
  /** Of its schema. */
  names: SchemaNames;
  /** Rows of the tables that its foreign keys of one column refer to, by the column. */
  referred: Map<string, number>;
  /** Rows that ANALYZE looks at: as many as the column of the highest target wants. */
  sampled_rows: number;
  /** OIDs of a partitioned table's leaf partitions; absent: it holds its rows itself. */
  leaves?: readonly number[];
  /** Tables that inherit from it and are no partitions, those below them with them: a statement over it reads them, too. */
  heirs?: readonly AdvisorTable[];
}

export interface AdvisorCatalog {
  tables: Map<number, AdvisorTable>;
  /** A plain B-tree serves LIKE 'x%' only where texts sort by their bytes. */
  sorts_by_bytes: boolean;
  /** Installed extensions with their versions. */
  extensions: ReadonlyMap<string, string>;
  major: number;
  /**
   * Constants that stand in more than one place of the workload, by `constantKey`. Null: a constant that a statement
   * shows is part of it wherever it stands (pg_stat_statements replaces the others).
   */
  recurring: ReadonlySet<string> | null;
}

/** PostgreSQL's own default_statistics_target. */
const DEFAULT_STATISTICS_TARGET = 100;

/** A condition of a table as the statements write it. */
export const constantKey = (tableOid: number, literal: string) => `${tableOid} ${literal}`;

export function advisorCatalog(snapshot: Snapshot): AdvisorCatalog {
  const target = snapshot.settings.find(({ name }) => name === 'default_statistics_target')?.setting;
  const tables = new Map<number, AdvisorTable>(
    snapshot.tables.map((row) => [
      row.oid,
      {
        row,
        columns: new Map(),
        indexes: [],
        names: schemaNames(snapshot, row.schema),
        referred: new Map(),
        sampled_rows: SAMPLED_ROWS_PER_TARGET * Number(target ?? DEFAULT_STATISTICS_TARGET),
      },
    ]),
  );
  for (const column of snapshot.columns) {
    const table = tables.get(column.table_oid);
    table?.columns.set(column.name, column);
    const wanted = SAMPLED_ROWS_PER_TARGET * (column.stattarget ?? 0);
    if (table && wanted > table.sampled_rows) table.sampled_rows = wanted;
  }
  for (const index of snapshot.indexes) tables.get(index.table_oid)?.indexes.push(index);
  const children = childrenOf(tables, (row) => row.is_partition);
  const inheriting = childrenOf(tables, (row) => !row.is_partition);
  for (const table of tables.values()) {
    if (table.row.relkind === 'p') sumUp(table, leavesOf(table, children));
    const heirs = new Set(inheriting.get(table.row.oid) ?? []);
    // A set's iteration reaches what is added meanwhile.
    for (const heir of heirs) for (const below of inheriting.get(heir.row.oid) ?? []) heirs.add(below);
    if (heirs.size > 0) table.heirs = [...heirs];
  }
  for (const { table_oid, type, columns, referenced_oid, valid } of snapshot.schema.constraints) {
    const [column, ...more] = columns;
    const referred = tables.get(referenced_oid ?? 0);
    if (type !== 'f' || !valid || column === undefined || more.length > 0 || !referred) continue;
    tables.get(table_oid)?.referred.set(column, rowCount(referred));
  }
  return {
    tables,
    sorts_by_bytes: sortsByBytes(snapshot),
    extensions: new Map(Object.entries(snapshot.server.extensions)),
    major: Math.floor(snapshot.server.server_version_num / 10_000),
    recurring: null,
  };
}

/** The database's own collation: the builtin provider's all sort by code point; ICU and other libc locales do not. */
export function sortsByBytes({ server: { lc_collate, locale_provider } }: Pick<Snapshot, 'server'>): boolean {
  return locale_provider === 'b' || (locale_provider !== 'i' && ['C', 'POSIX'].includes(lc_collate ?? ''));
}

function childrenOf(
  tables: ReadonlyMap<number, AdvisorTable>,
  counts: (row: TableRow) => boolean,
): Map<number, AdvisorTable[]> {
  const children = new Map<number, AdvisorTable[]>();
  for (const table of tables.values()) {
    const parent = table.row.parent_oid;
    if (parent === null || !counts(table.row)) continue;
    const siblings = children.get(parent);
    if (siblings) siblings.push(table);
    else children.set(parent, [table]);
  }
  return children;
}

/** Partitions that hold rows, of a partitioned table and of those below it. */
function leavesOf(table: AdvisorTable, children: ReadonlyMap<number, AdvisorTable[]>): AdvisorTable[] {
  return (children.get(table.row.oid) ?? []).flatMap((child) =>
    child.row.relkind === 'p' ? leavesOf(child, children) : [child],
  );
}

/** Counters and sizes that a partitioned table's own row has none of: its leaves hold the rows. */
const SUMMED = [
  'relpages',
  'relallvisible',
  'main_pages',
  'n_live_tup',
  'n_tup_ins',
  'n_tup_upd',
  'n_tup_del',
  'n_tup_hot_upd',
] as const satisfies readonly (keyof TableRow)[];

/**
 * What is known of the leaves, said of the partitioned table: sizes summed; statistics of the largest leaf where the
 * whole tree was never analysed (autovacuum does not do it); and those indexes that every leaf has by itself, for a
 * parent's index would only be made of them.
 */
function sumUp(table: AdvisorTable, leaves: readonly AdvisorTable[]): void {
  const row: TableRow = { ...table.row, reltuples: 0 };
  for (const name of SUMMED) row[name] = leaves.reduce((sum, leaf) => sum + leaf.row[name], 0);
  row.reltuples = leaves.reduce((sum, leaf) => sum + (leaf.row.reltuples < 0 ? 0 : rowCount(leaf)), 0);
  table.row = row;
  table.leaves = leaves.map((leaf) => leaf.row.oid);
  const largest = leaves.toSorted((a, b) => b.row.main_pages - a.row.main_pages)[0];
  for (const [name, column] of table.columns) {
    const stats = column.stats ?? largest?.columns.get(name)?.stats ?? null;
    if (stats !== column.stats) table.columns.set(name, { ...column, stats });
  }
  const shape = (index: IndexRow) =>
    JSON.stringify([
      index.method,
      index.keys,
      index.opclasses,
      index.collations,
      index.options,
      index.include,
      index.predicate,
      index.is_valid,
    ]);
  const [first, ...others] = leaves;
  const held = others.map((leaf) => new Set(leaf.indexes.map(shape)));
  const own = new Set(table.indexes.map(shape));
  for (const index of first?.indexes ?? []) {
    const wanted = shape(index);
    if (!own.has(wanted) && held.every((shapes) => shapes.has(wanted))) table.indexes.push(index);
  }
}

/** Rows of a table as last known; never below 1. */
export function rowCount(table: AdvisorTable): number {
  const { reltuples, relpages, main_pages, n_live_tup, relkind } = table.row;
  // Summed over its leaves already.
  if (relkind === 'p') return Math.max(1, reltuples, n_live_tup);
  if (reltuples <= 0) return Math.max(1, n_live_tup);
  // As the planner does: the density of the last look, over the pages of today.
  return Math.max(1, relpages > 0 ? (reltuples / relpages) * main_pages : reltuples);
}

/** Distinct values of a column, of `rows` rows; null: no statistics. */
export function distinctCount(column: ColumnRow | undefined, rows: number): number | null {
  const n = column?.stats?.n_distinct;
  if (n === undefined || n === 0) return null;
  return Math.max(1, n > 0 ? n : -n * rows);
}
