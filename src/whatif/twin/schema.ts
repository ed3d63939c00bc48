/** The target's schema without its data, object by object: what cannot be rebuilt is left out and said. */
import type pg from 'pg';
import {
  type Limit,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type SchemaFacts,
  type Snapshot,
} from '../../domain/index.ts';
import { Builder, type Definition } from './builder.ts';
import { functionDefinition, markLeakproof, stubLimits } from './functions.ts';
import { buildTables } from './tables.ts';

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
 * Builds everything. Extensions are the superuser's, all else is the owner's.
 * @param owner a session of a role without special rights that may create in this database.
 */
export async function buildSchema(
  admin: pg.Client,
  owner: pg.Client,
  snapshot: Snapshot,
  major: number,
): Promise<Limit[]> {
  const builder = new Builder(owner);
  const { schema } = snapshot;
  const extensionSchemas = snapshot.server.extension_schemas ?? {};
  const schemas = new Set(
    [
      ...snapshot.tables,
      ...schema.enums,
      ...schema.domains,
      ...schema.composite_types,
      ...schema.range_types,
      ...schema.functions,
      ...(schema.definitions ?? []).filter((item) => item.schema !== ''),
      ...schema.views,
      ...schema.extended_statistics,
    ].map((item) => item.schema),
  );
  for (const name of Object.values(extensionSchemas)) if (!name.startsWith('pg_')) schemas.add(name);
  await builder.run(
    [...schemas].map((name) => ({
      what: `schema ${name}`,
      sql: `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(name)}`,
    })),
  );
  const extensions = new Builder(admin);
  await extensions.run(
    Object.keys(snapshot.server.extensions)
      .filter((name) => !SKIPPED_EXTENSIONS.has(name))
      .map((name) => ({
        what: `extension ${name}`,
        sql: `CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)} SCHEMA ${quoteIdentifier(extensionSchemas[name] ?? 'public')} CASCADE`,
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
      sql: `CREATE DOMAIN ${quoteQualified(item.schema, item.name)} AS ${item.base_type}`,
    })),
  );
  await builder.run([...schema.range_types.map(rangeType), ...schema.composite_types.map(compositeType)]);
  await builder.run(schema.functions.map(functionDefinition));
  await builder.run(
    (schema.definitions ?? []).map((item) => ({
      what: `${item.kind} ${item.schema === '' ? '' : `${item.schema}.`}${item.name}`,
      sql: item.definition,
    })),
  );
  // A function may take a domain, and types are made of one another. What domains check comes later (domains.ts).
  await builder.retry();
  const tableLimits = await buildTables(builder, owner, snapshot, major);
  await builder.run(
    schema.extended_statistics.map((item) => ({
      what: `statistics ${item.schema}.${item.name}`,
      sql: item.definition,
    })),
  );
  await builder.run(
    schema.views.map((view) => ({
      what: `view ${view.schema}.${view.name}`,
      sql: `CREATE VIEW ${quoteQualified(view.schema, view.name)}${viewOptions(view)} AS ${view.definition.replace(/;\s*$/, '')}`,
    })),
  );
  await builder.retry();
  await markLeakproof(admin, schema.functions);
  return [...extensions.limits(), ...builder.limits(), ...tableLimits, ...stubLimits(schema.functions)];
}

/** Options that change plans: whose policies what it reads has, what is looked at before its own conditions. */
function viewOptions({ reloptions = {} }: SchemaFacts['views'][number]): string {
  const options = ['security_barrier', 'security_invoker', 'check_option'].flatMap((name) =>
    reloptions[name] === undefined ? [] : [`${name} = ${quoteLiteral(reloptions[name])}`],
  );
  return options.length > 0 ? ` WITH (${options.join(', ')})` : '';
}

/** Its multirange is made along with it, under the name that the server derives. */
function rangeType(item: SchemaFacts['range_types'][number]): Definition {
  const options = [
    `SUBTYPE = ${item.subtype}`,
    ...(item.subtype_opclass === null ? [] : [`SUBTYPE_OPCLASS = ${item.subtype_opclass}`]),
    ...(item.collation === null ? [] : [`COLLATION = ${item.collation}`]),
    // One of the target's own would have to be there before its type is.
    ...(item.subtype_diff?.startsWith('pg_catalog.') ? [`SUBTYPE_DIFF = ${item.subtype_diff}`] : []),
  ];
  return {
    what: `type ${item.schema}.${item.name}`,
    sql: `CREATE TYPE ${quoteQualified(item.schema, item.name)} AS RANGE (${options.join(', ')})`,
  };
}

function compositeType(item: SchemaFacts['composite_types'][number]): Definition {
  const attributes = item.attributes.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
  return {
    what: `type ${item.schema}.${item.name}`,
    sql: `CREATE TYPE ${quoteQualified(item.schema, item.name)} AS (${attributes.join(', ')})`,
  };
}
