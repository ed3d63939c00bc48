import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { analyzeOnce } from '../../../src/commands/analyze.ts';
import { testServer } from '../../support/servers.ts';

/** Seven kinds, each as frequent; of the states two are rare, of the sizes one is usual. Wide rows, so that a partial index pays. */
const SCHEMA = `
CREATE TABLE parcel (id int PRIMARY KEY, kind text NOT NULL, state text NOT NULL, weight int NOT NULL, note text,
  city text, tags text[], label text, size text);
CREATE VIEW third_kind AS SELECT id, weight FROM parcel WHERE kind = 'kind3';
CREATE TABLE line (depot int, number int, weight int NOT NULL, pad text, kind int NOT NULL, PRIMARY KEY (number, depot));
INSERT INTO line SELECT i % 7, i, (i::int8 * 104729) % 50000, repeat('y', 200), i % 7 FROM generate_series(1, 60000) AS i;
INSERT INTO parcel SELECT i, 'kind' || (i * 7919) % 7, CASE (i * 31) % 400 WHEN 0 THEN 'stuck' WHEN 1 THEN 'lost' ELSE 'state' || (i * 17) % 3 END,
  (i::int8 * 104729) % 50000, repeat('x', 200),
  CASE WHEN i % 3 = 0 THEN 'city' || (i / 3) % 7 END, ARRAY['t' || i % 300, 'u' || i % 500], 'label' || i % 20000,
  CASE WHEN i % 10 < 6 THEN 'small' WHEN i % 10 < 9 THEN 'large' ELSE 'huge' END FROM generate_series(1, 60000) AS i`;

let folder = '';
let dsn = '';
let drop = async () => {};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recurring-'));
  const server = await testServer();
  const database = await server.createDatabase({ sql: SCHEMA });
  dsn = database.dsn;
  drop = () => database.drop();
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query('VACUUM ANALYZE parcel');
  await client.query('VACUUM ANALYZE line');
  await client.end();
});
afterAll(async () => {
  await drop();
  await rm(folder, { recursive: true, force: true });
});

async function predicates(...statements: string[]): Promise<(string | null)[]> {
  const workload = join(folder, 'workload.sql');
  await writeFile(workload, statements.map((sql) => `-- calls: 100\n${sql};`).join('\n'));
  const report = await analyzeOnce(dsn, { format: 'text', only: ['index'], workload, whatIf: 'twin' });
  return report.recommendations.flatMap(({ change }) =>
    change.kind === 'index.create' ? [change.index.where] : [],
  );
}

it('one call’s constant is no condition of an index', async () => {
  const found = await predicates("SELECT id FROM parcel WHERE kind = 'kind3' AND weight BETWEEN 100 AND 120");
  expect(found).toEqual([null]);
});

it('a constant that several statements share is', async () => {
  const found = await predicates(
    "SELECT id FROM parcel WHERE kind = 'kind3' AND weight BETWEEN 100 AND 120",
    "SELECT count(*) FROM parcel WHERE kind = 'kind3' AND weight > 49990",
  );
  expect(found.filter((where) => where !== null)).toEqual(["kind = 'kind3'"]);
});

it('and so is a rare value, whichever call showed it', async () => {
  const found = await predicates(
    "SELECT id, weight FROM parcel WHERE state = 'stuck' ORDER BY weight DESC LIMIT 20",
  );
  expect(found).toEqual(["state = 'stuck'"]);
});

it('a value is not rare because most rows have none', async () => {
  const cities = await predicates(
    "SELECT id, weight FROM parcel WHERE city = 'city3' ORDER BY weight DESC LIMIT 20",
  );
  expect(cities).toHaveLength(1);
  expect(cities).not.toContain("city = 'city3'");
});

it('nor is what one call looks for in a list, or leaves out by a pattern', async () => {
  expect(await predicates("SELECT id FROM parcel WHERE 't77' = ANY (tags)")).toEqual([]);
  const found = await predicates("SELECT id FROM parcel WHERE label NOT LIKE 'label1%' AND weight < 40");
  expect(found).toEqual([null]);
});

it('that a state is left out is the statement’s own', async () => {
  const found = await predicates("SELECT id FROM parcel WHERE state NOT IN ('state0', 'state1', 'state2')");
  expect(found).toEqual(["state NOT IN ('state0', 'state1', 'state2')"]);
});

it('a number of a key is no kind, however often the files show it', async () => {
  const asking = (column: string) => [
    `SELECT number FROM line WHERE ${column} = 3 AND weight BETWEEN 100 AND 120`,
    `SELECT count(*) FROM line WHERE ${column} = 3 AND weight > 49990`,
  ];
  expect((await predicates(...asking('depot'))).filter((where) => where !== null)).toEqual([]);
  expect((await predicates(...asking('kind'))).filter((where) => where !== null)).toEqual(['kind = 3']);
});

it('of a statement that comes with several constants each is planned, not the first alone', async () => {
  const found = await predicates(
    "SELECT note FROM parcel WHERE state = 'state0'",
    "SELECT note FROM parcel WHERE state = 'stuck'",
  );
  expect(found).toEqual([null]);
});

it('what a view’s definition says is the same at every call, which what is asked of it is not', async () => {
  expect(await predicates('SELECT id FROM third_kind WHERE weight BETWEEN 100 AND 120')).toEqual([
    "kind = 'kind3'::text",
  ]);
  expect(await predicates('SELECT id FROM third_kind WHERE weight = 4711')).toEqual(["kind = 'kind3'::text"]);
});

it('a list of rare values is a condition, one of as many as elsewhere is not', async () => {
  const newest = (list: string) => `SELECT id FROM parcel WHERE ${list} ORDER BY weight DESC LIMIT 20`;
  expect(await predicates(newest("state IN ('stuck', 'lost')"))).toEqual(["state IN ('stuck', 'lost')"]);
  const kinds = await predicates("SELECT id FROM parcel WHERE kind IN ('kind3', 'kind5') AND weight < 40");
  expect(kinds).toEqual([null]);
});

it('a flag’s usual value is no condition, its rarer ones are', async () => {
  const light = (size: string) =>
    `SELECT id FROM parcel WHERE size = '${size}' AND weight BETWEEN 100 AND 120`;
  expect(await predicates(light('small'))).toEqual([null]);
  expect(await predicates(light('huge'))).toEqual(["size = 'huge'"]);
});
