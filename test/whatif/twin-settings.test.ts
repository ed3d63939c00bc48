import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors } from '../support/servers.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string, role?: string): PlannableStatement => ({
  id: `${role}${sql}`,
  query_id: sql,
  sql,
  weight: 1,
  ...(role === undefined ? {} : { role }),
});

/** A value that changes the plan's cost of some of the statements. */
const CHANGES: Record<string, string> = {
  random_page_cost: '1.1',
  seq_page_cost: '3',
  cpu_tuple_cost: '0.5',
  cpu_index_tuple_cost: '0.4',
  cpu_operator_cost: '0.1',
  work_mem: '64kB',
  enable_hashjoin: 'off',
  enable_seqscan: 'off',
  enable_indexscan: 'off',
  enable_sort: 'off',
  max_parallel_workers_per_gather: '0',
  parallel_setup_cost: '0',
  join_collapse_limit: '1',
};
const STATEMENTS = [
  'SELECT * FROM fact WHERE id BETWEEN 20000 AND 23000',
  'SELECT * FROM fact WHERE id = 3',
  'SELECT * FROM fact JOIN other ON other.k = fact.k ORDER BY fact.note',
  'SELECT k, count(*) FROM fact GROUP BY k',
  'SELECT * FROM fact WHERE k < 900',
  'SELECT count(*) FROM fact a JOIN other b ON b.k = a.k JOIN fact c ON c.id = b.id JOIN other d ON d.id = c.k',
];

describe.each(testMajors)('settings of a question, PostgreSQL %i', (major) => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(major, [
      `CREATE TABLE fact (id int PRIMARY KEY, k int, note text);
       CREATE TABLE other (id int, k int);
       INSERT INTO fact SELECT i, (i * 7919) % 9000, repeat(md5(i::text), 6) FROM generate_series(1, 60000) AS i;
       INSERT INTO other SELECT i, i FROM generate_series(1, 9000) AS i;
       CREATE INDEX ON fact (k); ALTER TABLE fact SET (parallel_workers = 2)`,
      'VACUUM ANALYZE fact',
      'VACUUM ANALYZE other',
    ]);
    twin = await openTwin(source.snapshot);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });
  const ask = async (settings?: Record<string, string>, role?: string) =>
    (
      await twin.costs(
        settings ? { ...asIs, settings } : asIs,
        STATEMENTS.map((sql) => statement(sql, role)),
      )
    ).map(({ cost, error }) => error ?? cost);

  it('change plans as they do on the server, and are gone afterwards', async () => {
    const before = await ask();
    for (const [name, value] of Object.entries(CHANGES)) {
      await source.client.query('SELECT set_config($1, $2, false)', [name, value]);
      const real: number[] = [];
      for (const sql of STATEMENTS) real.push((await source.plan(sql))['Total Cost']);
      await source.client.query(`RESET ${name}`);
      expect(real, name).not.toEqual(before);
      const planned = await ask({ [name]: value });
      for (const [place, cost] of planned.entries()) {
        const apart = Math.abs(Number(cost) / (real[place] ?? 0) - 1);
        expect([name, STATEMENTS[place], cost, real[place], apart < 0.001]).toEqual([
          name,
          STATEMENTS[place],
          cost,
          real[place],
          true,
        ]);
      }
      expect(await ask(), name).toEqual(before);
    }
  });

  it('stand over a role’s', async () => {
    const plain = await ask({ random_page_cost: '1.1' });
    expect(await ask({ random_page_cost: '1.1' }, 'somebody')).toEqual(plain);
  });

  it.each([
    ['statement_timeout', '0', 'setting_not_simulated'],
    ['default_transaction_read_only', 'off', 'setting_not_simulated'],
    ['role', 'postgres', 'setting_not_simulated'],
    ['shared_buffers', '8GB', 'setting_not_simulated'],
    ['random_page_cost', 'much', 'setting_refused'],
    ['enable_no_such_thing', 'on', 'setting_refused'],
  ])('refuses %s = %s, and stays as it was', async (name, value, code) => {
    const before = await ask({ random_page_cost: '1.1' });
    await expect(ask({ seq_page_cost: '7', [name]: value })).rejects.toMatchObject({ code });
    expect(await ask({ random_page_cost: '1.1' })).toEqual(before);
    expect(await ask()).not.toEqual(before);
  });
});
