import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, StatisticsContents, WhatIf } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { openSource, type Source } from './source.ts';

const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const asIs = { created: [], hidden: [] };

const PAIR = { schema: 'public', table: 'address', columns: ['city', 'zip'], expressions: [] };
const STATEMENTS = {
  dependency: "SELECT * FROM address WHERE city = 'city7' AND zip = 'zip71'",
  group: 'SELECT city, zip, count(*) FROM address GROUP BY city, zip',
  common: "SELECT * FROM address WHERE city IN ('city7', 'city9') AND zip IN ('zip71', 'zip93')",
  expression: 'SELECT id % 7, count(*) FROM address GROUP BY id % 7',
};

describe.each(availableMajors())('statistics that are not there, PostgreSQL %i', (major) => {
  let source: Source;
  let twin: WhatIf;
  /** Before and after they were really made. */
  const before = new Map<string, number>();
  const after = new Map<string, number>();
  let contents: StatisticsContents = {};
  beforeAll(async () => {
    source = await openSource(major, [
      `CREATE TABLE address (id int, city text, zip text);
       INSERT INTO address SELECT i, 'city' || i % 40, 'zip' || (i % 40) * 10 + i % 3 FROM generate_series(1, 24000) AS i;
       ALTER TABLE address ALTER city SET STATISTICS 200; ALTER TABLE address ALTER id SET STATISTICS 100`,
      'ANALYZE address',
    ]);
    for (const sql of Object.values(STATEMENTS)) before.set(sql, (await source.plan(sql))['Plan Rows']);
    twin = await openTwin(source.snapshot);
    await source.client.query(
      'CREATE STATISTICS pair (ndistinct, dependencies, mcv) ON city, zip FROM address; CREATE STATISTICS rest ON (id % 7) FROM address; ANALYZE address',
    );
    for (const sql of Object.values(STATEMENTS)) after.set(sql, (await source.plan(sql))['Plan Rows']);
    const { rows } = await source.client.query(
      `SELECT n_distinct::text, dependencies::text, most_common_vals AS values, most_common_freqs AS frequencies, most_common_base_freqs AS base_frequencies
       FROM pg_stats_ext WHERE statistics_name = 'pair'`,
    );
    const [{ n_distinct, dependencies, values, frequencies, base_frequencies }] = rows;
    contents = {
      n_distinct: Object.values(JSON.parse(n_distinct) as Record<string, number>).map((distinct) => ({
        of: [0, 1],
        distinct,
      })),
      dependencies: Object.entries(JSON.parse(dependencies) as Record<string, number>).map(
        ([key, degree]) => {
          const [from = 0, to = 0] = key.split('=>').map((part) => Number(part) - 2);
          return { from: [from], to, degree };
        },
      ),
      common_values: { values, frequencies, base_frequencies },
    };
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });
  const rowsOf = async (sql: string, statistics: string[]) => {
    const [answer] = await twin.costs({ ...asIs, statistics }, [statement(sql)]);
    expect(answer?.error).toBeNull();
    return answer?.rows ?? 0;
  };

  it('are planned with as real ones are, and only while they are in force', async () => {
    const handle = await twin.addStatistics?.(PAIR, contents);
    const expression = await twin.addStatistics?.(
      { schema: 'public', table: 'address', columns: [], expressions: ['id % 7'] },
      {},
    );
    const all = [handle ?? '', expression ?? ''];
    for (const [name, sql] of Object.entries(STATEMENTS)) {
      expect([name, await rowsOf(sql, [])]).toEqual([name, before.get(sql)]);
      const real = after.get(sql) ?? 0;
      // Derived from id's own statistics, not read from rows.
      const near = name === 'expression' ? 0.2 : 0.02;
      const planned = await rowsOf(sql, all);
      expect([name, planned, Math.abs(planned - real) <= near * real]).toEqual([name, planned, true]);
      expect([name, await rowsOf(sql, [])]).toEqual([name, before.get(sql)]);
    }
    expect(before.get(STATEMENTS.dependency)).toBeLessThan((after.get(STATEMENTS.dependency) ?? 0) / 10);
    expect(before.get(STATEMENTS.group)).toBeGreaterThan((after.get(STATEMENTS.group) ?? 0) * 5);
  });

  it('are each switched by itself, in any order', async () => {
    const distinct =
      (await twin.addStatistics?.(PAIR, { n_distinct: [{ of: [0, 1], distinct: 500 }] })) ?? '';
    const depends =
      (await twin.addStatistics?.(PAIR, { dependencies: [{ from: [1], to: 0, degree: 1 }] })) ?? '';
    const { dependency, group } = STATEMENTS;
    expect(await rowsOf(group, [distinct])).toBe(500);
    expect(await rowsOf(group, [depends])).toBe(before.get(group));
    const both = await rowsOf(dependency, [distinct, depends]);
    expect(both).toBeGreaterThan((before.get(dependency) ?? 0) * 10);
    expect(await rowsOf(dependency, [distinct])).toBe(before.get(dependency));
    expect(await rowsOf(group, [depends, distinct])).toBe(500);
    expect(await rowsOf(group, [])).toBe(before.get(group));
  });

  it('are refused with a reason, and leave nothing', async () => {
    await expect(
      twin.addStatistics?.({ ...PAIR, columns: ['city', 'nothing'] }, contents),
    ).rejects.toMatchObject({
      code: 'statistics_refused',
      message: expect.stringContaining('nothing'),
    });
    await expect(
      twin.addStatistics?.({ ...PAIR, columns: [], expressions: ['random()); DROP TABLE address; --'] }, {}),
    ).rejects.toMatchObject({ code: 'statistics_refused' });
    await expect(twin.costs({ ...asIs, statistics: ['nothing'] }, [])).rejects.toMatchObject({
      code: 'candidate_unknown',
    });
    expect(await rowsOf('SELECT * FROM address', [])).toBe(24_000);
  });

  it('of a column under a lower target are cut as ANALYZE would', async () => {
    const lower = (column: string, target: number) =>
      twin.lowerStatisticsTarget?.({ schema: 'public', table: 'address', column }, target) ??
      Promise.reject();
    const ids = await lower('id', 10);
    const cities = await lower('city', 5);
    const again = await lower('city', 7);
    const range = 'SELECT * FROM address WHERE id < 5000';
    const rare = "SELECT * FROM address WHERE city = 'no such'";
    const [fine, coarse] = [await rowsOf(range, []), await rowsOf(range, [ids])];
    expect(Math.abs(coarse - fine) / fine).toBeLessThan(0.02);
    // 40 cities are all common values: any other has no rows. Of five the others share what is left.
    expect(await rowsOf(rare, [])).toBeLessThan(10);
    const cut = await rowsOf(rare, [cities]);
    await source.client.query(
      'ALTER TABLE address ALTER city SET STATISTICS 5; DROP STATISTICS pair; ANALYZE address',
    );
    const real = (await source.plan(rare))['Plan Rows'];
    expect([cut, real, Math.abs(cut - real) <= 0.1 * real]).toEqual([cut, real, true]);
    expect(await rowsOf(rare, [])).toBeLessThan(10);
    await expect(twin.costs({ ...asIs, statistics: [cities, again] }, [])).rejects.toMatchObject({
      code: 'statistics_conflict',
    });
    await expect(lower('id', 5000)).rejects.toMatchObject({ code: 'statistics_target_not_simulated' });
    expect(await rowsOf(range, [])).toBe(fine);
  });
});
