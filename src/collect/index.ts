/**
 * Room rule. collect/ says what to read of a target, one file a noun, its SQL under sql/collect/. It may import domain
 * and target. It never judges what it read, and one noun's failure is never another's.
 */
import type { HostOverrides, Limit, Snapshot } from '../domain/index.ts';
import { detectCapabilities, detectHostFacts, type TargetSession } from '../target/index.ts';
import { readActivity } from './activity.ts';
import { busyLimits } from './busy.ts';
import { readColumns } from './columns.ts';
import { readCounters } from './counters.ts';
import { readIndexes } from './indexes.ts';
import type { Reader } from './reader.ts';
import { readReplication } from './replication.ts';
import { readSchema } from './schema.ts';
import { readServer } from './server.ts';
import { readSettings } from './settings.ts';
import { readStatements } from './statements.ts';
import { readTables } from './tables.ts';

export interface CollectOptions {
  host_overrides?: HostOverrides;
  /** Milliseconds after which no further noun is begun; default 120,000. */
  deadlineMs?: number;
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
  const limits: Limit[] = [];
  const reader: Reader = {
    session,
    limits,
    deadline: started + (options.deadlineMs ?? 120_000),
    busy: new Map(),
  };
  const capabilities = await detectCapabilities(session);
  limits.push(...capabilities.limits);
  const { server, taken_at } = await readServer(reader, capabilities);
  const { statements, statements_info } = await readStatements(reader, capabilities);
  const counters = await readCounters(reader);
  const activity = await readActivity(reader, capabilities);
  const replication = await readReplication(reader);
  const tables = await readTables(reader);
  const indexes = await readIndexes(reader);
  const columns = await readColumns(reader);
  const { settings, setting_overrides } = await readSettings(reader);
  const schema = await readSchema(reader, capabilities);
  limits.push(...busyLimits(reader.busy));
  const host = await detectHostFacts(session, options.host_overrides ?? {});
  return {
    format_version: 1,
    taken_at,
    collected_at: new Date(started).toISOString(),
    duration_ms: Date.now() - started,
    server,
    host,
    statements,
    statements_info,
    tables,
    indexes,
    columns,
    settings,
    setting_overrides,
    schema,
    counters,
    activity,
    replication,
    full_taken_at: null,
    limits,
  };
}
