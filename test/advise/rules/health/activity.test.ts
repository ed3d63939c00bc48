/** Health of the moment: ages of identifiers, horizon, sessions, locks, connections, replication, archive. */
import { describe, expect, test } from 'vitest';
import { STOP_AGE } from '../../../../src/advise/autovacuum/wraparound.ts';
import { runRules } from '../../../../src/advise/engine.ts';
import { rule as named } from '../../../../src/advise/rules/autovacuum/xmin-horizon.ts';
import { rule as archiver } from '../../../../src/advise/rules/health/archiver-failing.ts';
import { rule as blocking } from '../../../../src/advise/rules/health/blocking-chain.ts';
import { rule as connections } from '../../../../src/advise/rules/health/connections-near-limit.ts';
import { rule as idle } from '../../../../src/advise/rules/health/idle-in-transaction.ts';
import { rule as long } from '../../../../src/advise/rules/health/long-transaction.ts';
import { rule as mxid } from '../../../../src/advise/rules/health/mxid-wraparound.ts';
import { rule as prepared } from '../../../../src/advise/rules/health/prepared-transaction.ts';
import { rule as lag } from '../../../../src/advise/rules/health/replica-lag.ts';
import { rule as slots } from '../../../../src/advise/rules/health/replication-slot.ts';
import { rule as passes } from '../../../../src/advise/rules/health/vacuum-index-passes.ts';
import { rule as xid } from '../../../../src/advise/rules/health/xid-wraparound.ts';
import { rule as horizon } from '../../../../src/advise/rules/health/xmin-horizon.ts';
import { noActivity, noReplication, type Snapshot, type XminHolder } from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import { contextOf, GB, MB, windowOf } from '../../../support/snapshot-builder.ts';
import { ago, evaluated, session, settingRow, slot, snapshotOf, told, withSettings } from './cases.ts';

const database = (age: number, mxid_age = 1) => ({
  oid: 5,
  name: 'app',
  allows_connections: true,
  is_template: false,
  datfrozenxid_age: age,
  datminmxid_age: mxid_age,
  numbackends: 1,
});
const aged = (age: number, mxid_age?: number, freeze = '200000000') =>
  withSettings(
    snapshotOf({
      counters: { databases: [database(age, mxid_age)] },
      tables: [tableRow({ name: 'T x', xid_age: age })],
    }),
    settingRow('autovacuum_freeze_max_age', freeze, { vartype: 'integer' }),
    settingRow('autovacuum_multixact_freeze_max_age', '400000000', { vartype: 'integer' }),
  );

describe('wraparound', () => {
  test('the server stops 3 million before 2^31 − 1, not one', () => {
    expect(STOP_AGE).toBe(2_144_483_647);
  });
  test.each([
    [250_000_000, []],
    [410_000_000, ['medium xid-wraparound app']],
    [1_250_000_000, ['high xid-wraparound app']],
    [1_950_000_000, ['critical xid-wraparound app']],
  ])('at an age of %i', async (age, expected) => {
    expect(await told(xid, aged(age))).toEqual(expected);
  });
  test('what was chosen late is not told early, and the rate of the window counts', async () => {
    expect(await told(xid, aged(1_250_000_000, 1, '1500000000'))).toEqual([]);
    const window = windowOf(86_400, { counters: { xids: 500_000_000 } as never });
    expect(await told(xid, aged(800_000_000), { window })).toEqual(['critical xid-wraparound app']);
  });
  test('names the oldest tables, TOAST counted, and what is left', async () => {
    const { recommendations } = await evaluated(xid, aged(1_250_000_000));
    expect(recommendations[0]?.evidence.map(({ name, value }) => [name, value])).toContainEqual([
      'left until writes stop',
      2_144_483_647 - 1_250_000_000,
    ]);
    expect(recommendations[0]?.risk.notes).toContain('VACUUM (VERBOSE) public."T x";');
  });
  test('multixacts by their own age', async () => {
    expect(await told(mxid, aged(1, 300_000_000))).toEqual([]);
    expect(await told(mxid, aged(1, 1_300_000_000))).toEqual(['high mxid-wraparound app']);
  });
});

describe('the horizon', () => {
  const holder = (row: Partial<XminHolder>): Snapshot =>
    snapshotOf({
      activity: {
        ...noActivity,
        xmin_holders: [
          {
            kind: 'session',
            name: '77',
            database: 'app',
            xmin_age: null,
            catalog_xmin_age: null,
            since: null,
            ...row,
          },
        ],
      },
    });
  test.each<[Partial<XminHolder>, string[]]>([
    [{ xmin_age: 2_000_000, since: ago(60) }, []],
    [{ xmin_age: 100, since: ago(86_400) }, []],
    [{ xmin_age: 2_000_000, since: ago(7200) }, ['medium xmin-horizon session app']],
    [{ kind: 'replication_slot', name: 's', xmin_age: 2_000_000 }, []],
    [
      { kind: 'replication_slot', name: 's', catalog_xmin_age: 2e7 },
      ['medium xmin-horizon replication_slot s'],
    ],
    [
      { kind: 'standby', name: 'walreceiver', xmin_age: 2e7, since: ago(60) },
      ['medium xmin-horizon standby walreceiver'],
    ],
  ])('%j', async (row, expected) => {
    expect(await told(horizon, holder(row))).toEqual(expected);
  });
});

test('sessions of one database that hold the horizon are one finding, and it is left to who names each of them', async () => {
  const holders = [20, 21].map((pid, place) => ({
    kind: 'session' as const,
    name: String(pid),
    database: 'app',
    xmin_age: 3_000_000 + place,
    catalog_xmin_age: null,
    since: ago(7200),
  }));
  const snapshot = snapshotOf({ activity: { ...noActivity, xmin_holders: holders } });
  const { recommendations, yields } = await evaluated(horizon, snapshot);
  expect(recommendations.map(({ title }) => title)).toEqual([
    'A session (pid 21) holds back vacuum by 3,000,001 transactions',
  ]);
  expect(recommendations[0]?.rationale).toContain('1 more like it were seen: A session (pid 20)');
  expect(yields?.get('finding xmin-horizon session app')).toEqual([
    'finding xmin horizon session 21',
    'finding xmin horizon session 20',
  ]);
  // With the rule of autovacuum beside it, each is named once.
  const { recommendations: all, rejections } = await runRules(
    [horizon, named],
    contextOf(
      snapshotOf({ server: { database: 'app' }, activity: { ...noActivity, xmin_holders: holders } }),
    ),
  );
  expect(all.map(({ rule }) => rule)).toEqual(['autovacuum/xmin-horizon', 'autovacuum/xmin-horizon']);
  expect(rejections.map(({ rule, code }) => [rule, code])).toEqual([
    ['health/xmin-horizon', 'said_elsewhere'],
  ]);
});

describe('sessions', () => {
  const running = (...sessions: ReturnType<typeof session>[]) =>
    snapshotOf({ activity: { ...noActivity, sessions } });
  const idler = { state: 'idle in transaction', state_change: ago(600), xact_start: ago(900) };
  test('idle in a transaction: one finding a user and application, whatever the pids', async () => {
    expect(await told(idle, running(session({ ...idler, state_change: ago(60) })))).toEqual([]);
    expect(
      await told(idle, running(session(idler), session({ ...idler, pid: 7, state_change: ago(4000) }))),
    ).toEqual(['medium idle-in-transaction shop@app web']);
    const waiting = session({ pid: 9, user: 'other', blocked_by: [101], wait_event_type: 'Lock' });
    expect(await told(idle, running(session(idler), waiting))).toEqual([
      'high idle-in-transaction shop@app web',
    ]);
  });
  test('long transactions at work; not autovacuum, not idle ones', async () => {
    const old = { xact_start: ago(7300) };
    expect(await told(long, running(session(old)))).toEqual(['low long-transaction shop@app web']);
    expect(await told(long, running(session({ ...old, backend_type: 'autovacuum worker' })))).toEqual([]);
    expect(await told(long, running(session({ ...old, state: 'idle in transaction' })))).toEqual([]);
  });
  test('the root of a chain, not those in between', async () => {
    const wait = {
      waits_for: { locktype: 'relation', mode: 'AccessShareLock', relation_oid: 1, since: ago(120) },
    };
    const chain = running(
      session({ pid: 1, application_name: 'root' }),
      session({ pid: 2, application_name: 'middle', blocked_by: [1], ...wait }),
      session({ pid: 3, blocked_by: [2], ...wait }),
    );
    const { recommendations } = await evaluated(blocking, chain);
    expect(recommendations.map(({ key, severity }) => [key, severity])).toEqual([
      ['finding blocking-chain shop@app root', 'medium'],
    ]);
    expect(recommendations[0]?.title).toBe('2 session(s) wait for shop@app root, the longest for 2 minutes');
    const short = { waits_for: { ...wait.waits_for, since: ago(5) } };
    expect(
      await told(blocking, running(session({ pid: 1 }), session({ pid: 2, blocked_by: [1], ...short }))),
    ).toEqual([]);
    expect(await told(blocking, running(session({ pid: 2, blocked_by: [0], ...wait })))).toEqual([
      'medium blocking-chain a prepared transaction',
    ]);
  });
  test('an autovacuum at the root is not to be ended', async () => {
    const waits_for = { locktype: 'relation', mode: 'AccessExclusiveLock', relation_oid: 1, since: ago(120) };
    const worker = session({ pid: 1, backend_type: 'autovacuum worker', application_name: '' });
    const { recommendations } = await evaluated(
      blocking,
      running(worker, session({ pid: 2, blocked_by: [1], waits_for })),
    );
    expect(recommendations[0]?.risk.notes.join(' ')).toContain('against wraparound');
    expect(recommendations[0]?.risk.notes.join(' ')).not.toContain('pg_terminate_backend');
  });
  test('prepared transactions by their age', async () => {
    const of = (seconds: number) =>
      snapshotOf({
        activity: {
          ...noActivity,
          prepared_transactions: [
            { gid: "it's", database: 'app', owner: 'o', prepared_at: ago(seconds), xid_age: 5 },
          ],
        },
      });
    expect(await told(prepared, of(60))).toEqual([]);
    const { recommendations } = await evaluated(prepared, of(200_000));
    expect(recommendations[0]).toMatchObject({
      severity: 'high',
      key: "finding prepared-transaction app it's",
    });
    expect(recommendations[0]?.risk.notes[0]).toContain("ROLLBACK PREPARED 'it''s';");
  });
  test('connections: of the server less what is reserved, and hidden ones are a limit', async () => {
    const group = {
      backend_type: 'client backend',
      database: 'app',
      user: 'shop',
      application_name: null,
      state: 'idle',
      wait_event_type: null,
      wait_event: null,
      query_id: null,
    };
    const of = (sessions: number) =>
      withSettings(
        snapshotOf({ activity: { ...noActivity, groups: [{ ...group, sessions }] } }),
        settingRow('superuser_reserved_connections', '3', { vartype: 'integer' }),
      );
    expect(await told(connections, of(70))).toEqual([]);
    expect(await told(connections, of(80))).toEqual(['medium connections-near-limit max_connections']);
    expect(await told(connections, of(88))).toEqual(['high connections-near-limit max_connections']);
    const hidden = {
      ...of(95),
      limits: [{ scope: 'activity', code: 'activity_hidden', message: '', remedy: null }],
    };
    expect(await evaluated(connections, hidden)).toMatchObject({
      recommendations: [],
      limits: [{ code: 'not_collected' }],
    });
  });
  test('a vacuum in its second pass', async () => {
    const vacuum = {
      pid: 1,
      table_oid: 16_384,
      phase: 'vacuuming indexes',
      heap_blks_total: 1,
      heap_blks_scanned: 1,
      heap_blks_vacuumed: 0,
      is_autovacuum: true,
      is_wraparound: false,
      started_at: null,
      delay_time_ms: null,
    };
    const of = (index_vacuum_count: number) =>
      snapshotOf({
        tables: [tableRow()],
        activity: { ...noActivity, vacuums: [{ ...vacuum, index_vacuum_count }] },
      });
    expect(await told(passes, of(0))).toEqual([]);
    expect(await told(passes, of(1))).toEqual(['low vacuum-index-passes public.t']);
  });
});

describe('replication and archive', () => {
  const unlimited = settingRow('max_slot_wal_keep_size', '-1', { vartype: 'integer' });
  const of = (row: Parameters<typeof slot>[0], server = {}) =>
    withSettings(snapshotOf({ server, replication: { ...noReplication, slots: [slot(row)] } }), unlimited);
  test.each<[string, Parameters<typeof slot>[0], string[]]>([
    ['active', {}, []],
    ['just gone', { active: false, inactive_since: ago(30) }, []],
    ['gone for a day', { active: false, inactive_since: ago(90_000) }, ['low replication-slot standby1']],
    ['gone, keeps WAL', { active: false, retained_bytes: 2 * GB }, ['medium replication-slot standby1']],
    [
      'gone, keeps much without limit',
      { active: false, retained_bytes: 60 * GB },
      ['high replication-slot standby1'],
    ],
    ['behind', { retained_bytes: 12 * GB }, ['medium replication-slot standby1']],
    [
      'lost',
      { active: false, wal_status: 'lost', retained_bytes: null },
      ['medium replication-slot standby1'],
    ],
    ['temporary', { active: false, temporary: true, retained_bytes: 2 * GB }, []],
  ])('a slot: %s', async (_, row, expected) => {
    expect(await told(slots, of(row))).toEqual(expected);
  });
  test('a slot that is lost for another reason than its WAL says so', async () => {
    const lost = { active: false, wal_status: 'lost', retained_bytes: null };
    const why = async (invalidation_reason: string) =>
      (await evaluated(slots, of({ ...lost, invalidation_reason }))).recommendations[0]?.rationale;
    expect(await why('wal_removed')).toContain('Its WAL is gone (wal_removed)');
    expect(await why('idle_timeout')).toContain('has invalidated it (idle_timeout)');
  });
  test('a logical slot on a standby may be a synchronised copy', async () => {
    const row = { slot_type: 'logical', active: false, retained_bytes: 2 * GB };
    const { recommendations, rejections } = await evaluated(slots, of(row, { in_recovery: true }));
    expect([recommendations, rejections[0]?.code]).toEqual([[], 'may_be_synchronised']);
  });
  test('lag by WAL that is due; the age of the last commit alone says nothing', async () => {
    const sender = {
      pid: 1,
      application_name: 'r1',
      user: 'rep',
      client_addr: '10.0.0.2',
      state: 'streaming',
      sync_state: 'async',
      sent_lag_bytes: 0,
      flush_lag_bytes: 0,
      xmin_age: null,
    };
    const primary = (replay_lag_bytes: number, replay_lag_ms: number | null) =>
      snapshotOf({
        replication: { ...noReplication, senders: [{ ...sender, replay_lag_bytes, replay_lag_ms }] },
      });
    expect(await told(lag, primary(MB, 900_000))).toEqual([]);
    expect(await told(lag, primary(100 * MB, 900_000))).toEqual(['medium replica-lag sender r1 10.0.0.2']);
    expect(await told(lag, primary(20 * GB, null))).toEqual(['high replica-lag sender r1 10.0.0.2']);
    const receiver = { status: 'streaming', sender_host: null, slot_name: null, replay_age_ms: 9e6 };
    const standby = (received_lag_bytes: number) =>
      snapshotOf({
        server: { in_recovery: true },
        replication: { ...noReplication, receiver: { ...receiver, received_lag_bytes } },
      });
    expect(await told(lag, standby(0))).toEqual([]);
    expect(await told(lag, standby(GB))).toEqual(['medium replica-lag standby']);
    const alone = withSettings(
      snapshotOf({ server: { in_recovery: true } }),
      settingRow('primary_conninfo', '***', { vartype: 'string' }),
    );
    expect(await told(lag, alone)).toEqual(['medium replica-lag no receiver']);
  });
  test('the archiver: a failure that was made good is none', async () => {
    const row = { archived_count: 5, failed_count: 3, last_failed_wal: '0001', stats_reset: null };
    const at = (
      last_archived_time: string | null,
      last_failed_time: string | null,
      mode = 'on',
      in_recovery = false,
    ) =>
      withSettings(
        snapshotOf({
          server: { in_recovery },
          counters: { archiver: { ...row, last_archived_time, last_failed_time } },
        }),
        settingRow('archive_mode', mode, { vartype: 'enum' }),
        settingRow('archive_command', '***', { vartype: 'string' }),
      );
    expect(await told(archiver, at(ago(10), ago(100)))).toEqual([]);
    expect(await told(archiver, at(ago(1000), ago(100)))).toEqual(['high archiver-failing failing']);
    expect(await told(archiver, at(null, ago(100)))).toEqual(['high archiver-failing failing']);
    expect(await told(archiver, at(null, ago(100), 'off'))).toEqual([]);
    expect(await told(archiver, at(null, ago(100), 'on', true))).toEqual([]);
    const silent = withSettings(at(null, null), settingRow('archive_command', '', { vartype: 'string' }));
    expect(await told(archiver, silent)).toEqual(['medium archiver-failing not configured']);
  });
});
