/** Real servers that show each problem: seen by the rules, applied by the applier, and gone afterwards. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as fillfactorRule } from '../../../../src/advise/rules/autovacuum/fillfactor.ts';
import { rule as insertRule } from '../../../../src/advise/rules/autovacuum/insert-scale-factor.ts';
import { rule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as overrideRule } from '../../../../src/advise/rules/autovacuum/stale-override.ts';
import { rule as vacuumOnceRule } from '../../../../src/advise/rules/autovacuum/vacuum-once.ts';
import { rule as horizonRule } from '../../../../src/advise/rules/autovacuum/xmin-horizon.ts';
import type { Change, RuleContext, Snapshot, TableRow } from '../../../../src/domain/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { apply } from '../../../apply/target.ts';
import { testMajors, testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from '../index/context.ts';

const ROWS = 100_000;
/** The looks that autovacuum is reckoned with: a stock server's; the test's own come each second. */
const NAPTIME = '60';

/** As if the two snapshots had been an hour apart, whatever the machine took. */
function hour(before: Snapshot, after: Snapshot): RuleContext {
  const settings = after.settings.map((row) =>
    row.name === 'autovacuum_naptime' ? { ...row, setting: NAPTIME } : row,
  );
  return contextOf({ ...after, settings }, { window: { ...diffSnapshots(before, after), seconds: 3600 } });
}

function rowOf({ tables }: Snapshot, name: string): TableRow {
  const row = tables.find((item) => item.name === name);
  if (!row) throw new Error(`no table ${name}`);
  return row;
}
const deadShare = (row: TableRow) => row.n_dead_tup / (row.n_live_tup + row.n_dead_tup);

const newest = Math.max(...testMajors);

describe.each(testMajors)('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  const counted = (sql: string) => database.query(`${sql}; SELECT pg_stat_force_next_flush()`);

  beforeAll(async () => {
    database = await sampleDatabase(
      'SELECT 1',
      await testServer({
        major,
        settings: { autovacuum_naptime: '1s', max_prepared_transactions: '5', wal_level: 'logical' },
      }),
    );
  });
  afterAll(async () => database?.close());

  /** Waits for what autovacuum does in its own time. */
  async function until(name: string, holds: (row: TableRow) => boolean): Promise<TableRow> {
    for (;;) {
      const row = rowOf(await database.snapshot(), name);
      if (holds(row)) return row;
      await database.query('SELECT pg_sleep(0.2)');
    }
  }

  let rounds = 0;
  /** A round of autovacuum that began after all that was counted so far. */
  async function round(): Promise<void> {
    rounds += 1;
    const name = `round_${rounds}`;
    await counted(`CREATE TABLE ${name} (a int); INSERT INTO ${name} SELECT generate_series(1, 500)`);
    await counted(`DELETE FROM ${name}`);
    await until(name, (row) => row.autovacuum_count > 0);
  }

  async function makeTable(name: string): Promise<void> {
    await counted(
      `CREATE TABLE ${name} (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_analyze_threshold = 2000000000);
       INSERT INTO ${name} SELECT g, 0, repeat('x', 40) FROM generate_series(1, ${ROWS}) g`,
    );
    await database.query(`VACUUM ANALYZE ${name}`);
  }
  /** Deletes and inserts the same rows: dead rows that no pruning takes off the count without a visit. */
  async function churn(name: string, from: number, count: number): Promise<void> {
    await counted(`UPDATE ${name} SET n = n + 1 WHERE id > ${from} AND id <= ${from + count}`);
  }

  async function applied(change: Change | undefined): Promise<void> {
    if (!change) throw new Error('no change');
    const { outcome } = await apply(database.dsn, change);
    expect(outcome).toMatchObject({ outcome: 'applied' });
  }

  test('a churned table: its dead share falls once the advice is in force', {
    timeout: 180_000,
  }, async () => {
    await makeTable('orders');
    await round();
    const before = await database.snapshot();
    const runsBefore = rowOf(before, 'orders').autovacuum_count;
    for (let part = 0; part < 15; part += 1) await churn('orders', part * 1000, 1000);
    await round();
    const after = await database.snapshot();
    // 15 % are dead, and autovacuum has looked at it and left: it comes at 20 %.
    expect(rowOf(after, 'orders').autovacuum_count).toBe(runsBefore);
    expect(deadShare(rowOf(after, 'orders'))).toBeGreaterThan(0.1);

    const { recommendations } = await rule.evaluate(hour(before, after));
    const draft = recommendations.find(({ key }) => key.includes('public.orders '));
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(evidence['trigger now']).toBeCloseTo(50 + 0.2 * ROWS, 6);
    const trigger = Number(evidence['trigger after']);
    expect(trigger).toBeLessThan(10_000);
    await applied(draft?.change);

    const vacuumed = await until('orders', (row) => row.autovacuum_count > runsBefore);
    expect(vacuumed.n_dead_tup).toBeLessThan(trigger);
    // The same churn again: now it is vacuumed in between, and never holds what it held before.
    for (let part = 0; part < 15; part += 1) await churn('orders', part * 1000, 1000);
    const again = await until(
      'orders',
      (row) => row.autovacuum_count > vacuumed.autovacuum_count && row.n_dead_tup <= trigger,
    );
    expect(deadShare(again)).toBeLessThan(0.05);
  });

  // Each kind on one major at least, all of them on the newest.
  const kinds = ['transaction with a snapshot', 'transaction that wrote', 'prepared transaction'];
  test.each(major === newest ? kinds : kinds.slice(major % 3, (major % 3) + 1))(
    'a %s that holds the rows is named, and silences the advice until it ends',
    { timeout: 180_000 },
    async (kind) => {
      const name = `held_${kind.replaceAll(' ', '_')}`;
      await makeTable(name);
      await database.query(`ALTER TABLE ${name} SET (autovacuum_vacuum_insert_threshold = -1)`);
      await database.query('CREATE TABLE IF NOT EXISTS elsewhere (a int)');
      const holder = new pg.Client({ connectionString: database.dsn, application_name: 'report' });
      await holder.connect();
      const { rows } = await holder.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid');
      if (kind === 'transaction with a snapshot') {
        await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM elsewhere');
      } else await holder.query('BEGIN; INSERT INTO elsewhere VALUES (1)');
      const gid = `left by ${kind}`;
      if (kind === 'prepared transaction') await holder.query(`PREPARE TRANSACTION '${gid}'`);
      const named = kind === 'prepared transaction' ? gid : (rows[0]?.pid ?? '');

      const before = await database.snapshot();
      for (let part = 0; part < 25; part += 1) await churn(name, part * 1000, 1000);
      await database.query(`VACUUM ${name}`);
      const after = await database.snapshot();
      const context = hour(before, after);
      expect(rowOf(after, name).n_dead_tup).toBeGreaterThan(20_000);
      const silenced = await rule.evaluate(context);
      expect(silenced.recommendations.filter(({ key }) => key.includes(name))).toEqual([]);
      expect(silenced.rejections.filter(({ candidate }) => candidate === `public.${name}`)).toMatchObject([
        { code: 'horizon_held', reason: expect.stringContaining(named) as string },
      ]);
      const findings = (await horizonRule.evaluate(context)).recommendations;
      expect(findings.filter(({ severity }) => severity === 'high').map(({ title }) => title)).toEqual([
        expect.stringContaining(named) as string,
      ]);

      await holder.query(kind === 'prepared transaction' ? `ROLLBACK PREPARED '${gid}'` : 'ROLLBACK');
      await holder.end();
      await database.query(`VACUUM ${name}`);
      const free = await database.snapshot();
      expect(rowOf(free, name).n_dead_tup).toBe(0);
      const spoken = await rule.evaluate(hour(before, free));
      expect(spoken.recommendations.map(({ key }) => key)).toContain(
        `table.reloptions public.${name} autovacuum_vacuum`,
      );
    },
  );

  test.runIf(major === newest)(
    'partitions alike are set and reset in one change',
    { timeout: 120_000 },
    async () => {
      await database.query(`
      CREATE TABLE events (id int, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE "events A" PARTITION OF events FOR VALUES FROM (0) TO (60001);
      CREATE TABLE events_b PARTITION OF events FOR VALUES FROM (60001) TO (120001);
      INSERT INTO events SELECT g, 0 FROM generate_series(1, 120000) g;
      ALTER TABLE events_b SET (autovacuum_vacuum_scale_factor = 0.3);`);
      await database.query('VACUUM ANALYZE events');
      const before = await database.snapshot();
      await counted('UPDATE events SET n = 1 WHERE id % 20 = 0');
      const after = await database.snapshot();
      const { recommendations } = await rule.evaluate(hour(before, after));
      const draft = recommendations.find(({ key }) => key.includes('public.events partitions'));
      if (draft?.change.kind !== 'table.reloptions') throw new Error('no advice for the family');
      const { plan } = await apply(database.dsn, draft.change);
      const factors = async () =>
        (await database.snapshot()).tables
          .filter(({ is_partition }) => is_partition)
          .map(({ reloptions }) => reloptions.autovacuum_vacuum_scale_factor);
      expect(await factors()).toEqual([
        draft.change.set.autovacuum_vacuum_scale_factor,
        draft.change.set.autovacuum_vacuum_scale_factor,
      ]);
      for (const statement of plan.rollback) await database.query(statement);
      expect(await factors()).toEqual([undefined, '0.3']);
    },
  );

  test.runIf(major === newest)("parameters that repeat the server's are taken off", async () => {
    await database.query(
      'CREATE TABLE pinned (a int) WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 7)',
    );
    const { recommendations } = await overrideRule.evaluate(contextOf(await database.snapshot()));
    await applied(recommendations.find(({ key }) => key.includes('public.pinned'))?.change);
    expect(rowOf(await database.snapshot(), 'pinned').reloptions).toEqual({
      autovacuum_vacuum_threshold: '7',
    });
  });

  test.runIf(major === newest)('what a bulk delete left is vacuumed once', { timeout: 120_000 }, async () => {
    await makeTable('archive');
    await database.query('ALTER TABLE archive SET (autovacuum_vacuum_scale_factor = 0.3)');
    await counted(`DELETE FROM archive WHERE id <= ${0.2 * ROWS}`);
    const before = await database.snapshot();
    await round();
    const after = await database.snapshot();
    const { recommendations } = await vacuumOnceRule.evaluate(hour(before, after));
    const draft = recommendations.find(({ key }) => key === 'vacuum public.archive');
    expect(draft?.change).toMatchObject({ kind: 'vacuum', freeze: false });
    await applied(draft?.change);
    expect(rowOf(await database.snapshot(), 'archive').n_dead_tup).toBe(0);
  });

  test.runIf(major === newest)('updates that leave full pages: with room they are HOT', async () => {
    await database.query(`
      CREATE TABLE wide (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_enabled = off);
      ALTER TABLE wide ALTER pad SET STORAGE PLAIN;
      INSERT INTO wide SELECT g, 0, repeat('x', 300) FROM generate_series(1, 20000) g;`);
    await database.query('VACUUM ANALYZE wide');
    const before = await database.snapshot();
    await counted('UPDATE wide SET n = 1 WHERE id % 20 = 0 OR id % 20 = 7');
    const after = await database.snapshot();
    const context = hour(before, after);
    const draft = (await fillfactorRule.evaluate(context)).recommendations.find(({ key }) =>
      key.includes('public.wide'),
    );
    expect(draft?.change).toMatchObject({
      set: { fillfactor: expect.stringMatching(/^(8|9)\d$/) as string },
    });
    await applied(draft?.change);
    await database.query('VACUUM FULL wide');
    const full = await database.snapshot();
    await counted('UPDATE wide SET n = 2 WHERE id % 40 = 3');
    const hot = diffSnapshots(full, await database.snapshot()).tables.find(
      ({ oid }) => oid === rowOf(full, 'wide').oid,
    );
    expect((hot?.n_tup_hot_upd ?? 0) / (hot?.n_tup_upd ?? 1)).toBeGreaterThan(0.9);
  });

  test.runIf(major === Math.min(...testMajors) || major === newest)(
    'an insert-only table: vacuumed and frozen once the advice is in force',
    { timeout: 180_000 },
    async () => {
      await database.query(
        'CREATE TABLE log (id int, t int) WITH (autovacuum_analyze_threshold = 2000000000, autovacuum_enabled = off)',
      );
      await counted('INSERT INTO log SELECT g, g FROM generate_series(1, 1000000) g');
      await database.query('VACUUM ANALYZE log');
      await database.query('ALTER TABLE log RESET (autovacuum_enabled)');
      const before = await database.snapshot();
      await counted('INSERT INTO log SELECT g, g FROM generate_series(1, 100000) g');
      await round();
      const after = await database.snapshot();
      const old = rowOf(after, 'log');
      expect(old.autovacuum_count).toBe(0);
      const draft = (await insertRule.evaluate(hour(before, after))).recommendations.find(({ key }) =>
        key.includes('public.log'),
      );
      await applied(draft?.change);
      const vacuumed = await until('log', (row) => row.autovacuum_count > 0);
      expect(vacuumed.relallvisible / vacuumed.relpages).toBeGreaterThan(0.99);
      expect(vacuumed.n_ins_since_vacuum).toBeLessThan(old.n_ins_since_vacuum);
      // autovacuum_freeze_min_age 0: what a lazy vacuum reads it freezes at once (18 counts it).
      if (major >= 18) expect(vacuumed.relallfrozen ?? 0).toBeGreaterThan(0.05 * vacuumed.relpages);
    },
  );
});
