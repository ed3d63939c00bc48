/** What the rules propose for a stock server of each major is accepted by that server, and it starts with it. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRules } from '../../../../src/advise/engine.ts';
import { loadRules } from '../../../../src/advise/registry.ts';
import { hostSettings, settingNatures } from '../../../../src/advise/settings/host-set.ts';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import { quoteIdentifier, quoteLiteral, type Snapshot } from '../../../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { contextOf, GB, windowOf, workloadOf, workloadQuery } from '../../../support/snapshot-builder.ts';
import { matrix } from '../../settings/matrix.ts';
import { busy, concurrency } from './busy-server.ts';

// A server of its own each: ALTER SYSTEM and restarts are nothing for a shared one.
describe.each(availableMajors())('PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await startEmbedded({ major, light: 'disk', name: `advise${major}` });
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

  async function snapshotOf(ram_bytes: number): Promise<Snapshot> {
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    try {
      return await collectSnapshot(session, {
        host_overrides: { ram_bytes, cpu_count: 32, disk_type: 'ssd' },
      });
    } finally {
      await session.close();
    }
  }

  /** Everything that is proposed, also what a person must set. */
  async function proposed(ram_bytes: number, checkpoints: 'requested' | 'timed') {
    const snapshot = busy(await snapshotOf(ram_bytes), checkpoints);
    const rules = (await loadRules()).filter((rule) => rule.area === 'settings');
    const spilling = workloadQuery({ calls: 1, temp_blks_written: 20_000, total_exec_time_ms: 1000 });
    const result = await runRules(
      rules,
      contextOf(snapshot, {
        workload: workloadOf([spilling]),
        window: windowOf(86_400, { concurrency, statements: snapshot.statements }),
      }),
    );
    expect(result.limits).toEqual([]);
    for (const { title, rationale, setting } of result.recommendations) {
      if (setting) expect(rationale, title).toMatch(/What would change this advice: [A-Z]/);
    }
    return result.recommendations.flatMap(({ setting, change, evidence }) =>
      setting && setting.role === null ? [{ ...setting, change, evidence }] : [],
    );
  }

  /** What a change of takes or gives memory. */
  const MEMORY = new Set(
    'shared_buffers work_mem hash_mem_multiplier maintenance_work_mem wal_buffers max_connections max_worker_processes max_parallel_workers'.split(
      ' ',
    ),
  );
  const versioned: [name: string, from: number, to: number][] = [
    ['effective_io_concurrency', 14, 17],
    ['maintenance_io_concurrency', 14, 17],
    ['io_workers', 18, 18],
    ['jit', 15, 18],
  ];
  const since = (names: string[]) =>
    names.filter((name) => {
      const only = versioned.find(([each]) => each === name);
      return !only || (major >= only[1] && major <= only[2]);
    });

  test.each([
    [
      'plenty of memory, checkpoints that WAL asks for',
      8 * GB,
      'requested' as const,
      'shared_buffers effective_cache_size max_wal_size random_page_cost wal_buffers wal_compression max_slot_wal_keep_size max_locks_per_transaction max_worker_processes max_parallel_workers idle_in_transaction_session_timeout log_min_duration_statement effective_io_concurrency maintenance_io_concurrency io_workers jit',
    ],
    [
      'little memory, checkpoints in time',
      1 * GB,
      'timed' as const,
      'max_connections checkpoint_timeout wal_compression random_page_cost log_temp_files log_line_prefix track_io_timing jit',
    ],
  ])(
    '%s: all of it is taken, the server starts with it, nothing is left to say',
    async (_, ram, kind, names) => {
      await query('ALTER SYSTEM RESET ALL');
      await server.restart();
      const settings = await proposed(ram, kind);
      expect(settings.map(({ name }) => name)).toEqual(expect.arrayContaining(since(names.split(' '))));
      for (const { name, evidence } of settings) {
        const facts = new Map(evidence.map((row) => [row.name, row]));
        expect(facts.get('proposed value')?.formula, name).toBeTruthy();
        expect(facts.get('present value')?.source, name).toMatch(/^pg_settings: /);
        if (!MEMORY.has(name)) continue;
        for (const when of ['now', 'after'])
          expect(facts.get(`worst-case memory ${when}`)?.value, name).toBeGreaterThan(0);
      }
      for (const { name, value, change } of settings) {
        const [before] = await query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
        if (change.kind === 'setting') expect(change.current_value, name).toBe(before?.value);
        await query(`ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`);
      }
      await server.restart();
      for (const { name, value, bare_value, restart } of settings) {
        const [after] = await query<{ value: string; setting: string; pending: boolean; context: string }>(
          'SELECT current_setting($1) AS value, setting, pending_restart AS pending, context FROM pg_settings WHERE name = $1',
          [name],
        );
        expect(after, name).toMatchObject({ value, setting: bare_value, pending: false });
        expect(after?.context === 'postmaster', `${name} wants a restart`).toBe(restart);
      }
      const again = await proposed(ram, kind);
      // What its counters say is not undone by a setting; the values that hardware gives are.
      const counted = [
        'max_wal_size',
        'wal_buffers',
        'work_mem',
        'max_connections',
        'min_wal_size',
        'io_workers',
      ];
      expect(again.map(({ name }) => name).filter((name) => !counted.includes(name))).toEqual([]);
    },
  );

  test('what ALTER ROLE ALL gives is told apart from the server’s own', async () => {
    await query(`ALTER ROLE ALL SET effective_io_concurrency = 3`);
    try {
      const { settings } = await snapshotOf(64 * GB);
      expect(settings.find(({ name }) => name === 'effective_io_concurrency')).toMatchObject({
        setting: '3',
        source: 'global',
      });
    } finally {
      await query(`ALTER ROLE ALL RESET effective_io_concurrency`);
    }
  });

  test('the baseline of any host is legal here', async () => {
    await query('ALTER SYSTEM RESET ALL');
    /** Each value once, with the first host that it is for. */
    const hosts = new Map<string, string>();
    for (const { name: host, input } of matrix) {
      for (const [name, { text }] of Object.entries(hostSettings({ ...input, major }).values)) {
        const sql = `ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(text)}`;
        if (!hosts.has(sql)) hosts.set(sql, host);
      }
    }
    const client = new pg.Client({ connectionString: server.dsn('postgres') });
    await client.connect();
    // ALTER SYSTEM checks unit, range and words as the start does.
    for (const [sql, host] of hosts) {
      await client.query(sql).catch((error) => {
        throw new Error(`${host}: ${sql}: ${error.message}`);
      });
    }
    await client.end();
    expect(hosts.size).toBeGreaterThan(100);
  });

  test('with the whole baseline of a small host the server starts', async () => {
    await query('ALTER SYSTEM RESET ALL');
    const { values } = hostSettings({
      ram_bytes: GB,
      cpu_count: 2,
      disk_type: 'nvme',
      major,
      workload_type: 'oltp',
    });
    for (const [name, { text }] of Object.entries(values)) {
      await query(`ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(text)}`);
    }
    await server.restart();
    for (const [name, { text }] of Object.entries(values)) {
      const [row] = await query<{ value: string; unit: string | null; context: string }>(
        'SELECT current_setting($1) AS value, unit, context FROM pg_settings WHERE name = $1',
        [name],
      );
      expect(row?.value, name).toBe(text);
      expect({ unit: row?.unit, restart: row?.context === 'postmaster' }, name).toEqual(
        settingNatures(major)[name],
      );
    }
  });
});
