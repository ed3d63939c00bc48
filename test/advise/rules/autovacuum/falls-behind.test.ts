/** Too few workers, and too small a cost limit: seen, told apart, applied by the service, and the queue gone afterwards. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule as costLimitRule } from '../../../../src/advise/rules/autovacuum/cost-limit.ts';
import { rule as workersRule } from '../../../../src/advise/rules/autovacuum/max-workers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { advice, type Behind, behindServer, ends, evidenceOf, onAll, silence, waitUntil } from './behind.ts';

const ROWS = 2_000;
const TRIGGER = 50 + 0.2 * ROWS;
const QUICK = ['quick_1', 'quick_2', 'quick_3'];
const SHOP = Array.from({ length: 8 }, (_, index) => `shop_${index}`);

let servers: Behind[];
beforeAll(async () => {
  servers = await Promise.all(
    ends.map((major) => behindServer(major, { autovacuum_naptime: '1s', autovacuum_max_workers: '1' })),
  );
});
afterAll(async () => {
  await Promise.all((servers ?? []).map((at) => at.close()));
});

test(
  'one worker that a slow table keeps: the others wait, and no longer with two',
  { timeout: 120_000 },
  () =>
    onAll(servers, async (at) => {
      // Slow by its own limit, which it does not share: the server's is not what others wait for.
      const slow = ', autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_cost_delay = 20';
      await at.makeTable('slow', 20_000, slow);
      for (const name of QUICK) await at.makeTable(name, ROWS);
      await at.run('UPDATE slow SET n = 1 WHERE id % 2 = 0');
      const isSlowRunning = async () =>
        (await at.list("SELECT FROM pg_stat_progress_vacuum WHERE relid = 'slow'::regclass")).length > 0;
      await waitUntil(isSlowRunning);
      const end = at.churning(QUICK, 100, ROWS);
      await waitUntil(async () =>
        (await at.counts()).every(({ name, dead }) => name === 'slow' || dead > TRIGGER),
      );
      const context = await at.seen(2.5);
      const draft = await advice(workersRule, context, 'autovacuum_max_workers');
      expect(draft.change).toMatchObject({ value: '2' });
      // From 18 on within autovacuum_worker_slots, without a restart.
      expect(draft.risk.restart).toBe(at.major < 18);
      const evidence = evidenceOf(draft);
      expect(evidence['autovacuum workers at work']).toBe(1);
      for (const name of QUICK) {
        const dead = evidence[`dead rows of public.${name}, due at both ends of the window without a vacuum`];
        expect(Number(dead)).toBeGreaterThan(TRIGGER);
      }
      // The limit has room: what the slow table takes is not of it.
      expect(await silence(costLimitRule, context)).toEqual(['room_enough']);
      await end();
      const before = await at.counts();
      expect(before.filter(({ name }) => name !== 'slow').every(({ vacuums }) => vacuums === 0)).toBe(true);

      await at.applied(draft);
      if (draft.risk.restart) {
        await at.restart();
        // What was counted outlives it; the slow vacuum begins anew.
        await at.run('UPDATE slow SET n = 2 WHERE id % 2 = 0');
      }
      await waitUntil(async () =>
        (await at.counts()).every(
          ({ name, dead, vacuums }) => name === 'slow' || (vacuums > 0 && dead < TRIGGER),
        ),
      );
      expect(await isSlowRunning()).toBe(true);
      const endAgain = at.churning(QUICK, 100, ROWS);
      expect(await silence(workersRule, await at.seen(2.5))).toEqual(['workers_enough']);
      await endAgain();
      await at.run(`DROP TABLE slow, ${QUICK.join(', ')}`);
    }),
);

test(
  'a limit that all workers wait for: it is raised and not their number, and the dead rows fall',
  {
    timeout: 120_000,
  },
  () =>
    onAll(servers, async (at) => {
      for (const name of SHOP) await at.makeTable(name, ROWS);
      await at.run('ALTER SYSTEM SET autovacuum_vacuum_cost_limit = 1');
      await at.run("ALTER SYSTEM SET autovacuum_vacuum_cost_delay = '20ms'");
      await at.run('SELECT pg_reload_conf()');
      const end = at.churning(SHOP, 100, ROWS);
      const dead = async () => (await at.counts()).reduce((sum, row) => sum + row.dead, 0);
      await waitUntil(async () => (await dead()) > 3 * TRIGGER * SHOP.length);
      const context = await at.seen(2.5);
      // More workers would share the same limit.
      expect(await silence(workersRule, context)).toEqual(['cost_limit_first']);
      // Behind a held horizon the same tables are due for ever, and neither is what is wrong.
      const since = new Date(Date.parse(context.snapshot.taken_at) - 7_200_000).toISOString();
      const { activity, server } = context.snapshot;
      const forgotten = {
        kind: 'prepared_transaction' as const,
        name: 'forgotten',
        database: server.database,
        xmin_age: 100_000,
        catalog_xmin_age: null,
        since,
      };
      const held = contextOf(
        { ...context.snapshot, activity: { ...activity, xmin_holders: [forgotten] } },
        { window: context.window },
      );
      for (const rule of [costLimitRule, workersRule]) {
        expect(await silence(rule, held)).toEqual(['horizon_held']);
      }
      const draft = await advice(costLimitRule, context, 'autovacuum_vacuum_cost_limit');
      const evidence = evidenceOf(draft);
      expect(Number(evidence['share of the limit that a day needs after'])).toBeLessThanOrEqual(0.5);
      expect(evidence['autovacuum workers at work']).toBe(Number(await at.setting('autovacuum_max_workers')));
      expect(draft.risk.restart).toBe(false);
      const before = await dead();

      await at.applied(draft);
      await waitUntil(async () => (await dead()) < before / 3);
      const after = await at.seen(2.5);
      await end();
      // At the same churn nobody waits any more, and nothing further is advised.
      expect(await silence(costLimitRule, after)).toEqual(['room_enough']);
      expect(await silence(workersRule, after)).toEqual(['workers_enough']);
    }),
);
