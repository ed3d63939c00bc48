/** A churned table and what holds its dead rows, on real servers: seen, applied, and gone afterwards. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as horizonRule } from '../../../../src/advise/rules/autovacuum/xmin-horizon.ts';
import { testMajors } from '../../../support/servers.ts';
import { type Churning, churningDatabase, deadShare, hour, ROWS, rowOf } from './churning.ts';

const newest = Math.max(...testMajors);

describe.each(testMajors)('PostgreSQL %i', (major) => {
  let shop: Churning;
  beforeAll(async () => {
    shop = await churningDatabase(major);
  });
  afterAll(async () => shop?.database.close());

  test('a churned table: its dead share falls once the advice is in force', {
    timeout: 180_000,
  }, async () => {
    await shop.makeTable('orders');
    await shop.round();
    const before = await shop.database.snapshot();
    const runsBefore = rowOf(before, 'orders').autovacuum_count;
    for (let part = 0; part < 15; part += 1) await shop.churn('orders', part * 1000, 1000);
    await shop.round();
    const after = await shop.database.snapshot();
    // 15 % are dead, and autovacuum has looked at it and left: it comes at 20 %.
    expect(rowOf(after, 'orders').autovacuum_count).toBe(runsBefore);
    expect(deadShare(rowOf(after, 'orders'))).toBeGreaterThan(0.1);

    const { recommendations } = await rule.evaluate(hour(before, after));
    const draft = recommendations.find(({ key }) => key.includes('public.orders '));
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(evidence['trigger now']).toBeCloseTo(50 + 0.2 * ROWS, 6);
    const trigger = Number(evidence['trigger after']);
    expect(trigger).toBeLessThan(10_000);
    await shop.applied(draft?.change);

    const vacuumed = await shop.until('orders', (row) => row.autovacuum_count > runsBefore);
    expect(vacuumed.n_dead_tup).toBeLessThan(trigger);
    // The same churn again: now it is vacuumed in between, and never holds what it held before.
    for (let part = 0; part < 15; part += 1) await shop.churn('orders', part * 1000, 1000);
    const again = await shop.until(
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
      await shop.makeTable(name);
      await shop.database.query(`ALTER TABLE ${name} SET (autovacuum_vacuum_insert_threshold = -1)`);
      await shop.database.query('CREATE TABLE IF NOT EXISTS elsewhere (a int)');
      const holder = new pg.Client({ connectionString: shop.database.dsn, application_name: 'report' });
      await holder.connect();
      const { rows } = await holder.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid');
      if (kind === 'transaction with a snapshot') {
        await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM elsewhere');
      } else await holder.query('BEGIN; INSERT INTO elsewhere VALUES (1)');
      const gid = `left by ${kind}`;
      if (kind === 'prepared transaction') await holder.query(`PREPARE TRANSACTION '${gid}'`);
      const named = kind === 'prepared transaction' ? gid : (rows[0]?.pid ?? '');

      const before = await shop.database.snapshot();
      for (let part = 0; part < 25; part += 1) await shop.churn(name, part * 1000, 1000);
      await shop.database.query(`VACUUM ${name}`);
      const after = await shop.database.snapshot();
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
      await shop.database.query(`VACUUM ${name}`);
      const free = await shop.database.snapshot();
      expect(rowOf(free, name).n_dead_tup).toBe(0);
      const spoken = await rule.evaluate(hour(before, free));
      expect(spoken.recommendations.map(({ key }) => key)).toContain(
        `table.reloptions public.${name} autovacuum_vacuum`,
      );
    },
  );
});
