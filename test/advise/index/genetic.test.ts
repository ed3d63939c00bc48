/** Joins of many tables: which statements PostgreSQL plans by genetic search, and what is told of those. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adviseIndexes } from '../../../src/advise/index-advisor/advise.ts';
import { isGenetic } from '../../../src/advise/index-advisor/genetic.ts';
import type { Snapshot } from '../../../src/domain/index.ts';
import { statementUsage, usageCatalog } from '../../../src/workload/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, type SampleDatabase, sampleDatabase, twinOf } from '../rules/index/context.ts';

const TABLES = Array.from({ length: 14 }, (_, place) => `t${place + 1}`);
const rowsOf = (place: number) => 100 + 260 * place;
/** Each with more rows than the one before, so that join orders cost differently. */
const SCHEMA = `
  ${TABLES.map(
    (name, place) => `CREATE TABLE ${name} (k int NOT NULL, v int NOT NULL, w int NOT NULL);
      INSERT INTO ${name} SELECT g, 1 + g * 7 % ${rowsOf(place + 1)}, g * 31 % ${9 + place}
        FROM generate_series(1, ${rowsOf(place)}) g;`,
  ).join('\n')}
  CREATE TABLE large (k int NOT NULL, v int NOT NULL, pad text NOT NULL);
  INSERT INTO large SELECT 1 + g % 100, g * 7919 % 9000, repeat('l', 60) FROM generate_series(1, 40000) g;
  CREATE VIEW many AS SELECT t1.k FROM ${TABLES.slice(0, 13).join(', ')} WHERE ${chain(13)};
  ANALYZE;`;

/** Each joined with the next one. */
function chain(count: number, from = 1): string {
  return Array.from({ length: count - 1 }, (_, place) => `t${from + place}.v = t${from + place + 1}.k`).join(
    ' AND ',
  );
}

const comma = (count: number) =>
  `SELECT count(*) FROM ${TABLES.slice(0, count).join(', ')} WHERE ${chain(count)}`;
const explicit = (count: number) =>
  `SELECT count(*) FROM t1 ${TABLES.slice(1, count)
    .map((name, place) => `JOIN ${name} ON t${place + 1}.v = ${name}.k`)
    .join(' ')}`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let snapshot: Snapshot;

  beforeAll(async () => {
    database = await sampleDatabase(SCHEMA, await testServer({ major }));
    snapshot = await database.snapshot();
  });
  afterAll(() => database?.close());

  /** A search of few orders ends elsewhere with another seed; one of all orders does not know of seeds. */
  async function costsBySeed(sql: string, settings: Record<string, string>): Promise<Set<number>> {
    const costs = new Set<number>();
    await database.query('SET geqo_pool_size = 2; SET geqo_generations = 1');
    for (const [name, value] of Object.entries(settings)) await database.query(`SET ${name} = ${value}`);
    for (const seed of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      await database.query(`SET geqo_seed = ${seed}`);
      const result = (await database.query(`EXPLAIN (FORMAT JSON) ${sql}`)) as {
        rows: { 'QUERY PLAN': { Plan: { 'Total Cost': number } }[] }[];
      };
      costs.add(result.rows[0]?.['QUERY PLAN'][0]?.Plan['Total Cost'] ?? Number.NaN);
    }
    await database.query('RESET ALL');
    return costs;
  }

  test.each<[string, string, Record<string, string>, boolean]>([
    ['twelve tables in one list', comma(12), {}, true],
    ['eleven tables in one list', comma(11), {}, false],
    ['eleven, and a lower threshold', comma(11), { geqo_threshold: '10' }, true],
    ['thirteen, and a higher threshold', comma(13), { geqo_threshold: '14' }, false],
    ['twelve explicit joins', explicit(12), {}, false],
    ['twelve explicit joins that may be reordered', explicit(12), { join_collapse_limit: '20' }, true],
    ['a view of thirteen', 'SELECT * FROM many WHERE k = 5', {}, true],
    [
      'two levels of seven, each by itself',
      `SELECT (SELECT count(*) FROM t1, t2, t3, t4, t5, t6, t7 WHERE ${chain(7)}), count(*) FROM t8, t9, t10, t11, t12, t13, t14 WHERE ${chain(7, 8)}`,
      {},
      false,
    ],
    [
      'a written table with eleven others',
      `UPDATE t1 SET w = 0 FROM ${TABLES.slice(1, 12).join(', ')} WHERE ${chain(12)}`,
      {},
      true,
    ],
    ['genetic search that is switched off', comma(12), { geqo: 'off', geqo_threshold: '2' }, false],
  ])('%s', async (_, sql, settings, expected) => {
    const usage = await statementUsage(sql, await usageCatalog(snapshot));
    const given = snapshot.settings.map((row) => ({ ...row, setting: settings[row.name] ?? row.setting }));
    expect(isGenetic({ settings: given }, usage)).toBe(expected);
    expect((await costsBySeed(sql, settings)).size > 1).toBe(expected);
  });

  test('what is told of it was asked of the very sets, and the limit is told', async () => {
    const sql = [
      `${comma(12).replace('FROM', 'FROM large,')} AND large.k = t1.k AND large.v = 5 AND t9.w = 1;`,
      `${comma(5).replace('FROM', 'FROM large,')} AND large.k = t1.k AND large.v = 7;`,
      `${explicit(12)} JOIN large ON large.k = t1.k WHERE large.v = 9 AND t9.w = 1;`,
    ].join('\n');
    const whatIf = await twinOf(snapshot);
    try {
      const context = await contextOf(snapshot, { what_if: whatIf, sql });
      const { statements, costs, selection, limits } = await adviseIndexes(context, whatIf, 'x');
      const genetic = statements.filter(({ is_genetic }) => is_genetic === true);
      expect(genetic.map(({ query }) => query.query)).toEqual([expect.stringContaining('t11, t12')]);
      expect(limits.find(({ code }) => code === 'genetic_search')?.message).toMatch(/^1 statement/);
      expect(selection.chosen.length).toBeGreaterThan(0);
      const created = selection.chosen.map(({ handle }) => handle).sort();
      for (const { query, samples } of statements) {
        const [answer] = await whatIf.costs({ created, hidden: [] }, samples);
        const told = costs.get(query.query_id);
        expect(told?.is_asked).toBe(true);
        expect(told?.after).toBeCloseTo(answer?.cost ?? Number.NaN, 1);
      }
    } finally {
      await whatIf.close();
    }
  });
});
