/** Keys of which one follows from the other, as an order's lines share its customer and its day. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { indexSize } from '../../../src/advise/index-advisor/size-model.ts';
import { rangeOf, sizeRange } from '../../../src/advise/index-advisor/size-range.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import type { IndexDefinition, Snapshot } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { btree } from '../../support/definitions.ts';
import { testServer } from '../../support/servers.ts';

let dsn: string;
let client: pg.Client;
let drop: () => Promise<void>;

const on = (keys: string[], include: string[] = []) => btree('lines', keys, { name: 'measured', include });

async function seen() {
  const session = await openTarget(dsn, { applicationName: 'test', readOnly: true });
  const snapshot: Snapshot = await collectSnapshot(session).finally(() => session.close());
  const statistics = snapshot.schema.extended_statistics;
  const table = [...advisorCatalog(snapshot).tables.values()].find(({ row }) => row.name === 'lines');
  if (!table) throw new Error('no table lines');
  const sized = (definition: IndexDefinition) => ({ definition, table, selectivity: 1, statistics });
  return {
    statistics,
    bytesOf: (definition: IndexDefinition) => indexSize(sized(definition)).pages * 8192,
    rangeOf: (definition: IndexDefinition) => rangeOf({ ...sized(definition), conditions: [] }),
    candidate: (definition: IndexDefinition) => ({ ...sized(definition), conditions: [] }),
  };
}

async function built(definition: IndexDefinition): Promise<number> {
  const columns = definition.keys.map(({ column }) => column).join(', ');
  await client.query(`CREATE INDEX measured ON lines (${columns})`);
  const { rows } = await client.query("SELECT pg_relation_size('measured') AS bytes");
  await client.query('DROP INDEX measured');
  return Number(rows[0].bytes);
}

beforeAll(async () => {
  const server = await testServer();
  const database = await server.createDatabase({
    sql: `SELECT setseed(0.3);
      CREATE UNLOGGED TABLE lines AS
        SELECT o AS order_number, customer, day, (random() * 1000)::int AS quantity, (random() * 1e6)::int AS part
        FROM (SELECT o, (random() * 50000)::int AS customer, o / 14 AS day FROM generate_series(1, 20000) o) orders
        CROSS JOIN generate_series(1, 10) line`,
  });
  ({ dsn, drop } = database);
  client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query('VACUUM ANALYZE lines');
});

afterAll(async () => {
  await client?.end();
  await drop?.();
});

test('keys that may follow from each other are said to take less, until CREATE STATISTICS tells', async () => {
  const dependent = on(['customer', 'day']);
  const independent = on(['quantity', 'part']);
  const before = await seen();
  const real = await built(dependent);
  const predicted = before.bytesOf(dependent);
  // Without statistics of both together it cannot be known, and the budget is spent on more than there will be.
  expect(predicted / real).toBeGreaterThan(1.5);
  const range = before.rangeOf(dependent);
  expect(real).toBeGreaterThanOrEqual(range.least * predicted);
  expect(range.least).toBeGreaterThan(0.3);
  const evidence = sizeRange({ candidate: before.candidate(dependent), size_bytes: predicted }, []);
  expect(evidence.formula).toContain('nothing to do with each other');

  // The trap: keys that really have nothing to do with each other are as large as predicted.
  const apart = (await built(independent)) / before.bytesOf(independent);
  expect(apart).toBeGreaterThan(0.95);
  expect(apart).toBeLessThan(1.05);
  // What includes columns is never deduplicated, and what has one key is told by its statistics.
  for (const plain of [on(['customer'], ['day']), on(['customer'])]) {
    // Each customer may have as many lines as any other, of which there are fewer then than drawn at random.
    expect(before.rangeOf(plain).least).toBeGreaterThanOrEqual(0.9);
  }

  await client.query('CREATE STATISTICS lines_both (ndistinct) ON customer, day FROM lines; ANALYZE lines');
  const after = await seen();
  const told = after.bytesOf(dependent);
  expect(Math.abs(told / real - 1)).toBeLessThan(0.12);
  expect(after.rangeOf(dependent).least).toBeGreaterThanOrEqual(0.95);
});
