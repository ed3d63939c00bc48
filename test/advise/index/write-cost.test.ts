import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CandidateSizes } from '../../../src/advise/index-advisor/candidate-size.ts';
import { makeCandidate, unorderedKey } from '../../../src/advise/index-advisor/candidates/candidate.ts';
import { type AdvisorCatalog, advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { type AdvisorStatement, prepareStatement } from '../../../src/advise/index-advisor/statement.ts';
import { type WriteCost, writeCost } from '../../../src/advise/index-advisor/write-cost.ts';
import { amountWords, type Snapshot, type Window } from '../../../src/domain/index.ts';
import { diffSnapshots, usageCatalog, workloadFromFiles } from '../../../src/workload/index.ts';
import { type SampleDatabase, sampleDatabase } from '../rules/index/context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let catalog: AdvisorCatalog;
/** What happened: 1,000 inserted, 2,000 updates of `counter` (heap-only), 500 of `state` (indexed), 300 deleted. */
let window: Window;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE log (id bigint, at timestamptz, random int, counter int, state int, tags text[], pad text)
      WITH (fillfactor = 40, autovacuum_enabled = off);
    INSERT INTO log SELECT g, timestamptz '2024-01-01' + g * interval '1 minute', g * 7919 % 40009, 0, g % 5,
      ARRAY['a' || g % 50, 'b' || g % 70, 'c' || g % 90], repeat('l', 60) FROM generate_series(1, 40000) g;
    CREATE INDEX log_state ON log (state);
    CREATE TABLE parent (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE child PARTITION OF parent FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    INSERT INTO parent SELECT g, date '2024-01-01' + g % 300 FROM generate_series(1, 5000) g;
  `);
  await database.query('VACUUM ANALYZE');
  await database.query('SELECT pg_stat_force_next_flush()');
  const before = await database.snapshot();
  await database.query(`
    INSERT INTO log SELECT g, timestamptz '2024-06-01' + g * interval '1 minute', g, 0, 1, '{x}', 'p' FROM generate_series(1, 1000) g;
    INSERT INTO parent SELECT g, date '2024-02-01' FROM generate_series(1, 70) g;`);
  await database.query('UPDATE log SET counter = 1 WHERE id BETWEEN 2001 AND 4000');
  await database.query('UPDATE log SET state = 9 WHERE id BETWEEN 5001 AND 5500');
  await database.query('DELETE FROM log WHERE id BETWEEN 6001 AND 6300');
  await database.query('SELECT pg_stat_force_next_flush()');
  snapshot = await database.snapshot();
  catalog = advisorCatalog(snapshot);
  window = diffSnapshots(before, snapshot);
});

afterAll(() => database?.close());

const UPDATES = `-- calls: 2000
UPDATE log SET counter = 1 WHERE id = 1;
-- calls: 500
UPDATE log SET state = 9 WHERE id = 2;`;

async function statementsOf(sql: string): Promise<AdvisorStatement[]> {
  if (sql === '') return [];
  const names = await usageCatalog(snapshot);
  const { queries } = await workloadFromFiles([{ name: 'w.sql', text: sql }]);
  const prepared = await Promise.all(queries.map((query) => prepareStatement(query, snapshot, names)));
  return prepared.filter((one) => 'query' in one);
}

interface Given {
  table?: string;
  method?: string;
  sql?: string;
  seen?: Window | null;
  pages?: number;
}

async function costOf(column: string, given: Given = {}): Promise<WriteCost> {
  const { table = 'log', method = 'btree', sql = '', seen = window, pages } = given;
  const found = [...catalog.tables.values()].find((each) => each.row.name === table);
  if (!found) throw new Error(`no table ${table}`);
  const key = unorderedKey({ column, expression: null, columns: [column] });
  const candidate = makeCandidate(found, [key], { method });
  const size = await new CandidateSizes(catalog, snapshot, null).sizeOf(candidate.definition, found, 1);
  const asked = { ...size, pages: pages ?? size.pages };
  return writeCost(candidate, asked, await statementsOf(sql), snapshot, false, seen);
}

describe('entries', () => {
  test('come from the counters of the window, whatever statements were seen', async () => {
    const { entries, lost_hot_updates, formula } = await costOf('random');
    // All inserted, and the updates that were not heap-only.
    expect(entries).toBe(1500);
    expect(lost_hot_updates).toBe(0);
    expect(formula).toContain('pg_stat_user_tables');
  });
  test('come from the statements where there is no window', async () => {
    const sql = '-- calls: 40\nINSERT INTO log (id) VALUES (1);';
    const { entries, formula } = await costOf('random', { sql, seen: null });
    expect(entries).toBe(40);
    expect(formula).toContain('rows by statements');
  });
  test('of a partitioned table are those of its partitions', async () => {
    expect((await costOf('id', { table: 'parent' })).entries).toBe(70);
  });
  test('of a table that nobody writes cost nothing', async () => {
    const idle: Window = {
      ...window,
      tables: window.tables.map((delta) => ({
        ...delta,
        n_tup_ins: 0,
        n_tup_upd: 0,
        n_tup_del: 0,
        n_tup_hot_upd: 0,
      })),
    };
    expect((await costOf('random', { seen: idle })).cost).toBe(0);
  });
});

describe('heap-only updates', () => {
  test('end where an index is on the column that they set', async () => {
    const lost = await costOf('counter', { sql: UPDATES });
    expect(lost.lost_hot_updates).toBe(2000);
    expect(lost.entries).toBe(3500);
    expect(lost.cost).toBeGreaterThan(2 * (await costOf('counter')).cost);
  });
  test('cannot end where an index on that column exists', async () => {
    expect((await costOf('state', { sql: UPDATES })).lost_hot_updates).toBe(0);
  });
  test('go on under a block-range index, from 16 on', async () => {
    expect(snapshot.server.server_version_num).toBeGreaterThanOrEqual(160_000);
    expect((await costOf('counter', { sql: UPDATES, method: 'brin' })).lost_hot_updates).toBe(0);
    const older = { ...snapshot, server: { ...snapshot.server, server_version_num: 150_010 } };
    const now = snapshot;
    snapshot = older;
    try {
      expect((await costOf('counter', { sql: UPDATES, method: 'brin' })).lost_hot_updates).toBe(2000);
    } finally {
      snapshot = now;
    }
  });
});

describe('kinds', () => {
  test('cost what the benchmark finds, in its order', async () => {
    const brin = await costOf('at', { method: 'brin' });
    const appended = await costOf('at');
    const random = await costOf('random');
    const gin = await costOf('tags', { method: 'gin' });
    const costs = [brin.cost, appended.cost, random.cost];
    expect(costs).toEqual(costs.toSorted((a, b) => a - b));
    expect(new Set(costs).size).toBe(3);
    expect(gin.cost).toBeGreaterThan(appended.cost);
  });
  test('larger than memory cost a page read where entries come in all over, none at the end', async () => {
    const memory = Number(snapshot.settings.find((row) => row.name === 'shared_buffers')?.setting);
    const [small, large] = [
      await costOf('random', { pages: memory / 2 }),
      await costOf('random', { pages: 4 * memory }),
    ];
    expect(small.formula).not.toContain('page reads');
    expect(large.formula).toContain(`${amountWords(Math.round(0.75 * large.entries))} page reads`);
    expect((await costOf('at', { pages: 4 * memory })).formula).not.toContain('page reads');
  });
});
