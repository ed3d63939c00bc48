import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as duplicate } from '../../../../src/advise/rules/index/duplicate.ts';
import { rule } from '../../../../src/advise/rules/index/unused.ts';
import type { IndexRow, Replication, RuleContext, Snapshot } from '../../../../src/domain/index.ts';
import { noReplication } from '../../../../src/domain/index.ts';
import { contextOf, dropped, type SampleDatabase, sampleDatabase, twinOf } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE parent (id int PRIMARY KEY);
    INSERT INTO parent VALUES (1);
    CREATE TABLE t (id int PRIMARY KEY, a int, u int, parent_id int REFERENCES parent, used int, b int, c int);
    INSERT INTO t SELECT g, g, g, 1, g, g % 100, g % 5000 FROM generate_series(1, 200000) g;
    CREATE INDEX unused_a ON t (a);
    CREATE UNIQUE INDEX unused_u ON t (u);
    CREATE INDEX t_parent ON t (parent_id, a);
    CREATE INDEX used ON t (used);
    CREATE INDEX c_short ON t (c);
    CREATE INDEX c_long ON t (c, b);
    ANALYZE;
    SELECT count(*) FROM t WHERE used = 5;
    SELECT count(*) FROM t WHERE c = 5;
    SELECT pg_stat_force_next_flush();
  `);
  await database.query('SELECT 1');
  snapshot = withScans(await database.snapshot(), { c_short: 10, c_long: 0 });
});

afterAll(async () => database?.close());

/** The same counters, begun so long ago. */
function aged(days: number, of: Snapshot = snapshot): Snapshot {
  const stats_reset = new Date(Date.parse(of.taken_at) - days * 86_400_000).toISOString();
  return { ...of, server: { ...of.server, stats_reset } };
}

/** Counters as a standby has its own. */
function withScans(of: Snapshot, scans: Record<string, number>, more: Partial<IndexRow> = {}): Snapshot {
  const indexes = of.indexes.map((index) =>
    scans[index.name] === undefined ? index : { ...index, idx_scan: scans[index.name] ?? 0, ...more },
  );
  return { ...of, indexes };
}

const sender: Replication['senders'][number] = {
  pid: 1,
  application_name: 'walreceiver',
  user: 'replicator',
  client_addr: '10.0.0.2',
  state: 'streaming',
  sync_state: 'async',
  sent_lag_bytes: 0,
  flush_lag_bytes: 0,
  replay_lag_bytes: 0,
  replay_lag_ms: null,
  xmin_age: null,
};
const slot = (parts: Partial<Replication['slots'][number]>): Replication['slots'][number] => ({
  name: 's',
  slot_type: 'physical',
  plugin: null,
  database: null,
  active: true,
  temporary: false,
  wal_status: 'reserved',
  retained_bytes: 0,
  safe_wal_bytes: null,
  xmin_age: null,
  catalog_xmin_age: null,
  inactive_since: null,
  invalidation_reason: null,
  ...parts,
});
const streaming = (days: number, replication: Partial<Replication>): Snapshot => ({
  ...aged(days),
  replication: { ...noReplication, ...replication },
});

const evaluate = async (of: Snapshot, parts: Partial<RuleContext> & { sql?: string } = {}) =>
  rule.evaluate(await contextOf(of, parts));
const why = (result: Awaited<ReturnType<typeof evaluate>>, name: string) =>
  result.rejections.find((each) => each.candidate === `drop public.${name}`)?.code;

test('only what was never scanned and holds nothing goes', async () => {
  const result = await evaluate(aged(60));
  expect(dropped(result.recommendations)).toEqual(['public.unused_a', 'public.c_long']);
  expect(result.rejections.map((each) => [each.candidate, each.code])).toEqual(
    expect.arrayContaining([
      ['drop public.unused_u', 'enforces_uniqueness'],
      ['drop public.t_parent', 'supports_foreign_key'],
    ]),
  );
  expect(result.limits.map((limit) => limit.code)).toEqual(['replicas_not_seen']);
});

test('young statistics are a reason given, not silence: a month is asked for', async () => {
  const result = await evaluate(aged(29.9));
  expect(result.recommendations).toEqual([]);
  expect(why(result, 'unused_a')).toBe('statistics_too_young');
});

test('a whole year says more than a month', async () => {
  const sure = async (days: number) => (await evaluate(aged(days))).recommendations[0]?.confidence ?? 0;
  expect(await sure(400)).toBeGreaterThan(await sure(40));
  const notes = (await evaluate(aged(40))).recommendations[0]?.risk.notes.join(' ');
  expect(notes).toContain('once a quarter or once a year');
});

test("a standby's counters tell nothing of the primary's use", async () => {
  const standby = { ...aged(60), server: { ...aged(60).server, in_recovery: true } };
  const result = await evaluate(standby);
  expect(result.recommendations).toEqual([]);
  expect(why(result, 'unused_a')).toBe('standby');
});

describe('standbys', () => {
  test('that are known of but not watched speak against every drop, and the limit says what to do', async () => {
    const result = await evaluate(streaming(60, { senders: [sender] }));
    expect(result.recommendations).toEqual([]);
    expect(why(result, 'unused_a')).toBe('replicas_unseen');
    expect(result.limits).toEqual([
      expect.objectContaining({ code: 'replicas_unseen', remedy: expect.stringContaining('--replica') }),
    ]);
    // One that is away now has a slot to come back to.
    const away = await evaluate(streaming(60, { slots: [slot({ active: false })] }));
    expect(why(away, 'unused_a')).toBe('replicas_unseen');
  });

  test('logical receivers, base backups and receivers of the log are none', async () => {
    const logical = { senders: [sender], slots: [slot({ slot_type: 'logical', plugin: 'pgoutput' })] };
    const others = [
      { ...sender, state: 'backup' },
      { ...sender, application_name: 'pg_receivewal' },
    ];
    for (const replication of [logical, { senders: others }]) {
      const result = await evaluate(streaming(60, replication));
      expect(dropped(result.recommendations)).toContain('public.unused_a');
    }
  });

  test('that are watched and do not use it either count as evidence', async () => {
    const replica = { name: 'reader', snapshot: aged(90) };
    const result = await evaluate(streaming(60, { senders: [sender] }), { replicas: [replica] });
    const found = result.recommendations.find((each) => each.title.includes('unused_a'));
    expect(found?.evidence).toContainEqual(
      expect.objectContaining({ name: 'scans on the replica reader in 90 days', value: 0 }),
    );
    expect(found?.rationale).toContain('nor on reader');
    expect(result.limits).toEqual([]);
  });

  test('that use it, are young, or have a standby of their own speak against it', async () => {
    const on = async (replica: Snapshot) =>
      why(
        await evaluate(streaming(60, { senders: [sender] }), {
          replicas: [{ name: 'reader', snapshot: replica }],
        }),
        'unused_a',
      );
    expect(await on(withScans(aged(90), { unused_a: 3 }))).toBe('used_on_replica');
    expect(await on(aged(3))).toBe('replica_statistics_too_young');
    expect(await on(streaming(90, { senders: [sender] }))).toBe('replicas_unseen');
  });
});

test('an index that the earliest snapshot does not have is too young', async () => {
  const taken_at = new Date(Date.parse(snapshot.taken_at) - 20 * 86_400_000).toISOString();
  const oids = (without: string) =>
    new Set(snapshot.indexes.filter(({ name }) => name !== without).map(({ oid }) => oid));
  const young = await evaluate(aged(60), { earliest: { taken_at, index_oids: oids('unused_a') } });
  expect(why(young, 'unused_a')).toBe('index_too_young');
  const old = await evaluate(aged(60), { earliest: { taken_at, index_oids: oids('') } });
  expect(dropped(old.recommendations)).toContain('public.unused_a');
});

test('one that was used, but not for half a year, goes with less confidence', async () => {
  const scanned = (days: number) =>
    withScans(
      aged(400),
      { used: 7 },
      {
        last_idx_scan: new Date(Date.parse(snapshot.taken_at) - days * 86_400_000).toISOString(),
      },
    );
  const result = await evaluate(scanned(200));
  expect(dropped(result.recommendations)).toContain('public.used');
  const [never, once] = ['unused_a', 'used'].map(
    (name) => result.recommendations.find((each) => each.title.includes(`.${name} `))?.confidence ?? 0,
  );
  expect(once).toBeLessThan(never ?? 0);
  expect(dropped((await evaluate(scanned(100))).recommendations)).not.toContain('public.used');
});

describe('with a planner', () => {
  let whatIf: Awaited<ReturnType<typeof twinOf>>;
  beforeAll(async () => {
    whatIf = await twinOf(snapshot);
  });
  afterAll(async () => whatIf?.close());

  test('an index that a plan of the workload wants stays, whatever the counters say', async () => {
    const sql = 'SELECT * FROM t WHERE a = 17; SELECT * FROM t WHERE used = 3;';
    const result = await evaluate(aged(60), { sql, what_if: whatIf });
    expect(why(result, 'unused_a')).toBe('would_cost');
    expect(result.rejections.find(({ code }) => code === 'would_cost')?.reason).toContain('WHERE a = 17');
    const found = result.recommendations.find((each) => each.title.includes('c_long'));
    expect(found?.evidence).toContainEqual(
      expect.objectContaining({ name: 'largest rise of a plan without it', value: 0, level: 'simulated' }),
    );
  });

  test('a short index stays where the longer one is to be dropped as unused', async () => {
    const sql = 'SELECT * FROM t WHERE c = 17';
    const both = await duplicate.evaluate(await contextOf(aged(60), { sql, what_if: whatIf }));
    expect(dropped(both.recommendations)).toEqual([]);
    expect(both.rejections).toContainEqual(
      expect.objectContaining({ candidate: 'drop public.c_short', code: 'longer_unused' }),
    );
    // While the statistics are young nobody drops the longer one: the short one is judged by its plans.
    const young = await duplicate.evaluate(await contextOf(aged(5), { sql, what_if: whatIf }));
    expect(JSON.stringify(young.rejections)).not.toContain('longer_unused');
  });
});
