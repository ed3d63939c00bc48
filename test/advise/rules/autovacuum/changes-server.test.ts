/** What else the rules change, on real servers: families, overrides, one-off vacuums, fillfactor, insert-only tables. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as fillfactorRule } from '../../../../src/advise/rules/autovacuum/fillfactor.ts';
import { rule as insertRule } from '../../../../src/advise/rules/autovacuum/insert-scale-factor.ts';
import { rule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as overrideRule } from '../../../../src/advise/rules/autovacuum/stale-override.ts';
import { rule as vacuumOnceRule } from '../../../../src/advise/rules/autovacuum/vacuum-once.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { apply } from '../../../apply/target.ts';
import { testMajors } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type Churning, churningDatabase, hour, ROWS, rowOf } from './churning.ts';

const ends = [Math.min(...testMajors), Math.max(...testMajors)];

// The insert-only table and fillfactor, which 16 changed, on every major; the others on the oldest and the newest.
describe.each(testMajors)('PostgreSQL %i', (major) => {
  let shop: Churning;
  beforeAll(async () => {
    shop = await churningDatabase(major);
  });
  afterAll(async () => shop?.database.close());

  test.runIf(ends.includes(major))(
    'partitions alike are set and reset in one change',
    { timeout: 120_000 },
    async () => {
      await shop.database.query(`
      CREATE TABLE events (id int, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE "events A" PARTITION OF events FOR VALUES FROM (0) TO (60001);
      CREATE TABLE events_b PARTITION OF events FOR VALUES FROM (60001) TO (120001);
      INSERT INTO events SELECT g, 0 FROM generate_series(1, 120000) g;
      ALTER TABLE events_b SET (autovacuum_vacuum_scale_factor = 0.3);`);
      await shop.database.query('VACUUM ANALYZE events');
      const before = await shop.database.snapshot();
      await shop.counted('UPDATE events SET n = 1 WHERE id % 20 = 0');
      const after = await shop.database.snapshot();
      const { recommendations } = await rule.evaluate(hour(before, after));
      const draft = recommendations.find(({ key }) => key.includes('public.events partitions'));
      if (draft?.change.kind !== 'table.reloptions') throw new Error('no advice for the family');
      const { plan } = await apply(shop.database.dsn, draft.change);
      const factors = async () =>
        (await shop.database.snapshot()).tables
          .filter(({ is_partition }) => is_partition)
          .map(({ reloptions }) => reloptions.autovacuum_vacuum_scale_factor);
      expect(await factors()).toEqual([
        draft.change.set.autovacuum_vacuum_scale_factor,
        draft.change.set.autovacuum_vacuum_scale_factor,
      ]);
      for (const statement of plan.rollback) await shop.database.query(statement);
      expect(await factors()).toEqual([undefined, '0.3']);
    },
  );

  test.runIf(ends.includes(major))("parameters that repeat the server's are taken off", async () => {
    await shop.database.query(
      'CREATE TABLE pinned (a int) WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 7)',
    );
    const { recommendations } = await overrideRule.evaluate(contextOf(await shop.database.snapshot()));
    await shop.applied(recommendations.find(({ key }) => key.includes('public.pinned'))?.change);
    expect(rowOf(await shop.database.snapshot(), 'pinned').reloptions).toEqual({
      autovacuum_vacuum_threshold: '7',
    });
  });

  test.runIf(ends.includes(major))(
    'what a bulk delete left is vacuumed once',
    { timeout: 120_000 },
    async () => {
      await shop.makeTable('archive');
      await shop.database.query('ALTER TABLE archive SET (autovacuum_vacuum_scale_factor = 0.3)');
      await shop.counted(`DELETE FROM archive WHERE id <= ${0.2 * ROWS}`);
      const before = await shop.database.snapshot();
      await shop.round();
      const after = await shop.database.snapshot();
      const { recommendations } = await vacuumOnceRule.evaluate(hour(before, after));
      const draft = recommendations.find(({ key }) => key === 'vacuum public.archive');
      expect(draft?.change).toMatchObject({ kind: 'vacuum', freeze: false });
      await shop.applied(draft?.change);
      expect(rowOf(await shop.database.snapshot(), 'archive').n_dead_tup).toBe(0);
    },
  );

  test('updates that leave full pages: with room they are HOT', async () => {
    await shop.database.query(`
      CREATE TABLE wide (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_enabled = off);
      ALTER TABLE wide ALTER pad SET STORAGE PLAIN;
      INSERT INTO wide SELECT g, 0, repeat('x', 300) FROM generate_series(1, 20000) g;`);
    await shop.database.query('VACUUM ANALYZE wide');
    const before = await shop.database.snapshot();
    await shop.counted('UPDATE wide SET n = 1 WHERE id % 20 = 0 OR id % 20 = 7');
    const after = await shop.database.snapshot();
    const context = hour(before, after);
    const draft = (await fillfactorRule.evaluate(context)).recommendations.find(({ key }) =>
      key.includes('public.wide'),
    );
    // Until 15 nobody counts which updates left their page: nothing is concluded from few HOT ones.
    if (major < 16) {
      expect(draft).toBeUndefined();
      return;
    }
    expect(draft?.change).toMatchObject({
      set: { fillfactor: expect.stringMatching(/^(8|9)\d$/) as string },
    });
    await shop.applied(draft?.change);
    await shop.database.query('VACUUM FULL wide');
    const full = await shop.database.snapshot();
    await shop.counted('UPDATE wide SET n = 2 WHERE id % 40 = 3');
    const hot = diffSnapshots(full, await shop.database.snapshot()).tables.find(
      ({ oid }) => oid === rowOf(full, 'wide').oid,
    );
    expect((hot?.n_tup_hot_upd ?? 0) / (hot?.n_tup_upd ?? 1)).toBeGreaterThan(0.9);
  });

  test('an insert-only table: vacuumed and frozen once the advice is in force', {
    timeout: 180_000,
  }, async () => {
    await shop.database.query(
      'CREATE TABLE log (id int, t int) WITH (autovacuum_analyze_threshold = 2000000000, autovacuum_enabled = off)',
    );
    await shop.counted('INSERT INTO log SELECT g, g FROM generate_series(1, 1000000) g');
    await shop.database.query('VACUUM ANALYZE log');
    await shop.database.query('ALTER TABLE log RESET (autovacuum_enabled)');
    const before = await shop.database.snapshot();
    await shop.counted('INSERT INTO log SELECT g, g FROM generate_series(1, 100000) g');
    await shop.round();
    const after = await shop.database.snapshot();
    const old = rowOf(after, 'log');
    expect(old.autovacuum_count).toBe(0);
    const draft = (await insertRule.evaluate(hour(before, after))).recommendations.find(({ key }) =>
      key.includes('public.log'),
    );
    await shop.applied(draft?.change);
    const vacuumed = await shop.until('log', (row) => row.autovacuum_count > 0);
    expect(vacuumed.relallvisible / vacuumed.relpages).toBeGreaterThan(0.99);
    expect(vacuumed.n_ins_since_vacuum).toBeLessThan(old.n_ins_since_vacuum);
    // autovacuum_freeze_min_age 0: what a lazy vacuum reads it freezes at once (18 counts it).
    if (major >= 18) expect(vacuumed.relallfrozen ?? 0).toBeGreaterThan(0.05 * vacuumed.relpages);
  });
});
