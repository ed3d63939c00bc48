/**
 * Room rule. collect/ says what to read of a target, one file a noun, its SQL under sql/collect/. It may import domain
 * and target; PostgreSQL's grammar (libpg-query) only to tell secrets in statements. It never judges what it read, and
 * one noun's failure is never another's. What each noun reads and costs is in docs/collecting.md.
 */
import type { FastSnapshot, HostOverrides, Snapshot } from '../domain/index.ts';
import { detectCapabilities, type TargetSession } from '../target/index.ts';
import { readActivity } from './activity.ts';
import { busyLimits } from './busy.ts';
import { withColumnEnds } from './column-ends.ts';
import { readColumns } from './columns.ts';
import { readCounters } from './counters.ts';
import { readHost } from './host.ts';
import { readIndexes } from './indexes.ts';
import { readInstance } from './instance.ts';
import { withMoreStatistics } from './more-statistics.ts';
import type { Reader } from './reader.ts';
import { readRelationCounters } from './relation-counters.ts';
import { readReplication } from './replication.ts';
import { readSchema } from './schema.ts';
import { readDatabaseSize, readServer } from './server.ts';
import { readSettings } from './settings.ts';
import { readStatements } from './statements.ts';
import { readRelations, readTables } from './tables.ts';
import { undecodableLimits } from './undecodable.ts';

export { MEASURE_TIMEOUT_MS, measureBtrees } from './btree-density.ts';

export interface CollectOptions {
  host_overrides?: HostOverrides;
  /** Milliseconds after which no further noun is begun; default 120,000. */
  deadlineMs?: number;
  /** Whether least and greatest values of columns are read; default true. */
  column_ends?: boolean;
}

/** What is read at each cadence, first and close together: counters and what runs now. */
async function readOften(reader: Reader, known?: ReadonlySet<string>) {
  const capabilities = await detectCapabilities(reader.session);
  reader.limits.push(...capabilities.limits);
  const { server, taken_at } = await readServer(reader, capabilities);
  const { statements, statements_info } = await readStatements(reader, capabilities, known);
  const counters = await readCounters(reader);
  const activity = await readActivity(reader, capabilities);
  const replication = await readReplication(reader);
  return {
    capabilities,
    taken_at,
    often: { server, statements, statements_info, counters, activity, replication },
  };
}

function readerOf(session: TargetSession, deadlineMs: number): Reader {
  return { session, limits: [], deadline: Date.now() + deadlineMs, busy: new Map() };
}

/**
 * Everything of one target at this moment, read in one session, each noun in a short statement of its own: a
 * transaction around all would hold back vacuum for as long as it lasts. Counters come first, close together; what
 * moves slowly follows.
 * @throws PgLuthierError `target_connection_lost`, `server_facts_unreadable`; whatever else cannot be seen is a limit.
 */
export async function collectSnapshot(
  session: TargetSession,
  options: CollectOptions = {},
): Promise<Snapshot> {
  const started = Date.now();
  const reader = readerOf(session, options.deadlineMs ?? 120_000);
  const { capabilities, taken_at, often } = await readOften(reader);
  const database_size_bytes = await readDatabaseSize(reader);
  const relations = await readRelations(reader);
  const tables = await readTables(reader, relations);
  const indexes = await readIndexes(reader, relations);
  const described = await withMoreStatistics(reader, await readColumns(reader, relations), relations);
  const { settings, setting_overrides } = await readSettings(reader);
  const schema = await readSchema(reader, capabilities, relations);
  const instance = await readInstance(reader);
  reader.limits.push(
    ...busyLimits(reader.busy),
    ...undecodableLimits([...tables, ...indexes, ...schema.sequences]),
  );
  const host = await readHost(reader, options.host_overrides ?? {});
  // Last: it works under settings of its own.
  const columns = (options.column_ends ?? true) ? await withColumnEnds(reader, described) : described;
  return {
    format_version: 1,
    taken_at,
    collected_at: new Date(started).toISOString(),
    duration_ms: Date.now() - started,
    ...often,
    server: { ...often.server, database_size_bytes },
    host,
    tables,
    indexes,
    columns,
    settings,
    setting_overrides,
    schema,
    instance,
    full_taken_at: null,
    limits: reader.limits,
  };
}

export interface CollectFastOptions {
  /** Keys (`statementKey`) of statements whose texts are at hand. */
  known_statements: ReadonlySet<string>;
  /** Milliseconds after which no further noun is begun; default 30,000. */
  deadlineMs?: number;
}

/**
 * What is read each minute: counters and what runs now, of the relations that a full snapshot holds. No file is looked
 * at, no relation locked, no text read that is known.
 * @throws PgLuthierError as `collectSnapshot`.
 */
export async function collectFastSnapshot(
  session: TargetSession,
  options: CollectFastOptions,
): Promise<FastSnapshot> {
  const started = Date.now();
  const reader = readerOf(session, options.deadlineMs ?? 30_000);
  const { taken_at, often } = await readOften(reader, options.known_statements);
  const relations = await readRelationCounters(reader);
  return {
    format_version: 1,
    taken_at,
    collected_at: new Date(started).toISOString(),
    duration_ms: Date.now() - started,
    ...often,
    ...relations,
    limits: reader.limits,
  };
}
