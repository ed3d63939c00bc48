/** Roles, databases, replication's definitions, triggers, extensions, configuration files: each by itself. */
import { z } from 'zod';
import type { InstanceFacts, WalDirectory } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { reloptions } from './reloptions.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();
const maybeText = text.nullable();
const flag = z.boolean();
const number = z.number();

type Row<K extends Exclude<keyof InstanceFacts, 'wal_directory'>> = z.ZodType<
  NonNullable<InstanceFacts[K]>[number]
>;

const roleSchema: Row<'roles'> = z.object({
  oid: number,
  name: text,
  is_superuser: flag,
  can_login: flag,
  can_replicate: flag,
  bypasses_rls: flag,
  connection_limit: number,
  valid_until: maybeText,
  member_of: z.array(text),
});
const tablespaceSchema: Row<'tablespaces'> = z.object({
  oid: number,
  name: text,
  options: reloptions,
  is_default: flag,
});
const databaseSchema: Row<'databases'> = z.object({
  oid: number,
  name: text,
  connection_limit: number,
  encoding: text,
  collation_version: maybeText,
  collation_actual_version: maybeText,
});
const collationSchema: Row<'collations'> = z.object({
  oid: number,
  schema: text,
  name: text,
  provider: text,
  is_deterministic: flag,
  version: maybeText,
  actual_version: maybeText,
});
const publicationSchema: Row<'publications'> = z.object({
  oid: number,
  name: text,
  all_tables: flag,
  inserts: flag,
  updates: flag,
  deletes: flag,
  truncates: flag,
  via_root: flag,
  table_oids: z.array(number),
});
const subscriptionSchema: Row<'subscriptions'> = z.object({
  oid: number,
  name: text,
  enabled: flag,
  slot_name: maybeText,
  publications: z.array(text),
  apply_error_count: number.nullable(),
});
const triggerSchema: Row<'triggers'> = z.object({
  table_oid: number,
  name: text,
  is_internal: flag,
  enabled: text,
  for_each_row: flag,
  is_before: flag,
  on_insert: flag,
  on_delete: flag,
  on_update: flag,
  on_truncate: flag,
});
const extensionSchema: Row<'extensions'> = z.object({
  name: text,
  installed_version: text,
  default_version: maybeText,
});
const definerSchema: Row<'definer_functions'> = z.object({
  oid: number,
  schema: text,
  name: text,
  owner_is_superuser: flag,
  sets_search_path: flag,
  public_may_execute: flag,
  identity_arguments: text,
  is_parsed_early: flag,
});
const rightsSchema = z.object({ file_settings: flag, wal_directory: flag });
const walDirectorySchema: z.ZodType<WalDirectory> = z.object({
  files: number,
  bytes: number,
  archive_ready: number,
});
const fileSettingSchema: Row<'file_settings'> = z.object({
  sourcefile: maybeText,
  sourceline: number.nullable(),
  name: maybeText,
  applied: flag,
  error: maybeText,
});

/** All that moves slowly and belongs to no table's columns or indexes. */
export async function readInstance(reader: Reader): Promise<InstanceFacts> {
  const version = String(reader.session.server_version_num);
  const read = <T>(noun: string, schema: z.ZodType<T>) =>
    readNoun(reader, noun, sqlVariant(noun, version), schema);
  const facts = {
    roles: await read('roles', roleSchema),
    tablespaces: await read('tablespaces', tablespaceSchema),
    databases: await read('database-facts', databaseSchema),
    collations: await read('collation-versions', collationSchema),
    publications: await read('publications', publicationSchema),
    subscriptions: await read('subscriptions', subscriptionSchema),
    triggers: await read('triggers', triggerSchema),
    extensions: await read('extension-versions', extensionSchema),
    definer_functions: await read('definer-functions', definerSchema),
  };
  const [rights] = await read('instance-rights', rightsSchema);
  return {
    ...facts,
    file_settings: rights?.file_settings ? await read('file-settings', fileSettingSchema) : null,
    wal_directory: rights?.wal_directory
      ? ((await read('wal-directory', walDirectorySchema))[0] ?? null)
      : null,
  };
}
