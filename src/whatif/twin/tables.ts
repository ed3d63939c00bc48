/** Tables with all that the planner reads of them: columns, keys, indexes, partitions, inheritance, constraints. */
import type pg from 'pg';
import {
  type ColumnRow,
  type Limit,
  quoteIdentifier,
  quoteQualified,
  type SchemaFacts,
  type Snapshot,
  type TableRow,
} from '../../domain/index.ts';
import type { Builder, Definition } from './builder.ts';

/** Storage parameters of a table that change plans or estimates. */
const PLANNED_OPTIONS = ['parallel_workers', 'fillfactor'];

/**
 * Indexes and checks come before partitions are attached: then an attached partition's own index is taken for its
 * parent's, instead of another being made, and its own checks are merged with its parent's.
 */
export async function buildTables(
  builder: Builder,
  client: pg.Client,
  snapshot: Snapshot,
  major: number,
): Promise<Limit[]> {
  const { schema } = snapshot;
  const byOid = new Map(snapshot.tables.map((table) => [table.oid, table]));
  const partitionKeys = new Map(schema.partition_keys.map((item) => [item.table_oid, item.definition]));
  const limits: Limit[] = [];
  // A column may be of another table's row type: tables whose columns' types are known come first.
  for (let left = snapshot.tables; left.length > 0; ) {
    const { columns, lacking, limits: said } = await describeColumns(client, snapshot, left, major);
    const complete = left.filter((table) => !lacking.has(table.oid));
    const next = complete.length > 0 ? complete : left;
    // A materialised view and a foreign table are planned like a table of their size.
    await builder.run(
      next.map((table) => ({
        what: `table ${table.schema}.${table.name}`,
        sql: tableSql(table, columns.get(table.oid) ?? [], partitionKeys.get(table.oid)),
      })),
    );
    const built = new Set(next);
    limits.push(...said.filter(({ table }) => built.has(table)).map(({ limit }) => limit));
    left = left.filter((table) => !built.has(table));
  }
  const constraints = schema.constraints.filter((item) => byOid.has(item.table_oid));
  const ofType = (...types: string[]) => constraints.filter((item) => types.includes(item.type));
  await builder.run(ofType('p', 'u', 'x').map(constraintSql));
  const made = new Set(
    ofType('p', 'u', 'x').flatMap((item) =>
      item.index_name === null ? [] : [quoteQualified(item.schema, item.index_name)],
    ),
  );
  await builder.run(
    snapshot.indexes
      .filter((index) => !made.has(quoteQualified(index.schema, index.name)))
      .map((index) => ({ what: `index ${index.schema}.${index.name}`, sql: index.definition })),
  );
  await builder.run(ofType('c').map(constraintSql));
  const joined = (
    item: { table_oid: number; parent_oid: number },
    sql: (child: string, parent: string) => string,
  ): Definition[] => {
    const child = byOid.get(item.table_oid);
    const parent = byOid.get(item.parent_oid);
    if (!child || !parent) return [];
    return [
      { what: `${child.schema}.${child.name} under its parent`, sql: sql(nameOf(child), nameOf(parent)) },
    ];
  };
  await builder.run([
    ...schema.partition_bounds.flatMap((item) =>
      joined(item, (child, parent) => `ALTER TABLE ${parent} ATTACH PARTITION ${child} ${item.definition}`),
    ),
    ...schema.inherits.flatMap((item) =>
      joined(item, (child, parent) => `ALTER TABLE ${child} INHERIT ${parent}`),
    ),
  ]);
  await builder.run(
    ownForeignKeys(schema)
      .filter((item) => byOid.has(item.table_oid))
      .map(constraintSql),
  );
  return [...limits, ...foreignTables(snapshot)];
}

const nameOf = (table: TableRow) => quoteQualified(table.schema, table.name);

function tableSql(table: TableRow, columns: readonly string[], partitionKey: string | undefined): string {
  const options = PLANNED_OPTIONS.flatMap((name) => {
    const value = table.reloptions[name];
    return table.relkind !== 'p' && value !== undefined && /^\d+$/.test(value) ? [`${name} = ${value}`] : [];
  });
  return [
    `CREATE TABLE ${nameOf(table)} (${columns.join(', ')})`,
    partitionKey === undefined ? '' : `PARTITION BY ${partitionKey}`,
    options.length > 0 ? `WITH (${options.join(', ')})` : '',
  ]
    .filter(Boolean)
    .join(' ');
}

function constraintSql(item: SchemaFacts['constraints'][number]): Definition {
  return {
    what: `constraint ${item.name} of ${item.schema}.${item.table}`,
    sql: `ALTER TABLE ${quoteQualified(item.schema, item.table)} ADD CONSTRAINT ${quoteIdentifier(item.name)} ${item.definition}`,
  };
}

/** Foreign keys as they were declared: those that a partition has from its parent, or towards one, come by themselves. */
function ownForeignKeys(schema: SchemaFacts): SchemaFacts['constraints'] {
  const parents = new Map(schema.partition_bounds.map((item) => [item.table_oid, item.parent_oid]));
  const lineage = (oid: number | null): number[] => {
    const line: number[] = [];
    for (let next = oid ?? undefined; next !== undefined; next = parents.get(next)) line.push(next);
    return line;
  };
  const keys = schema.constraints.filter((item) => item.type === 'f');
  const identity = (table: number, referenced: number | null, columns: readonly string[]) =>
    JSON.stringify([table, referenced, columns]);
  const declared = new Set(
    keys.map((item) =>
      identity(item.table_oid, item.referenced_oid, [...item.columns, ...item.referenced_columns]),
    ),
  );
  return keys.filter((item) => {
    const columns = [...item.columns, ...item.referenced_columns];
    return !lineage(item.table_oid).some((table) =>
      lineage(item.referenced_oid).some(
        (referenced) =>
          (table !== item.table_oid || referenced !== item.referenced_oid) &&
          declared.has(identity(table, referenced, columns)),
      ),
    );
  });
}

interface DescribedColumns {
  /** Definitions by table OID. */
  columns: Map<number, string[]>;
  /** OIDs of tables with a column whose type is not there. */
  lacking: Set<number>;
  limits: { table: TableRow; limit: Limit }[];
}

/**
 * Column definitions. A default does not change a plan and is left out; what a stored generated column holds comes with
 * its statistics, but a virtual one is replaced by its expression in every plan.
 */
async function describeColumns(
  client: pg.Client,
  snapshot: Snapshot,
  tables: readonly TableRow[],
  major: number,
): Promise<DescribedColumns> {
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const own = snapshot.columns.filter((column) => byOid.has(column.table_oid));
  const missing = await missingNames(client, own);
  const described: DescribedColumns = { columns: new Map(), lacking: new Set(), limits: [] };
  for (const column of own) {
    const table = byOid.get(column.table_oid);
    if (!table) continue;
    const where = `${column.schema}.${column.table}.${column.name}`;
    const say = (code: string, message: string) =>
      described.limits.push({ table, limit: { scope: 'twin', code, message, remedy: null } });
    const list = described.columns.get(column.table_oid) ?? [];
    described.columns.set(column.table_oid, list);
    if (missing.types.has(column.type)) {
      described.lacking.add(column.table_oid);
      say(
        'column_left_out',
        `The twin does not know type ${column.type}: ${where} is left out, and statements that use it are not simulated.`,
      );
      continue;
    }
    const collation =
      column.collation !== null && missing.collations.has(column.collation) ? null : column.collation;
    if (collation !== column.collation) {
      say(
        'twin_collation_substituted',
        `The twin does not know collation ${column.collation} of ${where} and compares by the database's.`,
      );
    }
    list.push(
      [
        quoteIdentifier(column.name),
        column.type,
        collation === null ? '' : `COLLATE ${collation}`,
        major >= 18 && column.generated === 'v' && column.default_expression !== null
          ? `GENERATED ALWAYS AS (${column.default_expression}) VIRTUAL`
          : '',
        column.not_null ? 'NOT NULL' : '',
      ]
        .filter(Boolean)
        .join(' '),
    );
  }
  return described;
}

/** Types and collations of columns that this server has not. */
async function missingNames(
  client: pg.Client,
  columns: readonly ColumnRow[],
): Promise<{ types: Set<string>; collations: Set<string> }> {
  const unknown = async (resolve: string, names: (string | null)[]): Promise<Set<string>> => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT name FROM unnest($1::text[]) AS name WHERE ${resolve}(name) IS NULL`,
      [[...new Set(names.filter((name) => name !== null))]],
    );
    return new Set(rows.map((row) => row.name));
  };
  return {
    types: await unknown(
      'to_regtype',
      columns.map((column) => column.type),
    ),
    collations: await unknown(
      'to_regcollation',
      columns.map((column) => column.collation),
    ),
  };
}

function foreignTables(snapshot: Snapshot): Limit[] {
  const names = snapshot.tables.filter((table) => table.relkind === 'f').map(nameOf);
  if (names.length === 0) return [];
  return [
    {
      scope: 'twin',
      code: 'foreign_table_as_local',
      message: `Foreign tables are planned as if they were local: ${names.slice(0, 5).join(', ')}${names.length > 5 ? `, … (${names.length})` : ''}.`,
      remedy: null,
    },
  ];
}
