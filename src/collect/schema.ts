/** What a twin needs beyond tables, indexes and columns. */
import { z } from 'zod';
import type { Capabilities, PolicyRow, SchemaFacts } from '../domain/index.ts';
import { readExpressionStatistics } from './expression-statistics.ts';
import { readExtendedStatistics } from './extended-statistics.ts';
import { readFunctions } from './functions.ts';
import { type Reader, readNoun, readNounOfTables } from './reader.ts';
import { reloptions } from './reloptions.ts';
import { loadGrammar, withoutSecrets } from './secrets.ts';
import { readSequences } from './sequences.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();
const texts = z.array(z.string());

const enumSchema: z.ZodType<SchemaFacts['enums'][number]> = z.object({
  schema: text,
  name: text,
  labels: texts,
});
const domainSchema: z.ZodType<SchemaFacts['domains'][number]> = z.object({
  schema: text,
  name: text,
  base_type: text,
  not_null: z.boolean(),
  checks: texts,
});
const constraintSchema: z.ZodType<SchemaFacts['constraints'][number]> = z.object({
  schema: text,
  table: text,
  table_oid: z.number(),
  name: text,
  type: text,
  definition: text,
  valid: z.boolean(),
  referenced_oid: z.number().nullable(),
  columns: texts,
  referenced_columns: texts,
  index_name: text.nullable(),
});
const partitionKeySchema = z.object({ table_oid: z.number(), definition: text });
const partitionBoundSchema = z.object({ table_oid: z.number(), parent_oid: z.number(), definition: text });
const inheritsSchema = z.object({ table_oid: z.number(), parent_oid: z.number() });
const viewSchema = z.object({
  oid: z.number(),
  schema: text,
  name: text,
  // A constant given to dblink() or its like.
  definition: text.transform(withoutSecrets),
  owner: text,
  reloptions,
});
const expression = text
  .nullable()
  .transform((found) => found && withoutSecrets(`SELECT ${found}`).slice('SELECT '.length));
const policySchema: z.ZodType<PolicyRow> = z.object({
  table_oid: z.number(),
  name: text,
  permissive: z.boolean(),
  command: text,
  roles: texts,
  using_expression: expression,
  check_expression: expression,
});
const definitionSchema = z.object({ kind: text, schema: text, name: text, definition: text });
const compositeSchema: z.ZodType<SchemaFacts['composite_types'][number]> = z.object({
  schema: text,
  name: text,
  attributes: z.array(z.object({ name: text, type: text })),
});
const rangeSchema: z.ZodType<SchemaFacts['range_types'][number]> = z.object({
  schema: text,
  name: text,
  subtype: text,
  subtype_opclass: text.nullable(),
  collation: text.nullable(),
  subtype_diff: text.nullable(),
});
const levelSchema = z.object({ oid: z.number(), level: z.number() });

/**
 * Types, constraints, partitioning, views, functions; each by itself.
 * @param relations OIDs of users' tables.
 */
export async function readSchema(
  reader: Reader,
  capabilities: Capabilities,
  relations: readonly number[],
): Promise<SchemaFacts> {
  const version = String(reader.session.server_version_num);
  const read = <T>(noun: string, schema: z.ZodType<T>) =>
    readNoun(reader, noun, sqlVariant(noun, version), schema);
  return {
    enums: await read('enums', enumSchema),
    domains: await read('domains', domainSchema),
    constraints: await readConstraints(reader, version, relations),
    partition_keys: await read('partition-keys', partitionKeySchema),
    partition_bounds: await read('partition-bounds', partitionBoundSchema),
    inherits: await read('inherits', inheritsSchema),
    views: await loadGrammar().then(() => read('views', viewSchema)),
    policies: await read('policies', policySchema),
    functions: await readFunctions(reader),
    definitions: await read('definitions', definitionSchema),
    composite_types: await read('composite-types', compositeSchema),
    range_types: await read('range-types', rangeSchema),
    sequences: await readSequences(reader),
    extended_statistics: await readExtendedStatistics(reader),
    expression_stats: await readExpressionStatistics(reader, relations),
    btree_levels: await readLevels(reader, capabilities, version),
  };
}

/** By table, kind and name: a restored schema needs the keys (p, u) of all tables before foreign keys of any. */
async function readConstraints(reader: Reader, version: string, relations: readonly number[]) {
  const sql = sqlVariant('constraints', version);
  const rows = await readNounOfTables(reader, 'constraints', sql, constraintSchema, relations);
  const key = (row: (typeof rows)[number]) => [row.schema, row.table, row.type, row.name];
  return rows
    .map((row) => ({ row, key: key(row).join('\u0000') }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ row }) => row);
}

/** Heights come from pageinspect where it happens to be there; without it the size model estimates them, which is no limit worth a word. */
async function readLevels(
  reader: Reader,
  capabilities: Capabilities,
  version: string,
): Promise<Record<string, number>> {
  if (!capabilities.is_superuser || capabilities.extensions.pageinspect === undefined) return {};
  const [place] = await readNoun(
    reader,
    'btree-levels',
    "SELECT nspname::text AS schema FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pageinspect'",
    z.object({ schema: text }),
    [],
  );
  if (!place) return {};
  const rows = await readNoun(
    reader,
    'btree-levels',
    sqlVariant('btree-levels', version, { extension_schema: place.schema }),
    levelSchema,
  );
  return Object.fromEntries(rows.map((row) => [String(row.oid), row.level]));
}
