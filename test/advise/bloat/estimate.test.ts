/** Estimates against what VACUUM FULL leaves, and when nothing is estimated. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeZoo } from '../../../bench/bloat-zoo.ts';
import { estimateBloat, loadRules } from '../../../src/advise/index.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import { draftSchema, type Snapshot } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { columnRow, tableRow } from '../../support/rows.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, MB, snapshotOf } from '../../support/snapshot-builder.ts';

const majors = [...new Set([14, testMajors.at(-1) ?? 18])];

describe.each(majors)('PostgreSQL %i', (major) => {
  /** One after each of three ANALYZEs: what each drew by chance is a third of what is judged. */
  const snapshots: Snapshot[] = [];
  let after: Map<number, number>;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase();
    drop = database.drop;
    await makeZoo(database.dsn);
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    // Not the catalogs: those that all databases share would stop the tests beside this one.
    const own = await client.query(
      "SELECT string_agg(quote_ident(tablename), ', ') AS names FROM pg_tables WHERE schemaname = 'public'",
    );
    while (snapshots.length < 3) {
      if (snapshots.length > 0) await client.query(`ANALYZE ${own.rows[0].names}`);
      const session = await openTarget(database.dsn, { applicationName: 'pgluthier-test', readOnly: true });
      snapshots.push(await collectSnapshot(session).finally(() => session.close()));
    }
    await client.query(`VACUUM FULL ${own.rows[0].names}`);
    const { rows } = await client.query(
      "SELECT oid::int8::int4 AS oid, pg_relation_size(oid)::int4 AS bytes FROM pg_class WHERE relkind IN ('r', 'i')",
    );
    after = new Map(rows.map((row) => [row.oid, row.bytes]));
    await client.end();
  }, 180_000);
  afterAll(async () => drop?.());

  test.each([
    { kind: 'table', at_least: 25, usual: 0.01, worst: 0.03 },
    { kind: 'btree', at_least: 40, usual: 0.03, worst: 0.1 },
  ])('$kind: nine of ten within $usual of the real share, none off by $worst', ({ kind, ...aim }) => {
    const estimates = snapshots.map((snapshot) => estimateBloat(snapshot, { minimum_bytes: 0 }));
    const errors = estimates
      .flatMap(({ relations }) => relations)
      .filter((each) => each.kind === kind)
      .map(({ name, wasted_share, actual_bytes, oid }) => ({
        name,
        error: Math.abs(wasted_share - Math.max(0, 1 - (after.get(oid) ?? 0) / actual_bytes)),
      }))
      .sort((a, b) => a.error - b.error);
    expect(estimates.flatMap(({ limits }) => limits)).toEqual([]);
    expect(errors.length).toBeGreaterThanOrEqual(snapshots.length * aim.at_least);
    expect(errors[Math.ceil(0.9 * errors.length) - 1]?.error).toBeLessThan(aim.usual);
    expect(errors.filter(({ error }) => error > aim.worst)).toEqual([]);
  });

  test('a TOAST table: a lower bound', () => {
    const [snapshot] = snapshots;
    const toasted = snapshot?.tables.find((table) => table.name === 'toasted');
    const found =
      snapshot &&
      estimateBloat(snapshot, { minimum_bytes: 0 }).relations.find(
        (each) => each.kind === 'toast' && each.name === 'toasted',
      );
    // 60 % of the rows are gone, and with them their chunks.
    expect(found).toMatchObject({ bound: 'at_least', oid: toasted?.toast?.oid, level: 'estimated' });
    expect(found?.wasted_share).toBeGreaterThan(0.4);
    expect(found?.wasted_share).toBeLessThan(0.65);
  });
});

const column = columnRow();

test('nothing from statistics that are missing or old, and a limit names the table', () => {
  const of = (table: Parameters<typeof tableRow>[0], columns = [column]) =>
    estimateBloat(snapshotOf({ tables: [tableRow(table)], columns }));
  // A million rows of 8 bytes: 24 + 8 + 4 each, 226 a page.
  expect(of({}).relations).toMatchObject([{ expected_bytes: 4425 * 8192, bound: 'about' }]);
  expect(of({ n_mod_since_analyze: 300_000 })).toMatchObject({
    relations: [],
    limits: [{ code: 'bloat_statistics_stale' }],
  });
  const uncounted = { last_autoanalyze: null, last_autovacuum: null };
  expect(of({ ...uncounted, n_live_tup: 5 }).relations).toHaveLength(1);
  expect(of({ ...uncounted, relpages: 10_000 }).limits).toMatchObject([{ code: 'bloat_statistics_stale' }]);
  expect(of({ ...uncounted, reltuples: -1 }).limits).toMatchObject([{ code: 'bloat_statistics_missing' }]);
  expect(of({}, [{ ...column, not_null: false }])).toMatchObject({
    relations: [],
    limits: [{ code: 'bloat_statistics_missing', message: expect.stringContaining('public.t') }],
  });
  expect(of({ relkind: 'p' })).toEqual({ relations: [], limits: [] });
});

describe('health/bloat', async () => {
  const rule = (await loadRules()).find(({ id }) => id === 'health/bloat');
  const drafts = async (table: Parameters<typeof tableRow>[0]) => {
    const result = await rule?.evaluate(
      contextOf(snapshotOf({ tables: [tableRow(table)], columns: [column] })),
    );
    return result?.recommendations.map((each) => draftSchema.parse(each));
  };

  test('reports wasted bytes, labelled estimated, and does nothing', async () => {
    const [draft] = (await drafts({ schema: 'Ops', name: 'Größe', main_pages: 40_000 })) ?? [];
    expect(draft).toMatchObject({
      change: { kind: 'finding' },
      key: 'finding bloat table Ops.Größe',
      evidence_level: 'estimated',
      severity: 'medium',
      estimate: { size_bytes: -(40_000 - 4425) * 8192 },
    });
    expect(draft?.evidence[0]).toMatchObject({ name: 'wasted', unit: 'bytes', level: 'estimated' });
  });

  test('is quiet below 100 MB and below 30 %', async () => {
    const pages = (100 * MB) / 8192;
    expect(await drafts({ main_pages: 4425 + pages - 1 })).toEqual([]);
    expect(await drafts({ main_pages: 4425 + pages })).toHaveLength(1);
    const large = { n_live_tup: 20_000_000, main_pages: Math.floor(88_496 / 0.71) };
    expect(await drafts(large)).toEqual([]);
    expect(await drafts({ ...large, main_pages: Math.ceil(88_496 / 0.69) })).toHaveLength(1);
  });
});
