/** Measured latency of random and sequential reads, from a server that timed them, and what is made of it. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as randomCost } from '../../../src/advise/rules/settings/random-page-cost.ts';
import { readLatency } from '../../../src/advise/settings/io-latency.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import type { Snapshot } from '../../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/embedded/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { diffSnapshots } from '../../../src/workload/index.ts';
import { contextOf } from '../../support/snapshot-builder.ts';

const PAGES = 12_000;

// pg_stat_io came in 16, its bytes in 18.
describe.each([15, 16, 18])('PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startEmbedded({
      major,
      name: `latency${major}`,
      light: 'disk',
      settings: { shared_buffers: '1MB', track_io_timing: 'on', max_parallel_workers_per_gather: '0' },
    });
    client = new pg.Client({ connectionString: server.dsn('postgres') });
    await client.connect();
    // A row a page.
    for (const sql of [
      'CREATE TABLE wide (id int PRIMARY KEY, pad text)',
      'ALTER TABLE wide ALTER pad SET STORAGE PLAIN',
      `INSERT INTO wide SELECT g, repeat('x', 7000) FROM generate_series(1, ${PAGES}) AS g`,
      'VACUUM ANALYZE wide',
    ])
      await client.query(sql);
  });
  afterAll(async () => {
    await client?.end();
    await server?.stop('immediate');
  });
  const look = async (): Promise<Snapshot> => {
    await client.query(major >= 15 ? 'SELECT pg_stat_force_next_flush()' : 'SELECT 1');
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    return collectSnapshot(session).finally(() => session.close());
  };

  test('is told for each kind of read, in ms a block; not before 16', async () => {
    const first = await look();
    await client.query('SELECT count(pad) FROM wide');
    await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off');
    await client.query(
      `SELECT count(pad) FROM (SELECT (g * 7919) % ${PAGES} + 1 AS id FROM generate_series(1, 8000) AS g) AS wanted
       CROSS JOIN LATERAL (SELECT pad FROM wide WHERE wide.id = wanted.id OFFSET 0) AS one`,
    );
    const last = await look();
    const window = diffSnapshots(first, last);
    if (!window) throw new Error('no window');
    const context = contextOf(last, { window });
    const latency = readLatency(context);
    if (major < 16) {
      expect(latency).toBeNull();
      return;
    }
    expect(latency).toMatchObject({
      random_ms: expect.toSatisfy((ms) => ms > 0 && ms < 100),
      sequential_ms: expect.toSatisfy((ms) => ms > 0 && ms < 100),
    });
    expect(latency?.evidence.map(({ level, unit }) => `${level} ${unit}`)).toEqual([
      'measured ms',
      'measured ms',
      expect.stringMatching(/ratio$/),
    ]);
    // No disk costs thirty times as much: what was timed speaks against whoever set that.
    const settings = last.settings.map((row) =>
      row.name === 'random_page_cost' ? { ...row, setting: '30', source: 'configuration file' } : row,
    );
    const { recommendations } = await randomCost.evaluate(contextOf({ ...last, settings }, { window }));
    expect(recommendations).toMatchObject([
      { evidence_level: 'measured', change: { name: 'random_page_cost' } },
    ]);
    expect(recommendations[0]?.evidence.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'a block of other reads',
        'a block of sequential scans',
        'random ÷ sequential',
      ]),
    );
  });
});
