import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { plannerCatalog } from './planner-catalog.ts';
import { randomSchema, statementsOf } from './random-schema.ts';
import { readMore } from './source.ts';

/** 14 is not among the suite's majors, but a target may run it. */
const majors = [...new Set([...availableMajors().filter((major) => major === 14), ...testMajors])].sort();
const RUNS = Number(process.env.ROUND_TRIP_RUNS ?? 5);

describe.each(majors)('any schema of PostgreSQL %i', (major) => {
  it('comes out in the twin as planning sees it in the source', async () => {
    const server = await testServer({ major });
    await fc.assert(
      fc.asyncProperty(randomSchema, async (schema) => {
        const database = await server.createDatabase();
        const client = new pg.Client({ connectionString: database.dsn });
        try {
          await client.connect();
          // What the server refuses (no order in json, no GIN of a number) is left out of the source.
          for (const sql of statementsOf(schema)) await client.query(sql).catch(() => {});
          const session = await openTarget(database.dsn, {
            applicationName: 'pgluthier-test',
            readOnly: true,
          });
          const snapshot = await collectSnapshot(session).finally(() => session.close());
          await readMore(client, snapshot);
          // Where a table changed since ANALYZE they stand in place of the histogram's own, and so they should.
          for (const column of snapshot.columns) column.ends = null;
          const real = await plannerCatalog(database.dsn, major);
          let rebuilt: Record<string, unknown[]> = {};
          const twin = await openTwin(snapshot, {
            inspect: async (twinServer) => {
              rebuilt = await plannerCatalog(twinServer.dsn('twin'), major);
            },
          });
          await twin.close();
          expect(twin.limits).toEqual([]);
          for (const [part, rows] of Object.entries(real)) expect(rebuilt[part], part).toEqual(rows);
        } finally {
          await client.end();
          await database.drop();
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 300_000);
});
