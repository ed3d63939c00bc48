import { randomBytes } from 'node:crypto';
import pg from 'pg';
import {
  noActivity,
  noCounters,
  noReplication,
  noSchema,
  type Recommendation,
  type Snapshot,
} from '../../src/domain/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { statementRow } from '../support/rows.ts';
import { type TestServer, testMajors, testServer } from '../support/servers.ts';

/** The oldest and the newest major that the store is tested on. */
export const storeMajors = [Math.min(...testMajors), Math.max(...testMajors)];

export interface FreshStore {
  store: Store;
  dsn: string;
  secretKey: Buffer;
  /** Straight into the store's database, past the store. */
  query<T = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/** By major: the name of a database that holds a migrated store and nothing else. It stays until the run's end. */
const templates = new Map<number, Promise<string>>();

async function makeTemplate(server: TestServer): Promise<string> {
  const { dsn, name } = await server.createDatabase();
  const store = await openStore({ dsn, secretKey: randomBytes(32), poolSize: 1 });
  await store.migrate();
  await store.close();
  return name;
}

/** A migrated store in a database of its own: a copy of one whose migrations have run. */
export async function freshStore(major = 18, poolSize = 10): Promise<FreshStore> {
  const server = await testServer({ major });
  const template = templates.get(major) ?? makeTemplate(server);
  templates.set(major, template);
  const database = await server.createDatabase({ template: await template });
  const secretKey = randomBytes(32);
  const store = await openStore({ dsn: database.dsn, secretKey, poolSize });
  await store.migrate();
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  return {
    store,
    dsn: database.dsn,
    secretKey,
    query: async (sql, params) => (await client.query(sql, params)).rows,
    close: async () => {
      await client.end();
      await store.close();
      await database.drop();
    },
  };
}

/** A target of this name, and its id. */
export async function addTarget(store: Store, name = 'one'): Promise<string> {
  const target = await store.targets.add(
    { name, dsn: 'env:X', address: 'h:5432/db', host_overrides: {} },
    'test',
  );
  return target.id;
}

/** A snapshot with content that storage could spoil. */
export function hostileSnapshot(takenAt: string, calls: number): Snapshot {
  const statement = statementRow({
    dbid: 5,
    queryid: '-9223372036854775808',
    user: 'o\'brien \\ "x"',
    query: "SELECT '{\"a\": \"\\\\u0001\"}', 'é漢字 🐘', E'\\n\\t' -- comment",
    calls,
    total_exec_time_ms: calls * 1.5,
    mean_exec_time_ms: 1.5,
    stddev_exec_time_ms: 0.25,
    min_exec_time_ms: 1,
    max_exec_time_ms: 2,
    rows: calls,
    shared_blks_hit: 9_007_199_254_740_991,
  });
  return {
    format_version: 1,
    taken_at: takenAt,
    collected_at: takenAt,
    duration_ms: 12.5,
    server: {
      server_version: '18.4',
      server_version_num: 180004,
      database: 'ä "db"',
      started_at: '2026-01-01T00:00:00.123456Z',
      system_identifier: '7711434771903836238',
      in_recovery: false,
      block_size: 8192,
      encoding: 'UTF8',
      lc_collate: 'C',
      lc_ctype: 'C',
      locale_provider: 'b',
      icu_locale: 'C.UTF-8',
      database_size_bytes: 1,
      stats_reset: null,
      extensions: { pg_stat_statements: '1.12' },
      managed_service: null,
    },
    host: {
      ram_bytes: { value: null, source: 'not visible' },
      cpu_count: { value: 2, source: 'operator' },
      disk_type: { value: 'ssd', source: 'operator' },
    },
    statements: [statement, { ...statement, queryid: '2', query: null }, { ...statement, queryid: '3' }],
    statements_info: { dealloc: 1, stats_reset: null },
    tables: [],
    indexes: [],
    columns: [],
    settings: [],
    setting_overrides: [],
    schema: {
      ...noSchema,
      enums: [{ schema: 's', name: 'e', labels: ["it's", 'a\\b', ''] }],
      btree_levels: { '1': 2 },
    },
    counters: noCounters,
    activity: noActivity,
    replication: noReplication,
    full_taken_at: null,
    limits: [],
  };
}

/** A recommendation as an analysis hands it over. */
export function recommendation(id: string, overrides: Partial<Recommendation> = {}): Recommendation {
  return {
    id,
    fingerprint: id.repeat(4),
    kind: 'analyze',
    rule: 'health/statistics-missing',
    change: { kind: 'analyze', schema: 'public', table: 't' },
    key: `analyze public.${id}`,
    title: id,
    rationale: 'because',
    severity: 'low',
    evidence_level: 'measured',
    confidence: 1,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [{ name: 'n', value: 1, unit: null, source: 's', level: 'measured', formula: null }],
    risk: { locks: 'none', restart: false, reload: false, notes: [] },
    statements: ['ANALYZE public.t'],
    rollback: [],
    plan_hash: 'a'.repeat(64),
    state: 'open',
    ...overrides,
  };
}
