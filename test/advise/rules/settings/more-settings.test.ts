/** Further parameters, each where it fires and where it must not. */
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { rule as checkpointTimeout } from '../../../../src/advise/rules/settings/checkpoint-timeout.ts';
import { rule as hugePages } from '../../../../src/advise/rules/settings/huge-pages.ts';
import { rule as idleTimeout } from '../../../../src/advise/rules/settings/idle-in-transaction-timeout.ts';
import { rule as ioMethod } from '../../../../src/advise/rules/settings/io-method.ts';
import { rule as ioWorkers } from '../../../../src/advise/rules/settings/io-workers.ts';
import { rule as jit } from '../../../../src/advise/rules/settings/jit.ts';
import { rule as logging } from '../../../../src/advise/rules/settings/logging.ts';
import { rule as maintenanceIo } from '../../../../src/advise/rules/settings/maintenance-io-concurrency.ts';
import { rule as maxLocks } from '../../../../src/advise/rules/settings/max-locks-per-transaction.ts';
import { rule as minWal } from '../../../../src/advise/rules/settings/min-wal-size.ts';
import { rule as parallelWorkers } from '../../../../src/advise/rules/settings/parallel-workers.ts';
import { rule as randomCost } from '../../../../src/advise/rules/settings/random-page-cost.ts';
import { rule as slotWal } from '../../../../src/advise/rules/settings/slot-wal-keep.ts';
import { rule as toast } from '../../../../src/advise/rules/settings/toast-compression.ts';
import { rule as ioTiming } from '../../../../src/advise/rules/settings/track-io-timing.ts';
import { rule as walCompression } from '../../../../src/advise/rules/settings/wal-compression.ts';
import { isAllowedSetting } from '../../../../src/apply/allowed.ts';
import {
  draftSchema,
  type Rule,
  type RuleContext,
  type SettingRow,
  type Snapshot,
} from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import {
  checkpointCounters,
  contextOf,
  databaseCounters,
  GB,
  MB,
  snapshotOf,
  walCounters,
  workloadOf,
  workloadQuery,
} from '../../../support/snapshot-builder.ts';
import { statementRow } from './busy-server.ts';

/** Settings that the builder's stock server has not. */
const MORE: [name: string, setting: string, more: Partial<SettingRow>][] = [
  ['archive_mode', 'off', { vartype: 'enum', enumvals: ['always', 'on', 'off'] }],
  ['checkpoint_timeout', '300', { unit: 's', vartype: 'integer', min_val: '30', max_val: '86400' }],
  ['default_toast_compression', 'pglz', { vartype: 'enum', enumvals: ['pglz', 'lz4'] }],
  ['huge_pages', 'try', { vartype: 'enum', enumvals: ['off', 'on', 'try'], context: 'postmaster' }],
  [
    'idle_in_transaction_session_timeout',
    '0',
    { unit: 'ms', vartype: 'integer', min_val: '0', max_val: '2147483647' },
  ],
  [
    'io_method',
    'worker',
    { vartype: 'enum', enumvals: ['sync', 'worker', 'io_uring'], context: 'postmaster' },
  ],
  ['io_workers', '3', { vartype: 'integer', min_val: '1', max_val: '32' }],
  ['jit', 'on', { vartype: 'bool' }],
  ['jit_above_cost', '100000', { vartype: 'real', min_val: '-1', max_val: '1e308' }],
  [
    'log_autovacuum_min_duration',
    '600000',
    { unit: 'ms', vartype: 'integer', min_val: '-1', max_val: '2147483647' },
  ],
  ['log_checkpoints', 'on', { vartype: 'bool' }],
  ['log_line_prefix', '%m [%p] ', { vartype: 'string' }],
  ['log_lock_waits', 'off', { vartype: 'bool' }],
  [
    'log_min_duration_statement',
    '-1',
    { unit: 'ms', vartype: 'integer', min_val: '-1', max_val: '2147483647' },
  ],
  ['log_temp_files', '-1', { unit: 'kB', vartype: 'integer', min_val: '-1', max_val: '2147483647' }],
  ['maintenance_io_concurrency', '10', { vartype: 'integer', min_val: '0', max_val: '1000' }],
  [
    'max_locks_per_transaction',
    '64',
    { vartype: 'integer', context: 'postmaster', min_val: '10', max_val: '2147483647' },
  ],
  ['max_parallel_maintenance_workers', '2', { vartype: 'integer', min_val: '0', max_val: '1024' }],
  ['max_slot_wal_keep_size', '-1', { unit: 'MB', vartype: 'integer', min_val: '-1', max_val: '2147483647' }],
  ['track_io_timing', 'off', { vartype: 'bool', context: 'superuser' }],
  ['wal_compression', 'off', { vartype: 'enum', enumvals: ['pglz', 'lz4', 'on', 'off'] }],
];

/** A stock server with those, some given in postgresql.conf. */
function stock(parts: Parameters<typeof snapshotOf>[0] = {}, given: Record<string, string> = {}): Snapshot {
  const snapshot = snapshotOf(parts);
  const known = new Set(MORE.map(([name]) => name));
  const rows = MORE.map(([name, setting, more]): SettingRow => {
    const own = given[name];
    return {
      name,
      setting: own ?? setting,
      unit: null,
      category: '',
      context: 'user',
      vartype: 'string',
      source: own === undefined ? 'default' : 'configuration file',
      min_val: null,
      max_val: null,
      enumvals: null,
      boot_val: setting,
      reset_val: own ?? setting,
      sourcefile: own === undefined ? null : '/data/postgresql.conf',
      pending_restart: false,
      ...more,
    };
  });
  return { ...snapshot, settings: [...snapshot.settings.filter(({ name }) => !known.has(name)), ...rows] };
}

/** `name: old → new` and codes of rejections, each draft valid. */
async function said(rule: Rule, snapshot: Snapshot, parts: Partial<RuleContext> = {}): Promise<string[]> {
  const result = await rule.evaluate(contextOf(snapshot, parts));
  for (const draft of result.recommendations) {
    draftSchema.parse(draft);
    expect(draft.rationale).toContain(draft.setting?.name === undefined ? '' : 'It is ');
    // What the service may not write is left to a person, and never the other way round.
    if (draft.change.kind === 'setting') expect(isAllowedSetting(draft.change.name), draft.title).toBe(true);
  }
  return [
    ...result.recommendations.map(({ title }) => title),
    ...result.rejections.map(({ code }) => `rejected ${code}`),
    ...result.limits.map(({ code }) => `limit ${code}`),
  ];
}

const HOUR_AGO = '2026-03-01T11:00:00.000Z';
/** An hour of WAL. */
const wal = (gigabytes: number, page_share: number) =>
  walCounters({
    wal_bytes: gigabytes * GB,
    wal_fpi: (page_share * gigabytes * GB) / 8192,
    stats_reset: HOUR_AGO,
  });

/** As a build with these methods has it; null: up to 14, a switch. */
function withMethods(snapshot: Snapshot, enumvals: string[] | null): Snapshot {
  const vartype = enumvals === null ? 'bool' : 'enum';
  const settings = snapshot.settings.map((row) =>
    row.name === 'wal_compression' ? { ...row, vartype, enumvals } : row,
  );
  return { ...snapshot, settings };
}

describe('WAL', () => {
  test('wal_compression: the best that the build has, where whole pages fill it', async () => {
    const full = { counters: { wal: wal(36, 0.8) } };
    expect(await said(walCompression, stock(full))).toEqual(['wal_compression: off → lz4']);
    const zstd = ['pglz', 'zstd', 'on', 'off'];
    expect(await said(walCompression, withMethods(stock(full), zstd))).toEqual([
      'wal_compression: off → zstd',
    ]);
    expect(await said(walCompression, stock({ counters: { wal: wal(36, 0.1) } }))).toEqual([
      'rejected few_pages',
    ]);
    expect(await said(walCompression, stock({ counters: { wal: wal(0.01, 0.8) } }))).toEqual([
      'rejected little_wal',
    ]);
    expect(await said(walCompression, stock())).toEqual(['rejected no_evidence']);
  });
  describe.each([
    ['pglz', ['pglz', 'on', 'off']],
    ['on', null],
  ])('wal_compression = %s, which costs writes their throughput', (method, enumvals) => {
    const segments = (36 * GB) / (16 * 1024 ** 2);
    const archived = (archived_count: number, failed_count = 0) => ({
      wal: wal(36, 0.8),
      archiver: {
        archived_count,
        failed_count,
        last_archived_time: null,
        last_failed_wal: null,
        last_failed_time: null,
        stats_reset: HOUR_AGO,
      },
    });
    const sender = (sent_lag_bytes: number, replay_lag_bytes = sent_lag_bytes) => ({
      pid: 1,
      application_name: 's',
      user: null,
      client_addr: null,
      state: 'streaming',
      sync_state: 'async',
      sent_lag_bytes,
      flush_lag_bytes: sent_lag_bytes,
      replay_lag_bytes,
      replay_lag_ms: null,
      xmin_age: null,
    });
    const slot = (active: boolean, retained_bytes: number) => ({
      name: 's',
      slot_type: 'logical',
      plugin: 'pgoutput',
      database: 'app',
      active,
      temporary: false,
      wal_status: 'reserved',
      retained_bytes,
      safe_wal_bytes: null,
      xmin_age: null,
      catalog_xmin_age: null,
      inactive_since: null,
      invalidation_reason: null,
    });
    const none = { senders: [], slots: [], receiver: null };
    const full = { counters: archived(segments) };
    const run = (parts: Parameters<typeof snapshotOf>[0], archive_mode = 'on') =>
      said(walCompression, withMethods(stock(parts, { archive_mode }), enumvals));

    test.each([
      ['whole pages are all that is to be seen', full, 'on'],
      ['the archive fails', { counters: archived(10, 5) }, 'on'],
      ['nobody archives', { counters: archived(0) }, 'off'],
      ['a standby keeps up', { ...full, replication: { ...none, senders: [sender(MB)] } }, 'on'],
      [
        'a standby only replays late',
        { ...full, replication: { ...none, senders: [sender(0, 9 * GB)] } },
        'on',
      ],
      ['nobody reads the slot', { ...full, replication: { ...none, slots: [slot(false, 9 * GB)] } }, 'on'],
    ])('quiet where %s', async (_, parts, mode) => {
      expect(await run(parts, mode)).toEqual(['rejected only_pglz']);
    });
    test.each([
      ['the archive falls behind', { counters: archived(segments / 2) }],
      ['a standby falls behind', { ...full, replication: { ...none, senders: [sender(2 * GB)] } }],
      ['the reader of a slot does', { ...full, replication: { ...none, slots: [slot(true, 2 * GB)] } }],
    ])('proposed where %s', async (_, parts) => {
      expect(await run(parts)).toEqual([`wal_compression: off → ${method}`]);
    });
  });
  test('checkpoint_timeout: longer where whole pages after checkpoints that come by time are the WAL', async () => {
    const counters = (timed: number, requested: number, share: number) => ({
      counters: { wal: wal(36, share), checkpoints: checkpointCounters({ timed, requested }) },
    });
    expect(await said(checkpointTimeout, stock(counters(99, 1, 0.8)))).toEqual([
      'checkpoint_timeout: 5min → 15min',
    ]);
    expect(await said(checkpointTimeout, stock(counters(50, 50, 0.8)))).toEqual([
      'rejected checkpoints_are_requested',
    ]);
    expect(await said(checkpointTimeout, stock(counters(99, 1, 0.2)))).toEqual(['rejected few_pages']);
    const longer = stock(counters(99, 1, 0.8), { checkpoint_timeout: '1800' });
    expect(await said(checkpointTimeout, longer)).toEqual(['rejected larger_already']);
  });
  test('min_wal_size: a wave of WAL finds its files', async () => {
    // 10 MB/s × 300 s = 3 GB, at most half of max_wal_size.
    const counters = { counters: { wal: wal(36, 0) } };
    expect(await said(minWal, stock(counters))).toEqual(['min_wal_size: 80MB → 512MB']);
    expect(await said(minWal, stock({ ...counters, settings: { max_wal_size: '16384' } }))).toEqual([
      'min_wal_size: 80MB → 3GB',
    ]);
    expect(await said(minWal, stock({ counters: { wal: wal(0.1, 0) } }))).toEqual(['rejected reused']);
  });
  test('max_slot_wal_keep_size: a day of WAL, and a person decides', async () => {
    const slot = { name: 's', temporary: false, active: false, retained_bytes: GB };
    const replication = { ...snapshotOf().replication, slots: [slot] } as unknown as Snapshot['replication'];
    const result = await slotWal.evaluate(contextOf(stock({ replication, counters: { wal: wal(1, 0) } })));
    expect(result.recommendations[0]).toMatchObject({
      title: 'max_slot_wal_keep_size: -1 → 24GB',
      change: { kind: 'finding' },
      severity: 'medium',
    });
    expect(await said(slotWal, stock())).toEqual(['rejected no_slots']);
    expect(await said(slotWal, stock({ replication }, { max_slot_wal_keep_size: '1000' }))).toEqual([
      'rejected limited_already',
    ]);
  });
});

describe('reads', () => {
  const io = (context: string, blocks: number, ms: number) => ({
    ...{
      backend_type: 'client backend',
      object: 'relation',
      context,
      reads: blocks,
      read_bytes: blocks * 8192,
    },
    ...{ read_time_ms: ms, writes: 0, write_bytes: 0, write_time_ms: 0, extends: 0, extend_bytes: 0 },
    ...{
      extend_time_ms: 0,
      hits: 0,
      evictions: 0,
      reuses: 0,
      fsyncs: 0,
      fsync_time_ms: 0,
      stats_reset: HOUR_AGO,
    },
  });
  test('random_page_cost: what reads took goes before the disk type, and before what somebody chose', async () => {
    const timed = (random: number) => ({
      counters: { io: [io('normal', 10_000, 10_000 * random), io('bulkread', 100_000, 10_000)] },
    });
    expect(await said(randomCost, stock(timed(0.2)))).toEqual(['random_page_cost: 4 → 2']);
    // Never beyond PostgreSQL's own range.
    expect(await said(randomCost, stock(timed(9)))).toEqual(['rejected close_enough']);
    expect(await said(randomCost, stock(timed(0.05)))).toEqual(['random_page_cost: 4 → 1.1']);
    const chosen = { ...timed(0.2), settings: { random_page_cost: '1.1' } };
    const [draft] = (await randomCost.evaluate(contextOf(stock(chosen)))).recommendations;
    expect(draft).toMatchObject({ title: 'random_page_cost: 1.1 → 2', evidence_level: 'measured' });
    expect(draft?.evidence.filter(({ unit }) => unit === 'ms')).toHaveLength(2);
    // Too few reads to tell: the disk type speaks.
    const few = { counters: { io: [io('normal', 100, 900), io('bulkread', 100, 10)] } };
    expect(await said(randomCost, stock(few))).toEqual(['random_page_cost: 4 → 1.1']);
  });
  test('track_io_timing: where blocks are read and nobody knows how long it took', async () => {
    const counters = { database: databaseCounters({ blks_read: 500_000 }) };
    expect(await said(ioTiming, stock({ counters }))).toEqual(['track_io_timing: off → on']);
    expect(await said(ioTiming, stock())).toEqual(['rejected few_reads']);
    expect(await said(ioTiming, stock({ counters }, { track_io_timing: 'on' }))).toEqual([
      'rejected as_wanted',
    ]);
  });
  test('maintenance_io_concurrency: up to 17, for disks that serve many at once', async () => {
    expect(await said(maintenanceIo, stock({ major: 17 }))).toEqual(['maintenance_io_concurrency: 10 → 200']);
    expect(await said(maintenanceIo, stock({ major: 17, disk_type: 'hdd' }))).toEqual([
      'rejected larger_already',
    ]);
    expect(await said(maintenanceIo, stock())).toEqual(['rejected default_is_sound']);
  });
  const waiting = (wait_event: string, sessions: number) => ({
    activity: {
      ...snapshotOf().activity,
      groups: [
        {
          ...{ backend_type: 'client backend', database: 'app', user: 'app', application_name: null },
          ...{ state: 'active', wait_event_type: 'IO', wait_event, query_id: null, sessions },
        },
      ],
    },
  });
  test('io_method: never io_uring, which may keep the server from starting', async () => {
    expect(await said(ioMethod, stock())).toEqual(['rejected as_wanted']);
    expect(await said(ioMethod, stock({ major: 17 }))).toEqual(['rejected not_in_version']);
    expect(await said(ioMethod, stock({}, { io_method: 'sync' }))).toEqual(['rejected set_by_operator']);
    const slow = stock(waiting('DataFileRead', 20), { io_method: 'sync' });
    expect(await said(ioMethod, slow)).toEqual(['io_method: sync → worker']);
  });
  test('io_workers: where more sessions wait than workers read', async () => {
    const parts = { cpu_count: 32, ...waiting('AioIoCompletion', 10) };
    expect(await said(ioWorkers, stock(parts))).toEqual(['io_workers: 3 → 8']);
    // A quarter of 12 CPUs are the 3 that there are.
    expect(await said(ioWorkers, stock({ ...parts, cpu_count: 12 }))).toEqual(['io_workers: 3 → 6']);
    expect(await said(ioWorkers, stock({ cpu_count: 32, ...waiting('AioIoCompletion', 2) }))).toEqual([
      'rejected few_wait',
    ]);
    expect(await said(ioWorkers, stock(parts, { io_method: 'io_uring' }))).toEqual(['rejected no_workers']);
  });
});

describe('the rest', () => {
  test('huge_pages: try in place of off where page tables take a gigabyte, never on', async () => {
    const settings = { shared_buffers: String((16 * GB) / 8192) };
    const sessions = (n: number) => ({
      activity: {
        ...snapshotOf().activity,
        groups: [
          {
            ...{ backend_type: 'client backend', database: 'app', user: 'app', application_name: null },
            ...{ state: 'idle', wait_event_type: null, wait_event: null, query_id: null, sessions: n },
          },
        ],
      },
    });
    expect(await said(hugePages, stock({ settings, ...sessions(100) }, { huge_pages: 'off' }))).toEqual([
      'huge_pages: off → try',
    ]);
    expect(await said(hugePages, stock({ settings, ...sessions(3) }, { huge_pages: 'off' }))).toEqual([
      'rejected set_by_operator',
    ]);
    expect(await said(hugePages, stock({ settings }))).toEqual(['rejected as_wanted']);
  });
  test('parallel workers: one a CPU, never fewer than eight, within the budget', async () => {
    expect(await said(parallelWorkers, stock({ cpu_count: 16 }))).toEqual([
      'max_worker_processes: 8 → 16',
      'max_parallel_workers: 8 → 16',
      'max_parallel_maintenance_workers: 2 → 4',
    ]);
    expect(await said(parallelWorkers, stock({ cpu_count: 2 }))).toEqual([
      'rejected close_enough',
      'rejected larger_already',
      'rejected close_enough',
    ]);
    expect((await said(parallelWorkers, stock({ cpu_count: 64, ram_bytes: 2 * GB }))).slice(-2)).toEqual([
      'rejected memory_budget',
      'rejected memory_budget',
    ]);
    expect(await said(parallelWorkers, stock({ cpu_count: null }))).toEqual(['rejected host_unknown']);
  });
  test('parallel workers that plans wanted and did not get (18) speak against a chosen limit, but not for more than CPUs', async () => {
    const wanting = (cpu_count: number, started: number, most: string) =>
      stock(
        {
          cpu_count,
          settings: { max_parallel_workers: most },
          counters: {
            database: databaseCounters({
              parallel_workers_to_launch: 1000,
              parallel_workers_launched: started,
            }),
          },
        },
        {},
      );
    expect(await said(parallelWorkers, wanting(8, 400, '2'))).toContain('max_parallel_workers: 2 → 8');
    const { recommendations } = await parallelWorkers.evaluate(contextOf(wanting(8, 400, '2')));
    expect(recommendations[0]).toMatchObject({ severity: 'low', evidence_level: 'measured' });
    expect(recommendations[0]?.evidence).toContainEqual(
      expect.objectContaining({ name: 'share that started', value: 0.4 }),
    );
    expect(await said(parallelWorkers, wanting(8, 990, '2'))).toContain('rejected set_by_operator');
    expect(await said(parallelWorkers, wanting(4, 400, '8'))).toContain('rejected cpus_taken');
  });
  test('max_locks_per_transaction: partitions with their indexes, by hand, and first on standbys', async () => {
    const tree = (partitions: number) => [
      tableRow({ oid: 1, name: 'events', relkind: 'p' }),
      ...Array.from({ length: partitions }, (_, n) =>
        tableRow({ oid: 10 + n, name: `events_${n}`, parent_oid: 1, is_partition: true }),
      ),
    ];
    const result = await maxLocks.evaluate(contextOf(stock({ tables: tree(5000) })));
    expect(result.recommendations[0]).toMatchObject({
      title: 'max_locks_per_transaction: 64 → 256',
      change: { kind: 'finding' },
    });
    expect(result.recommendations[0]?.risk.notes.join()).toContain('Standbys');
    expect(await said(maxLocks, stock({ tables: tree(100) }))).toEqual(['rejected room_enough']);
  });
  test('default_toast_compression: lz4 where the build has it and much lies there', async () => {
    const large = { tables: [tableRow({ toast_bytes: 20 * GB })] };
    expect(await said(toast, stock(large))).toEqual(['default_toast_compression: pglz → lz4']);
    expect(await said(toast, stock({ tables: [tableRow({ toast_bytes: 2 * GB })] }))).toEqual([
      'rejected little_toast',
    ]);
    const without = stock(large);
    for (const row of without.settings) if (row.name === 'default_toast_compression') row.enumvals = ['pglz'];
    expect(await said(toast, without)).toEqual(['rejected not_available']);
  });
  test('idle_in_transaction_session_timeout: where a session idled for minutes', async () => {
    const session = (since: string) => ({
      activity: {
        ...snapshotOf().activity,
        sessions: [
          { state: 'idle in transaction', state_change: since },
        ] as unknown as Snapshot['activity']['sessions'],
      },
    });
    expect(await said(idleTimeout, stock(session('2026-03-01T11:50:00.000Z')))).toEqual([
      'idle_in_transaction_session_timeout: 0 → 15min',
    ]);
    expect(await said(idleTimeout, stock(session('2026-03-01T11:59:00.000Z')))).toEqual([
      'rejected none_idle',
    ]);
  });
  test('jit: off where compiling takes what running does not, quiet where it takes little', async () => {
    const run = (jit_ms: number | null) => ({
      snapshot: { ...stock(), statements: [statementRow({ jit_time_ms: jit_ms })] },
      workload: workloadOf([workloadQuery({ total_exec_time_ms: 1000 })]),
    });
    const of = (jit_ms: number | null) => said(jit, run(jit_ms).snapshot, { workload: run(jit_ms).workload });
    expect(await of(400)).toEqual(['jit: on → off']);
    expect(await of(50)).toEqual(['rejected worth_it']);
    expect(await of(5)).toEqual(['rejected compiles_little']);
    expect(await of(null)).toEqual(['rejected no_evidence']);
  });
});

describe('logging', () => {
  test('what the log should tell, as far as nobody chose otherwise', async () => {
    expect(await said(logging, stock())).toEqual([
      'log_lock_waits: off → on',
      'log_temp_files: -1 → 10MB',
      'log_autovacuum_min_duration: 10min → 1min',
      'log_min_duration_statement: -1 → 1s',
      'log_line_prefix: %m [%p]  → %m [%p] %q%u@%d %a ',
      'rejected as_wanted',
    ]);
    const given = {
      log_lock_waits: 'on',
      log_temp_files: '0',
      log_autovacuum_min_duration: '0',
      log_min_duration_statement: '5000',
      log_line_prefix: '%t %u %d %a ',
    };
    expect((await said(logging, stock({}, given))).filter((text) => text.includes('→'))).toEqual([]);
  });
  test.each([
    ['few slow ones', 10, 300, 0, '250ms'],
    // 3,600,000 calls of 300 ms an hour: nothing of them may be logged.
    ['many of 300 ms', 3_600_000, 300, 0, '500ms'],
    // σ = 100 ms: at most 1 in 2,210 lies above 5 s.
    ['many that vary', 1_000_000, 300, 100, '5s'],
  ])('log_min_duration_statement by the workload: %s', async (_, calls, mean, deviation, value) => {
    const workload = workloadOf(
      [workloadQuery({ calls, mean_exec_time_ms: mean, stddev_exec_time_ms: deviation })],
      { seconds: 3600 },
    );
    const texts = await said(logging, stock(), { workload });
    expect(texts).toContain(`log_min_duration_statement: -1 → ${value}`);
  });
});

test('every rule of the area has its test', async () => {
  const rules = await readdir(new URL('../../../../src/advise/rules/settings/', import.meta.url));
  const tests = await readdir(new URL('.', import.meta.url));
  const texts = await Promise.all(
    tests
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFile(new URL(name, import.meta.url), 'utf8')),
  );
  const untested = rules.filter((name) => !texts.some((text) => text.includes(`rules/settings/${name}`)));
  expect(untested).toEqual([]);
});
