import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { sampleStatements, usageCatalog, workloadFromSnapshot } from '../../src/workload/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const SCHEMA = `
  create extension pg_stat_statements;
  create table jobs (id bigint, tenant int, region text, state text, at timestamptz, cost numeric(10,2));
  insert into jobs select i, i % 400, 'r' || (i % 400) / 40, case when i % 2000 = 0 then 'failed' when i % 20 = 0 then 'queued' else 'done' end,
    now() - (100000 - i) * interval '1 minute', i % 5000 from generate_series(1, 100000) i;
  create statistics jobs_places (mcv) on tenant, region from jobs;
  alter table jobs alter tenant set statistics 500; alter table jobs alter region set statistics 500;
  analyze jobs;
`;

/** What an application asks, always for few rows, and how many times. */
const QUESTIONS: { sql: string; parameters: (round: number) => unknown[] }[] = [
  { sql: 'select id from jobs where state = $1', parameters: () => ['failed'] },
  { sql: 'select at from jobs where id between $1 and $2', parameters: (n) => [n * 100, n * 100 + 49] },
  { sql: `select cost from jobs where at > now() - $1::interval`, parameters: () => ['1 hour'] },
  { sql: 'select state from jobs where id = any ($1)', parameters: (n) => [[n, n + 1, n + 2, n + 3, n + 4]] },
  {
    sql: 'select id, cost from jobs where tenant = $1 and region = $2',
    parameters: (n) => [n, `r${Math.floor(n / 40)}`],
  },
  { sql: 'delete from jobs where cost < $1 and cost > $2', parameters: () => [-1, -2] },
];

interface PlanNode {
  'Node Type': string;
  'Plan Rows': number;
  Plans?: PlanNode[];
}

const majors = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];

describe.each(majors)('on PostgreSQL %i', (major) => {
  test('the planner expects of the samples about the rows that were observed', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: SCHEMA });
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    try {
      for (const { sql, parameters } of QUESTIONS) {
        for (let round = 1; round <= 10; round++) await client.query(sql, parameters(round));
      }
      const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
      const snapshot = await collectSnapshot(session).finally(() => session.close());
      const catalog = await usageCatalog(snapshot);
      const { queries } = await workloadFromSnapshot(snapshot);
      for (const { sql } of QUESTIONS) {
        const query = queries.find((each) => each.query === sql);
        if (query === undefined) throw new Error(`not seen: ${sql}`);
        const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
        let expected = 0;
        for (const sample of samples) {
          const { rows } = await client.query(`explain (format json) ${sample.sql}`);
          let plan: PlanNode = rows[0]['QUERY PLAN'][0].Plan;
          // DELETE itself returns nothing; parallel plans divide their rows below Gather.
          if (plan['Node Type'] === 'ModifyTable' && plan.Plans?.[0]) plan = plan.Plans[0];
          expected += sample.weight * plan['Plan Rows'];
        }
        const observed = query.rows / query.calls;
        const ratio = (expected + 1) / (observed + 1);
        expect(ratio, `${sql}: expected ${expected}, observed ${observed}`).toBeLessThan(5);
        expect(ratio, `${sql}: expected ${expected}, observed ${observed}`).toBeGreaterThan(1 / 5);
        expect(parameters.every((each) => each.column !== null)).toBe(true);
      }
    } finally {
      await client.end();
      await database.drop();
    }
  });
});
