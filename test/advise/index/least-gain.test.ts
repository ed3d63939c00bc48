/** What an index must save to be advised without a budget, where two statements make nearly all of the cost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import {
  contextOf,
  created,
  type SampleDatabase,
  sampleDatabase,
  twinOf,
  vacuumAll,
} from '../rules/index/context.ts';

const BESIDE = "share of the workload's cost that it saves beside the other recommended indexes";

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let snapshot: Snapshot;
  let twin: WhatIf;

  beforeAll(async () => {
    database = await sampleDatabase(
      `
      CREATE TABLE visits (id int PRIMARY KEY, guest int8 NOT NULL, room int8 NOT NULL, invoice int8 NOT NULL, code int8 NOT NULL, pad text);
      INSERT INTO visits SELECT g, g::int8 * 7919 % 30000, g::int8 * 104729 % 30000, g::int8 * 48271 % 30000, g::int8 * 7919 % 3000,
        repeat('p', 600)
        FROM generate_series(1, 30000) g;
    `,
      await testServer({ major }),
    );
    await vacuumAll(database);
    snapshot = await database.snapshot();
    twin = await twinOf(snapshot);
  }, 60_000);
  afterAll(async () => {
    await twin?.close();
    await database?.close();
  });

  const advise = async (...calls: [number, string][]) => {
    const sql = calls.map(([times, text]) => `-- calls: ${times}\n${text};`).join('\n');
    const { recommendations, rejections } = await rule.evaluate(
      await contextOf(snapshot, { what_if: twin, sql }),
    );
    const shares = recommendations.map(({ evidence }) => evidence.find(({ name }) => name === BESIDE)?.value);
    return { indexes: created(recommendations), rejections, shares };
  };
  const by = (column: string) => `SELECT pad FROM visits WHERE ${column} = 1711`;
  const tree = (column: string) => `public.visits USING btree (${column})`;
  const [guest, room] = [tree('guest'), tree('room')] as const;
  const [invoice, code] = [tree('invoice'), tree('code')] as const;
  const on = (column: string) => ({ candidate: tree(column) });

  test('what gets many times faster is advised beside two that made nearly all of the cost and are cured', async () => {
    const { indexes, shares } = await advise(
      [50_000, by('guest')],
      [50_000, by('room')],
      [100, by('invoice')],
    );
    expect(shares[indexes.indexOf(invoice)]).toBeGreaterThan(0.05);
    expect(shares[indexes.indexOf(guest)]).toBeGreaterThan(0.95);
    expect(indexes.sort()).toEqual([guest, invoice, room].sort());
  });

  test('not where those cannot be cured: of what is left it is nothing', async () => {
    const whole = 'SELECT count(pad), max(pad) FROM visits';
    const { indexes, rejections } = await advise([50_000, whole], [100, by('invoice')]);
    expect(indexes).toEqual([]);
    expect(rejections).toContainEqual(expect.objectContaining({ ...on('invoice'), code: 'too_small_gain' }));
  });

  test('not the last half of what is cured: an index that holds the row too is larger than what it saves', async () => {
    expect((await advise([50_000, by('guest')])).indexes).toEqual([guest]);
  });

  test('nor what is called so seldom that what is left hardly changes', async () => {
    const { indexes, rejections } = await advise(
      [50_000, by('guest')],
      [50_000, by('room')],
      [4, by('invoice')],
    );
    expect(indexes.sort()).toEqual([guest, room].sort());
    expect(rejections).toContainEqual(expect.objectContaining({ ...on('invoice'), code: 'too_small_gain' }));
  });

  test('what takes a twenty-fifth of all that is left is, where its own statements get many times faster', async () => {
    const { indexes, shares } = await advise([50_000, by('guest')], [50_000, by('room')], [12, by('code')]);
    expect(shares[indexes.indexOf(code)]).toBeLessThan(0.05);
    expect(indexes.sort()).toEqual([code, guest, room].sort());
  });

  test('not where they do not get twice as fast', async () => {
    const pads = (of: string) => `(SELECT ${of}(length(pad)) FROM visits)`;
    const more = `${by('code')} AND length(pad) BETWEEN ${pads('avg')} AND ${pads('sum')}`;
    const { indexes, rejections } = await advise([50_000, by('guest')], [50_000, by('room')], [12, more]);
    expect(indexes.sort()).toEqual([guest, room].sort());
    expect(rejections).toContainEqual(expect.objectContaining({ ...on('code'), code: 'too_small_gain' }));
  });
});
