/**
 * Identifiers that really age, on every major: many transactions against a small autovacuum_freeze_max_age, and a
 * thousand million of both kinds by moving the counters of a throwaway cluster.
 */
import { chownSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/autovacuum/wraparound.ts';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import type { RuleContext, Snapshot } from '../../../../src/domain/index.ts';
import { startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { apply } from '../../../apply/target.ts';
import { moveIdentifiers } from '../../../support/moved-identifiers.ts';
import { testMajors, testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from '../index/context.ts';

const between = (before: Snapshot, after: Snapshot): RuleContext =>
  contextOf(after, { window: { ...diffSnapshots(before, after), seconds: 3600 } });

/** So many transactions that take an identifier each. */
const consume = (count: number) => `DO $$ BEGIN
  FOR i IN 1..${count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
END $$`;

describe.each(testMajors)('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  beforeAll(async () => {
    database = await sampleDatabase(
      `CREATE TABLE old (id int); INSERT INTO old SELECT generate_series(1, 1000);
       CREATE TABLE locked (id int); INSERT INTO locked VALUES (1)`,
      await testServer({
        major,
        settings: { autovacuum_freeze_max_age: '100000', autovacuum_naptime: '1d' },
      }),
    );
  });
  afterAll(async () => database?.close());

  test('the database is an emergency, its tables are to be frozen, and then are young', async () => {
    const before = await database.snapshot();
    await database.query(consume(160_000));
    const after = await database.snapshot();
    const { recommendations } = await rule.evaluate(between(before, after));
    const name = new URL(database.dsn).pathname.slice(1);
    const finding = recommendations.find(({ key }) => key === `finding wraparound xid ${name}`);
    expect(finding?.severity).toMatch(/critical|high|medium/);
    const evidence = Object.fromEntries(finding?.evidence.map((row) => [row.name, row.value]) ?? []);
    expect(evidence['transactions a day']).toBeGreaterThanOrEqual(160_000 * 24);
    // 2³¹ − 1 − 3 million at 3.8 million a day and more.
    expect(evidence['days until then']).toBeLessThan(560);

    const draft = recommendations.find(({ key }) => key === 'vacuum public.old freeze');
    if (!draft) throw new Error('no VACUUM (FREEZE)');
    const { outcome, plan } = await apply(database.dsn, draft.change);
    expect(plan.statements).toEqual(['VACUUM (FREEZE, TRUNCATE false) public.old']);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    const frozen = await database.snapshot();
    expect(frozen.tables.find((row) => row.name === 'old')?.xid_age).toBeLessThan(1000);
    const again = await rule.evaluate(between(before, frozen));
    expect(again.recommendations.map(({ key }) => key)).not.toContain('vacuum public.old freeze');
  });

  test('an old transaction is named, for nothing can be frozen behind it', async () => {
    await database.query('VACUUM (FREEZE)');
    const holder = new pg.Client({ connectionString: database.dsn });
    await holder.connect();
    await holder.query('BEGIN; INSERT INTO old VALUES (0)');
    const before = await database.snapshot();
    await database.query(consume(155_000));
    const after = await database.snapshot();
    const result = await rule.evaluate(between(before, after));
    await holder.end();
    const { pid } = after.activity.xmin_holders.map(({ name }) => ({ pid: name }))[0] ?? { pid: '' };
    expect(result.rejections.map(({ candidate, code }) => [candidate, code])).toContainEqual([
      'VACUUM (FREEZE) public.old',
      'horizon_held',
    ]);
    const name = new URL(database.dsn).pathname.slice(1);
    expect(
      result.recommendations.find(({ key }) => key === `finding wraparound xid ${name}`)?.rationale,
    ).toContain(`session ${pid} `);
  });

  test('multixacts that were used are counted, though no view tells the next one', async () => {
    const before = await database.snapshot();
    const [one, two] = [0, 1].map(() => new pg.Client({ connectionString: database.dsn })) as [
      pg.Client,
      pg.Client,
    ];
    await Promise.all([one.connect(), two.connect()]);
    for (let n = 0; n < 5; n += 1) {
      await one.query('BEGIN; SELECT FROM locked FOR SHARE');
      await two.query('BEGIN; SELECT FROM locked FOR SHARE');
      await one.query('COMMIT');
      await two.query('COMMIT');
    }
    await Promise.all([one.end(), two.end()]);
    const { counters } = diffSnapshots(before, await database.snapshot());
    expect(counters?.mxids).toBeGreaterThanOrEqual(5);
  });
});

const NEXT = { xid: 1_200_000_000, multi: 1_300_000_000 };

// Each major moves a cluster of its own, stopped meanwhile: they start and stop together.
describe.concurrent.each(testMajors)('a cluster of PostgreSQL %i whose counters were moved', (major) => {
  test('by 1.2 thousand million is frozen by what is advised', { timeout: 180_000 }, async () => {
    const server = await startEmbedded({
      major,
      name: `test-wraparound-${major}`,
      // Slow enough that what autovacuum begins at once is not done before we look.
      settings: {
        autovacuum_naptime: '1d',
        autovacuum_vacuum_cost_delay: '100',
        autovacuum_vacuum_cost_limit: '1',
      },
    });
    const query = async (sql: string) => {
      const client = new pg.Client({ connectionString: server.dsn() });
      await client.connect();
      await client.query(sql).finally(() => client.end());
    };
    const snapshot = async () => {
      const session = await openTarget(server.dsn(), { applicationName: 'test', readOnly: true });
      try {
        return await collectSnapshot(session);
      } finally {
        await session.close();
      }
    };
    try {
      await query('CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100000)');
      const before = await snapshot();
      await server.restart(async () => {
        // As root servers run as nobody: what belongs to one belongs to it.
        for (const file of moveIdentifiers(server.dataDirectory, NEXT)) {
          if (process.getuid?.() === 0) chownSync(file, 65534, 65534);
        }
      });
      const after = await snapshot();
      const { recommendations } = await rule.evaluate(between(before, after));
      const titles = recommendations.map(({ severity, title }) => `${severity}: ${title}`);
      expect(titles).toContainEqual(
        expect.stringMatching(/^critical: Database postgres is 1,199,\d{3},\d{3} transactions old/),
      );
      expect(titles).toContainEqual(
        expect.stringMatching(/^critical: Database postgres is 1,299,\d{3},\d{3} multixacts old/),
      );
      // One VACUUM (FREEZE) for both of its counters.
      const drafts = recommendations.filter(({ key }) => key === 'vacuum public.orders freeze');
      expect(drafts).toHaveLength(1);
      const [draft] = drafts;
      if (!draft) throw new Error('no VACUUM (FREEZE)');
      expect(
        draft.evidence.filter(({ name }) => name === 'age of public.orders').map(({ unit }) => unit),
      ).toEqual(['transactions', 'multixacts']);
      const { outcome } = await apply(server.dsn(), draft.change);
      expect(outcome).toMatchObject({ outcome: 'applied' });
      const frozen = (await snapshot()).tables.find(({ name }) => name === 'orders');
      expect(frozen?.xid_age).toBeLessThan(1000);
      expect(frozen?.mxid_age).toBeLessThan(1000);
    } finally {
      await server.stop('immediate');
    }
  });
});
