/** Statements and the state of their counting. The variant goes by the extension's version, not the server's. */
import { z } from 'zod';
import type { Capabilities, StatementRow, StatementsInfo } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const statementSchema: z.ZodType<StatementRow> = z.object({
  userid: z.number(),
  dbid: z.number(),
  queryid: z.string(),
  toplevel: z.boolean(),
  user: z.string().nullable(),
  query: z.string().nullable(),
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

/** pg_stat_statements of this database; without the extension an empty list and a limit that says what to do. */
export async function readStatements(
  reader: Reader,
  capabilities: Capabilities,
): Promise<{ statements: StatementRow[]; statements_info: StatementsInfo | null }> {
  const nothing = { statements: [], statements_info: null };
  const { pg_stat_statements: version, pg_stat_statements_schema: schema } = capabilities;
  if (version === null || schema === null) {
    reader.limits.push({
      scope: 'statements',
      code: 'pg_stat_statements_missing',
      message: 'pg_stat_statements is not created in this database: no workload can be seen.',
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
      message: "This role does not see the texts of other users' statements.",
      remedy: 'GRANT pg_read_all_stats (or pg_monitor) to the role.',
    });
  }
  const place = { extension_schema: schema };
  const info = await readNoun(
    reader,
    'statements-info',
    sqlVariant('statements-info', version, place),
    infoSchema,
  );
  const statements = await readNoun(
    reader,
    'statements',
    sqlVariant('statements', version, place),
    statementSchema,
  );
  return { statements, statements_info: info[0] ?? null };
}
