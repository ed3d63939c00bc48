/** Statements and the state of their counting. The variant goes by the extension's version, not the server's. */
import { z } from 'zod';
import {
  type Capabilities,
  type Limit,
  quoteIdentifier,
  quoteQualified,
  type StatementRow,
  type StatementsInfo,
  statementKey,
} from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { loadGrammar, withoutSecrets } from './secrets.ts';
import { sqlVariant } from './variants.ts';

const text = z
  .string()
  .nullable()
  .transform((written) => (written === null ? null : withoutSecrets(written)));

const textSchema = z.object({
  userid: z.number(),
  dbid: z.number(),
  queryid: z.string(),
  toplevel: z.boolean(),
  query: text,
});

const statementSchema: z.ZodType<StatementRow> = z.object({
  userid: z.number(),
  dbid: z.number(),
  queryid: z.string(),
  toplevel: z.boolean(),
  user: z.string().nullable(),
  query: text,
  calls: z.number(),
  total_exec_time_ms: z.number(),
  mean_exec_time_ms: z.number(),
  stddev_exec_time_ms: z.number(),
  min_exec_time_ms: z.number(),
  max_exec_time_ms: z.number(),
  plans: z.number(),
  total_plan_time_ms: z.number(),
  rows: z.number(),
  shared_blks_hit: z.number(),
  shared_blks_read: z.number(),
  shared_blks_dirtied: z.number(),
  shared_blks_written: z.number(),
  temp_blks_read: z.number(),
  temp_blks_written: z.number(),
  temp_blk_read_time_ms: z.number().nullable(),
  temp_blk_write_time_ms: z.number().nullable(),
  wal_records: z.number(),
  wal_bytes: z.number(),
  jit_time_ms: z.number().nullable(),
  stats_since: z.string().nullable(),
});

const infoSchema: z.ZodType<StatementsInfo> = z.object({
  dealloc: z.number(),
  stats_reset: z.string().nullable(),
});

/** Oldest extension version with the columns that every variant needs. */
const OLDEST_EXTENSION = 1.9;

/**
 * pg_stat_statements of this database; without the extension an empty list and a limit that says what to do.
 * @param known keys (`statementKey`) of the statements whose texts are not wanted again: `query` is null for them, and
 * the file that holds all texts is read only if there are others. Without it all texts are read.
 */
export async function readStatements(
  reader: Reader,
  capabilities: Capabilities,
  known?: ReadonlySet<string>,
): Promise<{ statements: StatementRow[]; statements_info: StatementsInfo | null }> {
  const nothing = { statements: [], statements_info: null };
  const { pg_stat_statements: version, pg_stat_statements_schema: schema } = capabilities;
  if (version === null || schema === null) {
    reader.limits.push({
      scope: 'statements',
      code: 'pg_stat_statements_missing',
      message: 'pg_stat_statements is not created in this database: what it runs cannot be seen.',
      remedy: capabilities.pg_stat_statements_loaded
        ? 'CREATE EXTENSION pg_stat_statements;'
        : 'Add pg_stat_statements to shared_preload_libraries, restart, then CREATE EXTENSION pg_stat_statements;',
    });
    return nothing;
  }
  if (!capabilities.pg_stat_statements_loaded) {
    reader.limits.push({
      scope: 'statements',
      code: 'pg_stat_statements_not_loaded',
      message: 'pg_stat_statements is created, but its library is not preloaded: it counts nothing.',
      remedy: 'Add pg_stat_statements to shared_preload_libraries and restart the server.',
    });
    return nothing;
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 1 || (major === 1 && minor < 9)) {
    reader.limits.push({
      scope: 'statements',
      code: 'pg_stat_statements_outdated',
      message: `pg_stat_statements ${version} is older than ${OLDEST_EXTENSION}.`,
      remedy: 'ALTER EXTENSION pg_stat_statements UPDATE;',
    });
    return nothing;
  }
  if (!capabilities.sees_all_statements) {
    reader.limits.push({
      scope: 'statements',
      code: 'texts_hidden',
      message: "This role does not see the texts of other roles' statements.",
      remedy: `GRANT pg_monitor TO ${quoteIdentifier(reader.session.role)};`,
    });
  }
  if (!(await mayRead(reader, schema))) return nothing;
  await loadGrammar();
  const place = { extension_schema: schema };
  const info = await readNoun(
    reader,
    'statements-info',
    sqlVariant('statements-info', version, place),
    infoSchema,
  );
  const sql = sqlVariant('statements', version, place);
  const read = (withTexts: boolean) => readNoun(reader, 'statements', sql, statementSchema, [withTexts]);
  let statements = await read(known === undefined);
  if (reader.limits.at(-1)?.code === 'untranslatable') {
    // The extension converts the texts of all databases before we choose ours.
    reader.limits.pop();
    statements = await read(false);
    reader.limits.push(textsUntranslatable);
  }
  if (known) {
    const mayBeSeen = (row: StatementRow) =>
      row.queryid !== '' && (capabilities.sees_all_statements || row.user === reader.session.role);
    const unknown = statements.filter((row) => mayBeSeen(row) && !known.has(statementKey(row)));
    await addTexts(reader, unknown, sqlVariant('statement-texts', version, place));
  }
  return { statements, statements_info: info[0] ?? null };
}

const textsUntranslatable: Limit = {
  scope: 'statements',
  code: 'texts_untranslatable',
  message:
    "The texts of statements cannot be read in this database: some statement of the server, be it another database's, has a character that this database's encoding does not have.",
  remedy:
    'pg_stat_statements_reset(), where its counters can be spared, helps until the next such statement.',
};

/** Gives the rows their texts, where there are any rows. */
async function addTexts(reader: Reader, rows: StatementRow[], sql: string): Promise<void> {
  if (rows.length === 0) return;
  const queryids = [...new Set(rows.map((row) => row.queryid))];
  const texts = new Map<string, string | null>();
  for (const row of await readNoun(reader, 'statements', sql, textSchema, [queryids])) {
    texts.set(statementKey(row), row.query);
  }
  if (reader.limits.at(-1)?.code === 'untranslatable') {
    reader.limits.pop();
    reader.limits.push(textsUntranslatable);
  }
  for (const row of rows) row.query = texts.get(statementKey(row)) ?? null;
}

const rightSchema = z.object({
  on_schema: z.boolean(),
  on_views: z.boolean().nullable(),
  on_function: z.boolean().nullable(),
});

/** The extension may stand in a schema that this role may not use, and its views' rights may be revoked. */
async function mayRead(reader: Reader, schema: string): Promise<boolean> {
  const views = ['pg_stat_statements', 'pg_stat_statements_info'].map((view) => quoteQualified(schema, view));
  const reading = `${quoteQualified(schema, 'pg_stat_statements')}(boolean)`;
  const [right] = await readNoun(
    reader,
    'statements',
    `SELECT has_schema_privilege($1::text, 'USAGE') AS on_schema,
            CASE WHEN has_schema_privilege($1::text, 'USAGE')
                THEN (SELECT bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class AS c
                      WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
                          AND c.relname IN ('pg_stat_statements', 'pg_stat_statements_info')) END AS on_views,
            CASE WHEN has_schema_privilege($1::text, 'USAGE')
                THEN has_function_privilege($2::text, 'EXECUTE') END AS on_function`,
    rightSchema,
    [schema, reading],
  );
  if (!right) return false;
  if (right.on_schema && right.on_views && right.on_function) return true;
  const role = quoteIdentifier(reader.session.role);
  const grants = [
    right.on_schema ? [] : [`GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${role};`],
    right.on_views ? [] : [`GRANT SELECT ON ${views.join(', ')} TO ${role};`],
    right.on_function ? [] : [`GRANT EXECUTE ON FUNCTION ${reading} TO ${role};`],
  ].flat();
  reader.limits.push({
    scope: 'statements',
    code: 'pg_stat_statements_not_readable',
    message: `This role may not read ${views[0]}: what the database runs cannot be seen.`,
    remedy: grants.join(' '),
  });
  return false;
}
