/** What the rules propose for a stock server of each major is accepted by that server, and it starts with it. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRules } from '../../../../src/advise/engine.ts';
import { loadRules } from '../../../../src/advise/registry.ts';
import { staticBaseline } from '../../../../src/advise/settings/baseline.ts';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import { quoteIdentifier, quoteLiteral, type RecommendationDraft } from '../../../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import {
  checkpointCounters,
  contextOf,
  GB,
  walCounters,
  workloadOf,
  workloadQuery,
} from '../../../support/snapshot-builder.ts';

// A server of its own each: ALTER SYSTEM and restarts are nothing for a shared one.
describe.each(availableMajors().filter((major) => major >= 15))('PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await startEmbedded({ major, name: `advise${major}` });
  });
  afterAll(async () => server?.stop('immediate'));

  async function query<T extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: server.dsn('postgres') });
    await client.connect();
    try {
      return (await client.query<T>(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  async function proposed(ram_bytes: number): Promise<RecommendationDraft[]> {
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    try {
      const snapshot = await collectSnapshot(session, {
        host_overrides: { ram_bytes, cpu_count: 2, disk_type: 'ssd' },
      });
      const counters = snapshot.counters;
      // As if it were large and had been busy: every rule has its evidence.
      snapshot.server.database_size_bytes = 500 * GB;
      counters.checkpoints = checkpointCounters({ timed: 1, requested: 99 });
      const began = new Date(Date.parse(snapshot.taken_at) - 3_600_000).toISOString();
      counters.wal = walCounters({ wal_bytes: 36 * GB, wal_buffers_full: 10_000, stats_reset: began });
      if (counters.database) Object.assign(counters.database, { blks_hit: 500_000, blks_read: 500_000 });
      const rules = (await loadRules()).filter((rule) => rule.area === 'settings');
      const spilling = workloadQuery({ calls: 1, temp_blks_written: 20_000, total_exec_time_ms: 1000 });
      const result = await runRules(rules, contextOf(snapshot, { workload: workloadOf([spilling]) }));
      expect(result.limits).toEqual([]);
      return result.recommendations;
    } finally {
      await session.close();
    }
  }

  test('every proposed value is taken by ALTER SYSTEM, the server starts with it, and then nothing is left to say', async () => {
    const drafts = await proposed(8 * GB);
    const settings = drafts.flatMap(({ change }) => (change.kind === 'setting' ? [change] : []));
    expect(settings.map((change) => change.name).sort()).toEqual(
      [
        'effective_cache_size',
        ...(major < 18 ? ['effective_io_concurrency'] : []),
        'max_wal_size',
        'random_page_cost',
        'shared_buffers',
        'wal_buffers',
        ...['maintenance_work_mem', 'work_mem'].filter((name) =>
          settings.some((change) => change.name === name),
        ),
      ].sort(),
    );
    for (const change of settings) {
      const [before] = await query<{ value: string }>('SELECT current_setting($1) AS value', [change.name]);
      expect(change.current_value, change.name).toBe(before?.value);
      await query(`ALTER SYSTEM SET ${quoteIdentifier(change.name)} = ${quoteLiteral(change.value)}`);
    }
    await query('SELECT pg_reload_conf()');
    await server.restart();
    for (const change of settings) {
      const [after] = await query<{ value: string; pending: boolean }>(
        'SELECT current_setting($1) AS value, pending_restart AS pending FROM pg_settings WHERE name = $1',
        [change.name],
      );
      expect(after, change.name).toEqual({ value: change.value, pending: false });
    }
    const again = (await proposed(8 * GB)).flatMap(({ change }) =>
      change.kind === 'setting' ? [change.name] : [],
    );
    // What its counters say is not undone by a setting; the values that hardware gives are.
    expect(again.filter((name) => !['max_wal_size', 'wal_buffers', 'work_mem'].includes(name))).toEqual([]);
  });

  test('the whole static baseline is legal here, and the server starts with it', async () => {
    await query('ALTER SYSTEM RESET ALL');
    const baseline = staticBaseline({
      ram_bytes: GB,
      cpu_count: 2,
      disk_type: 'nvme',
      major,
      workload_type: 'oltp',
    });
    for (const [name, { text }] of Object.entries(baseline.values)) {
      await query(`ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(text)}`);
    }
    await server.restart();
    for (const [name, { text }] of Object.entries(baseline.values)) {
      const [row] = await query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
      expect(row?.value, name).toBe(text);
    }
  });
});
