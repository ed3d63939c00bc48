/** How many workers share a scan hangs on an index's pages by steps: what lies at one is planned below it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plannedSize } from '../../../src/advise/index-advisor/worker-steps.ts';
import { btree } from '../../support/definitions.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let planned: PlannedDatabase;

  beforeAll(async () => {
    planned = await plannedDatabase(
      `
      CREATE TABLE counted (id int PRIMARY KEY, kind int NOT NULL, pad text);
      INSERT INTO counted SELECT g, g % 50000, repeat('p', 60) FROM generate_series(1, 60000) g;
    `,
      await testServer({ major }),
    );
  }, 60_000);
  afterAll(() => planned?.close());

  const pagesPlanned = (pages: number, more: Partial<{ method: string; is_partitioned: boolean }> = {}) =>
    plannedSize(
      { pages, tuples: 60_000, tree_height: 1 },
      { method: 'btree', is_partitioned: false, ...more },
      planned.snapshot,
    ).pages;

  /** Workers that the planner gives a scan of a whole index of so many pages. */
  async function workers(pages: number): Promise<number> {
    const definition = btree('counted', ['kind'], { name: `counted_${pages}` });
    const handle = await planned.whatIf.addIndex(definition, { pages, tuples: 60_000, tree_height: 1 });
    const settings = {
      parallel_setup_cost: '0',
      parallel_tuple_cost: '0',
      enable_seqscan: 'off',
      max_parallel_workers_per_gather: '4',
    };
    const statement = { id: 's', query_id: 's', sql: 'SELECT count(kind) FROM counted', weight: 1 };
    const plan = JSON.stringify(
      await planned.whatIf.explain({ created: [handle], hidden: [], settings }, statement),
    );
    return Number(/"Workers Planned":(\d+)/.exec(plan)?.[1] ?? 0);
  }

  test.each([63, 64, 191, 192])('a step is where the planner has it: at %i pages', async (pages) => {
    const above = await workers(pages);
    const isStep = pages === 64 || pages === 192;
    expect(pagesPlanned(pages)).toBe(isStep ? pages - 1 : pages);
    expect(await workers(isStep ? pagesPlanned(pages) - 1 : pages - 1)).toBe(isStep ? above - 1 : above);
  });

  test('what a prediction may be off by is planned below the step, what lies farther above as it is', () => {
    expect(pagesPlanned(193)).toBe(191);
    expect(pagesPlanned(202)).toBe(191);
    expect(pagesPlanned(203)).toBe(203);
    expect(pagesPlanned(600)).toBe(575);
    expect(pagesPlanned(20)).toBe(20);
    expect(pagesPlanned(193, { method: 'gin' })).toBe(193);
    expect(pagesPlanned(193, { is_partitioned: true })).toBe(193);
    const alone = planned.snapshot.settings.map((row) =>
      row.name === 'max_parallel_workers_per_gather' ? { ...row, setting: '0' } : row,
    );
    const size = { pages: 193, tuples: 60_000, tree_height: 1 };
    expect(plannedSize(size, { method: 'btree', is_partitioned: false }, { settings: alone })).toBe(size);
  });
});
