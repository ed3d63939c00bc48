/** The target's schema without its data, object by object: what cannot be rebuilt is left out and said. */
import type pg from 'pg';
import {
  type Limit,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type Snapshot,
  type TableRow,
} from '../../domain/index.ts';

/** Runs DDL where one failure costs one object. */
class Builder {
  readonly limits: Limit[] = [];
  readonly #client: pg.Client;
  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** All at once where that works (one round trip), one by one where something fails. */
  async run(items: { what: string; sql: string }[]): Promise<void> {
    const batchSize = 200;
    for (let start = 0; start < items.length; start += batchSize) {
      const batch = items.slice(start, start + batchSize);
      try {
        await this.#client.query(`BEGIN; ${batch.map((item) => item.sql).join(';\n')}; COMMIT`);
      } catch {
        await this.#client.query('ROLLBACK');
        for (const item of batch) await this.#one(item);
      }
    }
  }

  async #one({ what, sql }: { what: string; sql: string }): Promise<void> {
    try {
      await this.#client.query(sql);
    } catch (error) {
      this.limits.push({
        scope: 'twin',
        code: 'object_not_rebuilt',
        message: `${what} could not be rebuilt in the twin: ${error instanceof Error ? error.message : String(error)}`,
        remedy: null,
      });
    }
  }
}

/** Needed by nothing that is planned, or part of every database. */
const SKIPPED_EXTENSIONS = new Set([
  'plpgsql',
  'pg_stat_statements',
  'hypopg',
  'pageinspect',
  'pgstattuple',
  'pg_buffercache',
]);

/**
 * Builds everything in the order of its needs. Indexes come before partitions are attached: then an attached
 * partition's own index is taken for its parent's, instead of another being made.
 */
export async function buildSchema(client: pg.Client, snapshot: Snapshot): Promise<Limit[]> {
  const builder = new Builder(client);
  const { schema } = snapshot;
  const schemas = new Set([
    ...snapshot.tables.map((table) => table.schema),
    ...schema.enums.map((item) => item.schema),
    ...schema.domains.map((item) => item.schema),
    ...schema.functions.map((item) => item.schema),
    ...schema.views.map((item) => item.schema),
  ]);
  await builder.run(
    [...schemas].map((name) => ({
      what: `schema ${name}`,
      sql: `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(name)}`,
    })),
  );
  await builder.run(
    Object.keys(snapshot.server.extensions)
      .filter((name) => !SKIPPED_EXTENSIONS.has(name))
      .map((name) => ({
        what: `extension ${name}`,
        sql: `CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)} SCHEMA public CASCADE`,
      })),
  );
  await builder.run(
    schema.enums.map((item) => ({
      what: `type ${item.schema}.${item.name}`,
      sql: `CREATE TYPE ${quoteQualified(item.schema, item.name)} AS ENUM (${item.labels.map(quoteLiteral).join(', ')})`,
    })),
  );
  await builder.run(
    schema.domains.map((item) => ({
      what: `domain ${item.schema}.${item.name}`,
      sql: `CREATE DOMAIN ${quoteQualified(item.schema, item.name)} AS ${item.base_type} ${item.not_null ? 'NOT NULL' : ''} ${item.checks.join(' ')}`,
    })),
  );
  await builder.run(
    schema.functions.map((item) => ({ what: `function ${item.schema}.${item.name}`, sql: item.definition })),
  );
  await buildTables(builder, snapshot);
  await builder.run(
    schema.views.map((view) => ({
      what: `view ${view.schema}.${view.name}`,
      sql: `CREATE VIEW ${quoteQualified(view.schema, view.name)} AS ${view.definition.replace(/;\s*$/, '')}`,
    })),
  );
  return builder.limits;
}

async function buildTables(builder: Builder, snapshot: Snapshot): Promise<void> {
  const { schema } = snapshot;
  const byOid = new Map(snapshot.tables.map((table) => [table.oid, table]));
  const columnsOf = new Map<number, string[]>();
  for (const column of snapshot.columns) {
    const list = columnsOf.get(column.table_oid) ?? [];
    list.push(
      [
        quoteIdentifier(column.name),
        column.type,
        column.collation === null ? '' : `COLLATE ${column.collation}`,
        column.not_null ? 'NOT NULL' : '',
      ]
        .filter(Boolean)
        .join(' '),
    );
    columnsOf.set(column.table_oid, list);
  }
  const partitionKeys = new Map(schema.partition_keys.map((item) => [item.table_oid, item.definition]));
  const nameOf = (table: TableRow) => quoteQualified(table.schema, table.name);
  // A materialised view and a foreign table are planned like a table of their size.
  await builder.run(
    snapshot.tables.map((table) => {
      const key = partitionKeys.get(table.oid);
      return {
        what: `table ${table.schema}.${table.name}`,
        sql: `CREATE TABLE ${nameOf(table)} (${(columnsOf.get(table.oid) ?? []).join(', ')})${key ? ` PARTITION BY ${key}` : ''}`,
      };
    }),
  );
  const constraintSql = (types: string[]) =>
    schema.constraints
      .filter((item) => types.includes(item.type) && byOid.has(item.table_oid))
      .map((item) => ({
        what: `constraint ${item.name} of ${item.schema}.${item.table}`,
        sql: `ALTER TABLE ${quoteQualified(item.schema, item.table)} ADD CONSTRAINT ${quoteIdentifier(item.name)} ${item.definition}`,
      }));
  await builder.run(constraintSql(['p', 'u', 'x']));
  const made = new Set(
    schema.constraints
      .filter((item) => item.index_name !== null)
      .map((item) => `${item.schema}.${item.index_name}`),
  );
  await builder.run(
    snapshot.indexes
      .filter((index) => !made.has(`${index.schema}.${index.name}`))
      .map((index) => ({ what: `index ${index.schema}.${index.name}`, sql: index.definition })),
  );
  const parentOf = (oid: number) => byOid.get(oid);
  await builder.run(
    schema.partition_bounds.flatMap((item) => {
      const child = byOid.get(item.table_oid);
      const parent = parentOf(item.parent_oid);
      if (!child || !parent) return [];
      return [
        {
          what: `partition ${child.schema}.${child.name}`,
          sql: `ALTER TABLE ${nameOf(parent)} ATTACH PARTITION ${nameOf(child)} ${item.definition}`,
        },
      ];
    }),
  );
  await builder.run(
    schema.inherits.flatMap((item) => {
      const child = byOid.get(item.table_oid);
      const parent = parentOf(item.parent_oid);
      if (!child || !parent) return [];
      return [
        {
          what: `inheritance of ${child.schema}.${child.name}`,
          sql: `ALTER TABLE ${nameOf(child)} INHERIT ${nameOf(parent)}`,
        },
      ];
    }),
  );
  // A partition's copies of its parent's constraints came with ATTACH: to add them again would fail, and say nothing.
  const inherited = new Set(schema.partition_bounds.map((item) => item.table_oid));
  const later = schema.constraints.filter(
    (item) => ['c', 'f'].includes(item.type) && !inherited.has(item.table_oid),
  );
  await builder.run(
    later.map((item) => ({
      what: `constraint ${item.name} of ${item.schema}.${item.table}`,
      sql: `ALTER TABLE ${quoteQualified(item.schema, item.table)} ADD CONSTRAINT ${quoteIdentifier(item.name)} ${item.definition}`,
    })),
  );
}
