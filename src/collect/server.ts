/** The server and the database as such. */
import { z } from 'zod';
import { type Capabilities, PgLuthierError, quoteIdentifier, type ServerFacts } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const serverSchema = z.object({
  server_version: z.string(),
  server_version_num: z.number(),
  database: z.string(),
  started_at: z.string(),
  tells_identifier: z.boolean(),
  in_recovery: z.boolean(),
  block_size: z.number(),
  encoding: z.string(),
  lc_collate: z.string().nullable(),
  lc_ctype: z.string().nullable(),
  locale_provider: z.string().nullable(),
  icu_locale: z.string().nullable(),
  stats_reset: z.string().nullable(),
  taken_at: z.string(),
});

const identifierSchema = z.object({ system_identifier: z.string() });

const sizeSchema = z.object({ database_size_bytes: z.number().nullable() });

/** Bytes of the database: the server looks at each of its files. */
export async function readDatabaseSize(reader: Reader): Promise<number | null> {
  const sql = sqlVariant('database-size', String(reader.session.server_version_num));
  const [row] = await readNoun(reader, 'database-size', sql, sizeSchema);
  return row?.database_size_bytes ?? null;
}

/** Managed services may have taken the function away from everybody. */
async function readIdentifier(reader: Reader, version: string, allowed: boolean): Promise<string | null> {
  const noun = 'system-identifier';
  if (!allowed) {
    reader.limits.push({
      scope: 'server',
      code: 'identity_hidden',
      message:
        'The identifier of this server is hidden: another server at the same address would be told only by the time it was started.',
      remedy: `GRANT EXECUTE ON FUNCTION pg_control_system() TO ${quoteIdentifier(reader.session.role)};`,
    });
    return null;
  }
  const [row] = await readNoun(reader, noun, sqlVariant(noun, version), identifierSchema);
  return row?.system_identifier ?? null;
}

/**
 * Without these facts a snapshot means nothing: a failure here is one of the whole. The database's size is not among
 * them (`readDatabaseSize`).
 */
export async function readServer(
  reader: Reader,
  capabilities: Capabilities,
): Promise<{ server: ServerFacts; taken_at: string }> {
  const version = String(reader.session.server_version_num);
  const [row] = await readNoun(reader, 'server', sqlVariant('server', version), serverSchema);
  if (!row) {
    throw new PgLuthierError({
      code: 'server_facts_unreadable',
      status: 502,
      message: reader.limits.at(-1)?.message ?? 'The server does not say what it is.',
    });
  }
  const { taken_at, tells_identifier, ...facts } = row;
  return {
    taken_at,
    server: {
      ...facts,
      system_identifier: await readIdentifier(reader, version, tells_identifier),
      database_size_bytes: null,
      extensions: capabilities.extensions,
      extension_schemas: capabilities.extension_schemas,
      managed_service: capabilities.managed_service,
    },
  };
}
