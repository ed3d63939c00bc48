/**
 * Identifiers that really age: on every major many transactions against a small autovacuum_freeze_max_age, and a
 * thousand million of them by pg_resetwal on a throwaway cluster, where the machine has that program of the major.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/autovacuum/wraparound.ts';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import type { RuleContext, Snapshot } from '../../../../src/domain/index.ts';
import { startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { apply } from '../../../apply/target.ts';
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
    await database.query(consume(200_000));
    const after = await database.snapshot();
    const { recommendations } = await rule.evaluate(between(before, after));
    const name = new URL(database.dsn).pathname.slice(1);
    const finding = recommendations.find(({ key }) => key === `finding wraparound xid ${name}`);
    expect(finding?.severity).toMatch(/critical|high|medium/);
    const evidence = Object.fromEntries(finding?.evidence.map((row) => [row.name, row.value]) ?? []);
    expect(evidence['transactions a day']).toBeGreaterThanOrEqual(200_000 * 24);
    // 2³¹ − 3 million at 4.8 million a day and more.
    expect(evidence['days until then']).toBeLessThan(450);

    const draft = recommendations.find(({ key }) => key === 'vacuum public.old freeze');
    if (!draft) throw new Error('no VACUUM (FREEZE)');
    const { outcome, plan } = await apply(database.dsn, draft.change);
    expect(plan.statements).toEqual(['VACUUM (FREEZE) public.old']);
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
    await database.query(consume(170_000));
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

const RESETWAL = '/usr/lib/postgresql/15/bin/pg_resetwal';

it.skipIf(!existsSync(RESETWAL) || !testMajors.includes(15))(
  'a cluster whose counter was moved by 1.2 thousand million (needs pg_resetwal of 15)',
  { timeout: 180_000 },
  async () => {
    const server = await startEmbedded({
      major: 15,
      name: 'test-wraparound',
      // Slow enough that what autovacuum begins at once is not done before we look.
      settings: {
        autovacuum_naptime: '1d',
        autovacuum_vacuum_cost_delay: '100',
        autovacuum_vacuum_cost_limit: '1',
      },
    });
    const client = async () => {
      const connected = new pg.Client({ connectionString: server.dsn() });
      await connected.connect();
      return connected;
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
      const first = await client();
      await first.query('CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100000)');
      await first.end();
      const before = await snapshot();
      const next = 1_200_000_000;
      await server.restart(async () => {
        // A segment of pg_xact holds 2^20 transactions; the server wants the one of the next to be there.
        const segment = join(
          server.dataDirectory,
          'pg_xact',
          Math.floor(next / 2 ** 20)
            .toString(16)
            .toUpperCase()
            .padStart(4, '0'),
        );
        writeFileSync(segment, Buffer.alloc(256 * 1024));
        // As root servers run as nobody: what belongs to one belongs to it.
        const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null;
        if (account) chownSync(segment, account.uid, account.gid);
        const moved = spawnSync(RESETWAL, ['-x', String(next), '-D', server.dataDirectory], {
          ...account,
          cwd: '/',
          encoding: 'utf8',
        });
        expect(moved.status, moved.stderr).toBe(0);
      });
      const after = await snapshot();
      const result = await rule.evaluate(between(before, after));
      const finding = result.recommendations.find(({ key }) => key === 'finding wraparound xid postgres');
      expect(finding?.severity).toBe('critical');
      expect(finding?.title).toMatch(/^Database postgres is 1,199,\d{3},\d{3} transactions old/);
      const draft = result.recommendations.find(({ key }) => key === 'vacuum public.orders freeze');
      if (!draft) throw new Error('no VACUUM (FREEZE)');
      const { outcome } = await apply(server.dsn(), draft.change);
      expect(outcome).toMatchObject({ outcome: 'applied' });
      const frozen = (await snapshot()).tables.find(({ name }) => name === 'orders');
      expect(frozen?.xid_age).toBeLessThan(1000);
    } finally {
      await server.stop('immediate');
    }
  },
);
