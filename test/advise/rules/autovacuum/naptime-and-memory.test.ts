/** Too long a nap, and too little memory for dead rows: seen, applied by the service, and better afterwards. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule as naptimeRule } from '../../../../src/advise/rules/autovacuum/naptime.ts';
import { rule as workMemRule } from '../../../../src/advise/rules/autovacuum/work-mem.ts';
import { rule as passesRule } from '../../../../src/advise/rules/health/vacuum-index-passes.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { advice, type Behind, behindServer, ends, evidenceOf, onAll, silence, waitUntil } from './behind.ts';

const ROWS = 2_000;
/** Identifiers of so many rows do not fit into the least memory at once. */
const MANY = { until16: 300_000, from17: 450_000 };

let servers: Behind[];
beforeAll(async () => {
  servers = await Promise.all(
    ends.map((major) =>
      behindServer(major, {
        autovacuum_naptime: '60s',
        log_autovacuum_min_duration: '0',
        // The least that there is: of 16 and before, of 17 and newer.
        autovacuum_work_mem: major < 17 ? '1MB' : '64kB',
      }),
    ),
  );
});
afterAll(async () => {
  await Promise.all((servers ?? []).map((at) => at.close()));
});

test(
  'a queue that turns over many times in a nap: vacuumed sooner once that is short',
  {
    timeout: 120_000,
  },
  () =>
    onAll(servers, async (at) => {
      await at.makeTable('queue', ROWS);
      // Far more updates than its trigger in a nap, which pruning cleans up: no look of autovacuum is too late for it.
      await at.run(
        `CREATE TABLE counter (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 50);
         INSERT INTO counter SELECT g, 0, repeat('x', 100) FROM generate_series(1, ${ROWS}) g`,
      );
      await at.run('VACUUM ANALYZE counter');
      const end = at.churning(['queue'], 400, ROWS, 'UPDATE counter SET n = n + 1 WHERE id <= 20');
      const context = await at.seen(2.5);
      const draft = await advice(naptimeRule, context, 'autovacuum_naptime');
      expect(draft.change).toMatchObject({ value: '10s', current_value: '1min' });
      expect(draft.risk.restart).toBe(false);
      const counter = context.snapshot.tables.find(({ name }) => name === 'counter');
      const updated = context.window?.tables.find(({ oid }) => oid === counter?.oid)?.n_tup_upd ?? 0;
      expect(updated).toBeGreaterThan(1_000);
      const names = Object.keys(evidenceOf(draft));
      expect(names.filter((name) => name.startsWith('rows left dead'))).toEqual([
        'rows left dead an hour in public.queue',
      ]);
      await at.applied(draft);
      expect(await at.setting('autovacuum_naptime')).toBe('10s');
      const counts = async () => (await at.counts()).find(({ name }) => name === 'queue');
      const before = await counts();
      await waitUntil(async () => ((await counts())?.vacuums ?? 0) > (before?.vacuums ?? 0));
      await end();
      expect(await silence(naptimeRule, contextOf(await at.look(), { window: context.window }))).toEqual([
        'short_already',
      ]);
    }),
);

test(
  'identifiers of dead rows that do not fit: indexes are read once with the memory that was advised',
  {
    timeout: 120_000,
  },
  () =>
    onAll(servers, async (at) => {
      // Slow enough to be seen at it.
      await at.run(
        `CREATE UNLOGGED TABLE bulk (id int) WITH (autovacuum_enabled = off, autovacuum_vacuum_insert_threshold = -1,
         autovacuum_vacuum_cost_limit = 10, autovacuum_vacuum_cost_delay = 2)`,
      );
      await at.run("ALTER SYSTEM SET autovacuum_naptime = '1s'");
      await at.run('SELECT pg_reload_conf()');
      await at.run('CREATE INDEX ON bulk (id)');
      const dead = async () => {
        await at.run(
          `INSERT INTO bulk SELECT generate_series(1, ${at.major < 17 ? MANY.until16 : MANY.from17})`,
        );
        await at.run('DELETE FROM bulk; SELECT pg_stat_force_next_flush()');
      };
      const second = () =>
        waitUntil(async () => {
          const seen = await at.list(
            `SELECT FROM pg_stat_progress_vacuum WHERE relid = 'bulk'::regclass
             AND index_vacuum_count + (phase = 'vacuuming indexes')::int > 1`,
          );
          return seen.length > 0;
        });

      // A person's VACUUM has a memory of its own session: that says nothing of autovacuum's.
      await dead();
      await at.own(async (person: pg.Client) => {
        await person.query(`SET maintenance_work_mem = '${await at.setting('autovacuum_work_mem')}'`);
        await person.query('SET vacuum_cost_limit = 10; SET vacuum_cost_delay = 2');
        const vacuum = person.query('VACUUM bulk').catch((error: unknown) => error);
        await second();
        const [running] = await at.list<{ pid: number }>('SELECT pid FROM pg_stat_progress_vacuum');
        const context = contextOf(await at.look());
        expect(await silence(workMemRule, context)).toEqual(['one_pass']);
        await at.run(`SELECT pg_cancel_backend(${running?.pid})`);
        await vacuum;
      });

      await dead();
      await at.run('ALTER TABLE bulk RESET (autovacuum_enabled)');
      await second();
      const context = contextOf(await at.look());
      const draft = await advice(workMemRule, context, 'autovacuum_work_mem');
      expect(draft.risk.restart).toBe(false);
      expect(Number(evidenceOf(draft)['passes over the indexes of public.bulk'])).toBeGreaterThan(1);
      expect((await passesRule.evaluate(context)).recommendations.map(({ key }) => key)).toEqual([
        'finding vacuum-index-passes public.bulk',
      ]);
      // Its throttle has shown what it was for.
      await at.run(
        'ALTER TABLE bulk RESET (autovacuum_vacuum_cost_limit, autovacuum_vacuum_cost_delay), SET (autovacuum_enabled = off)',
      );
      await at.applied(draft);
      await dead();
      await at.run('ALTER TABLE bulk RESET (autovacuum_enabled)');
      await waitUntil(async () => (await at.indexScans('bulk')).length > 0);
      expect(await at.indexScans('bulk')).toEqual([1]);
      expect(await silence(workMemRule, contextOf(await at.look()))).toEqual(['one_pass']);
    }),
);
