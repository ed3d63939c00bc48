/** Which indexes are to be rebuilt, and what a rebuild of a real one leaves against what was said of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bloatedByEstimate, measuredBloat } from '../../../../src/advise/repairs/bloated-indexes.ts';
import { withContradictions } from '../../../../src/advise/repairs/contradictions.ts';
import { rule as tableBloat } from '../../../../src/advise/rules/health/bloat.ts';
import { rule } from '../../../../src/advise/rules/index/bloated.ts';
import { buildPlan } from '../../../../src/apply/index.ts';
import { measureBtrees } from '../../../../src/collect/index.ts';
import {
  type BtreeDensity,
  draftSchema,
  type IndexRow,
  type RecommendationDraft,
  type RuleContext,
  type Snapshot,
} from '../../../../src/domain/index.ts';
import { measureBloat } from '../../../../src/pipeline/measure-bloat.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { indexRow as anyIndex, columnRow, columnStats, tableRow } from '../../../support/rows.ts';
import { testServer } from '../../../support/servers.ts';
import { contextOf, MB, snapshotOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from './context.ts';

const column = columnRow({ stats: columnStats({ correlation: 1 }) });

const PAGES = 30_000;
const indexRow = (index: Partial<IndexRow> = {}): IndexRow =>
  anyIndex({
    name: 'by_id',
    definition: 'CREATE INDEX by_id ON public.t USING btree (id)',
    keys: ['id'],
    key_attnums: [1],
    opclasses: ['pg_catalog.int8_ops'],
    relpages: PAGES,
    main_pages: PAGES,
    size_bytes: PAGES * 8192,
    idx_scan: 5,
    idx_tup_read: 5,
    idx_tup_fetch: 5,
    ...index,
  });
const built = (index: Partial<IndexRow> = {}, parts: Parameters<typeof snapshotOf>[0] = {}) =>
  snapshotOf({ tables: [tableRow()], columns: [column], indexes: [indexRow(index)], ...parts });
const density = (parts: Partial<BtreeDensity> = {}): BtreeDensity => ({
  oid: 20_000,
  schema: 'public',
  name: 'by_id',
  index_bytes: PAGES * 8192,
  leaf_pages: 29_800,
  internal_pages: 150,
  empty_pages: 0,
  deleted_pages: 49,
  avg_leaf_density: 10,
  ...parts,
});
const evaluate = async (snapshot: Snapshot, parts: Partial<RuleContext> = {}) =>
  rule.evaluate(contextOf(snapshot, parts));
const codes = async (...given: Parameters<typeof evaluate>) =>
  (await evaluate(...given)).rejections.map(({ code }) => code);

describe('on a built snapshot', () => {
  test('a bloated B-tree is rebuilt concurrently, labelled estimated; health/bloat leaves it alone', async () => {
    const snapshot = built();
    const { recommendations } = await evaluate(snapshot);
    const [draft] = recommendations.map((each) => draftSchema.parse(each));
    expect(draft).toMatchObject({
      change: { kind: 'index.reindex', schema: 'public', table: 't', name: 'by_id' },
      key: 'index.reindex public.by_id',
      evidence_level: 'estimated',
      severity: 'medium',
    });
    expect(draft?.evidence[0]).toMatchObject({ name: 'wasted', unit: 'bytes', level: 'estimated' });
    expect(draft && buildPlan(draft.change).statements).toEqual(['REINDEX INDEX CONCURRENTLY public.by_id']);
    const table = await tableBloat.evaluate(contextOf(snapshot));
    expect(table.recommendations.map(({ key }) => key)).toEqual(['finding bloat table public.t']);
  });

  test('is quiet below 100 MB, and where the rows need the room', async () => {
    const needed = bloatedByEstimate(built(), 1).bloated[0]?.expected_bytes ?? 0;
    const pages = (100 * MB + needed) / 8192;
    expect((await evaluate(built({ main_pages: pages - 1 }))).recommendations).toEqual([]);
    expect((await evaluate(built({ main_pages: pages }))).recommendations).toHaveLength(1);
    const many = { tables: [tableRow({ n_live_tup: 8_000_000, main_pages: 200_000 })] };
    expect((await evaluate(built({ main_pages: 30_000 }, many))).recommendations).toEqual([]);
  });

  test('what was measured decides', async () => {
    const [bad] = (await evaluate(built(), { btree_density: [density()] })).recommendations;
    expect(bad).toMatchObject({ evidence_level: 'measured', title: expect.stringContaining('At least') });
    expect(bad?.evidence.map(({ level }) => level)).toContain('estimated');
    const full = { btree_density: [density({ avg_leaf_density: 88 })] };
    expect((await evaluate(built(), full)).recommendations).toEqual([]);
    expect(await codes(built(), full)).toEqual(['not_bloated_when_measured']);
  });

  test('none that is unused, invalid, of an exclusion constraint, or on a standby', async () => {
    const server = { stats_reset: '2025-12-01T12:00:00.000Z' };
    expect(await codes(built({ idx_scan: 0 }, { server }))).toEqual(['unused']);
    expect(await codes(built({ is_exclusion: true, constraint_name: 'x' }))).toEqual([
      'exclusion_constraint',
    ]);
    expect(await codes(built({}, { server: { in_recovery: true } }))).toEqual(['standby']);
    expect(await evaluate(built({ is_valid: false }))).toMatchObject({ recommendations: [], rejections: [] });
  });
});

test('where another rule would drop the index, both say so', async () => {
  const [rebuild] = (await evaluate(built())).recommendations;
  if (!rebuild) throw new Error('it is not proposed to be rebuilt');
  const drop = {
    ...rebuild,
    rule: 'index/duplicate',
    change: { ...rebuild.change, kind: 'index.drop' as const },
  };
  const other = { ...drop, change: { ...drop.change, name: 'another' } };
  const notes = (drafts: unknown[]) =>
    withContradictions(drafts as RecommendationDraft[]).map(({ risk }) => risk.notes.at(-1) ?? '');
  const [of, on] = notes([rebuild, drop]);
  expect(of).toContain('index/duplicate proposes to drop this index');
  expect(on).toContain('index/bloated proposes to rebuild it');
  expect(notes([rebuild, other])).toEqual([rebuild, other].map(({ risk }) => risk.notes.at(-1)));
});

describe.each([15, 18])('on a server, PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let snapshot: Snapshot;
  beforeAll(async () => {
    database = await sampleDatabase(
      `CREATE EXTENSION pgstattuple;
       CREATE TABLE t (id int PRIMARY KEY, v text, w int);
       INSERT INTO t SELECT g, md5(g::text), g FROM generate_series(1, 120000) g;
       CREATE INDEX by_v ON t (v);
       CREATE INDEX by_w ON t (w);`,
      await testServer({ major }),
    );
    // Deleted all over: pages stay, a tenth full.
    await database.query('DELETE FROM t WHERE id % 10 <> 0');
    // Counted up to a second late, behind ANALYZE, they would pass for changes since it.
    await database.query('SELECT pg_stat_force_next_flush()');
    await database.query('VACUUM t');
    await database.query('ANALYZE t');
    snapshot = await database.snapshot();
  }, 60_000);
  afterAll(async () => database?.close());

  test('estimate and measure agree with each other and with what the rebuild leaves', async () => {
    const { bloated } = bloatedByEstimate(snapshot, MB);
    expect(bloated.map(({ name }) => name).sort()).toEqual(['by_v', 'by_w', 't_pkey']);
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const indexes = bloated.map(({ index }) => index);
    const { measured, limits } = await measureBtrees(session, indexes, 100 * MB);
    expect(limits).toEqual([]);
    for (const { index, wasted_share } of bloated) {
      const found = measured.find(({ oid }) => oid === index.oid);
      if (!found) throw new Error(`${index.name} was not measured`);
      const share = measuredBloat(index, found, 8192).wasted_share;
      await database.query(`REINDEX INDEX CONCURRENTLY public.${index.name}`);
      const [row] = await session.query<{ bytes: number }>('SELECT pg_relation_size($1::regclass) AS bytes', [
        `public.${index.name}`,
      ]);
      const real = 1 - (row?.bytes ?? 0) / index.size_bytes;
      expect(real).toBeGreaterThan(0.85);
      expect(Math.abs(wasted_share - real)).toBeLessThan(0.03);
      expect(Math.abs(share - real)).toBeLessThan(0.03);
    }
    await session.close();
  });

  test('no more is read than was allowed, and what is missing is said', async () => {
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const indexes = (await database.snapshot()).indexes.filter(({ name }) => name !== 't_pkey');
    const smallest = Math.min(...indexes.map(({ size_bytes }) => size_bytes));
    const read = await measureBtrees(session, indexes, smallest);
    expect(read.measured).toHaveLength(1);
    expect(read.limits).toMatchObject([{ code: 'bloat_not_measured' }]);
    await database.query('CREATE ROLE nobody_much; GRANT USAGE ON SCHEMA public TO nobody_much');
    await session.query('SET ROLE nobody_much');
    const refused = await measureBtrees(session, indexes, 100 * MB);
    expect(refused).toMatchObject({
      measured: [],
      limits: [{ code: 'insufficient_privilege', remedy: expect.stringContaining('pg_stat_scan_tables') }],
    });
    await session.query('RESET ROLE');
    await database.query('DROP EXTENSION pgstattuple');
    expect((await measureBtrees(session, indexes, 100 * MB)).limits).toMatchObject([
      { code: 'pgstattuple_missing' },
    ]);
    await session.close();
    await database.query('DROP OWNED BY nobody_much; DROP ROLE nobody_much');
  });

  test('nothing is asked of the target where nothing is suspected', async () => {
    const dsn = 'postgresql://nobody@127.0.0.1:1/nothing';
    expect(await measureBloat(snapshot, { dsn, limit_bytes: 100 * MB }, () => {})).toEqual({
      measured: [],
      limits: [],
    });
  });
});
