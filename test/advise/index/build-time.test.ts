/** What a build is said to take, term by term: indexes of a real server, reckoned as if they were still to be built. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildTime } from '../../../src/advise/index-advisor/build-time.ts';
import { buildWork } from '../../../src/advise/index-advisor/build-work.ts';
import { CandidateSizes } from '../../../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { bytesOf } from '../../../src/advise/index-advisor/size-model.ts';
import type { Snapshot } from '../../../src/domain/index.ts';
import { readIndex } from '../../../src/workload/index.ts';
import { type SampleDatabase, sampleDatabase } from '../rules/index/context.ts';

const ROWS = 20_000;
const INDEXES: Readonly<Record<string, string>> = {
  in_order: 'items (id)',
  unordered: 'items (random)',
  downwards: 'items (id DESC)',
  partial: 'items (random) WHERE id < 20',
  longer_condition: "items (random) WHERE id < 20 AND url_c NOT LIKE '%abc%'",
  uuid: 'items (code)',
  short_c: 'items (short_c)',
  url_c: 'items (url_c)',
  short_icu: 'items (short_icu)',
  url_icu: 'items (url_icu)',
  icu_by_bytes: 'items (url_icu COLLATE "C")',
  after_tenth: 'items (tenth, random)',
  after_random: 'items (random, tenth)',
  lower_icu: 'items (lower(url_icu))',
  few_tags: 'items USING gin (few_tags)',
  many_tags: 'items USING gin (many_tags)',
  few_members: 'items USING gin (few)',
  many_members: 'items USING gin (many)',
  title_words: "items USING gin (to_tsvector('english', title))",
  body_words: "items USING gin (to_tsvector('english', body))",
  span: 'items USING gist (span)',
  place: 'items USING gist (place)',
  brin: 'items USING brin (id)',
  hash: 'items USING hash (code)',
  out_of_line: 'blobs (md5(content))',
  beside_out_of_line: 'blobs (id)',
};
let database: SampleDatabase;
let snapshot: Snapshot;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE items (id int, random int, tenth int, code uuid,
      short_c text COLLATE "C", url_c text COLLATE "C", short_icu text COLLATE "en-x-icu", url_icu text COLLATE "en-x-icu",
      few_tags text[], many_tags text[], few jsonb, many jsonb, title text, body text, span int8range, place point);
    INSERT INTO items SELECT g, g * 7919 % 20011, g * 7 % 10, md5(g::text)::uuid, md5(g::text), 'https://example.com/' || md5(g::text),
      md5(g::text), 'https://example.com/' || md5(g::text), ARRAY['t' || g % 50],
      ARRAY(SELECT 't' || (g * n) % 50 FROM generate_series(1, 12) n), jsonb_build_object('a', g % 50),
      jsonb_build_object('a', g % 50, 'b', g % 50, 'c', g % 50, 'd', g % 50, 'e', g % 50), 'late order ' || g,
      repeat('late order of a customer ', 20) || g, int8range(g, g + 5), point(g, g)
    FROM generate_series(1, ${ROWS}) g;
    CREATE TABLE blobs (id int, content text);
    ALTER TABLE blobs ALTER content SET STORAGE EXTERNAL;
    INSERT INTO blobs SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 500) g;
    ${Object.entries(INDEXES)
      .map(([name, sql]) => `CREATE INDEX ${name} ON ${sql};`)
      .join('\n')}
  `);
  await database.query('VACUUM ANALYZE');
  snapshot = await database.snapshot();
});

afterAll(() => database?.close());

/** As `index` of the snapshot is, of a server that differs in what is given. */
async function built(name: string, server: Snapshot = snapshot) {
  const row = server.indexes.find((each) => each.name === name);
  const catalog = advisorCatalog(server);
  const table = catalog.tables.get(row?.table_oid ?? 0);
  if (!row || !table) throw new Error(`${name} was not collected`);
  const { definition } = await readIndex(row);
  const selectivity = row.predicate === null ? 1 : row.reltuples / table.row.reltuples;
  const size = await new CandidateSizes(catalog, server, null).sizeOf(definition, table, selectivity);
  const index = { candidate: { definition, table, selectivity }, size, size_bytes: bytesOf(size) };
  const told = buildTime(index, server);
  if (told.seconds === null || told.work_seconds === null) throw new Error(`${name} has no time`);
  const count = (of: RegExp) =>
    (buildWork(index, server)?.work ?? [])
      .filter((each) => of.test(each.of))
      .reduce((sum, each) => sum + each.count, 0);
  return {
    seconds: told.seconds,
    work: told.work_seconds,
    formula: told.evidence.formula ?? '',
    count,
    index,
  };
}

const withSettings = (settings: Record<string, string>): Snapshot => ({
  ...snapshot,
  settings: snapshot.settings.map((each) => ({ ...each, setting: settings[each.name] ?? each.setting })),
});

test('the whole table is read twice and the predicate evaluated for all of its rows, however few it keeps', async () => {
  const partial = await built('partial');
  const whole = await built('unordered');
  expect(partial.count(/rows read/)).toBe(2 * ROWS);
  expect(partial.count(/pages read/)).toBe(2 * partial.index.candidate.table.row.main_pages);
  expect(partial.count(/^entries/)).toBeLessThan(40);
  // Once for each row, and once more in validation for each that the index does not have.
  expect(partial.count(/conditions/) / ROWS).toBeCloseTo(2, 1);
  expect((await built('longer_condition')).work).toBeGreaterThan(partial.work);
  expect(partial.work).toBeLessThan(whole.work);
});

describe('a B-tree', () => {
  test('of rows in its own order is not sorted', async () => {
    const [inOrder, unordered, downwards] = [
      await built('in_order'),
      await built('unordered'),
      await built('downwards'),
    ];
    expect(inOrder.count(/comparisons of numbers/)).toBeCloseTo(ROWS);
    expect(unordered.count(/comparisons of numbers/)).toBeCloseTo(ROWS * Math.log2(ROWS));
    expect(inOrder.count(/addresses/)).toBe(0);
    expect(unordered.count(/addresses/)).toBeCloseTo(ROWS * Math.log2(ROWS));
    expect(downwards.work).toBe(unordered.work);
  });

  test("compares texts by bytes for less than by a locale's rules, and those that begin alike for more", async () => {
    const names = ['unordered', 'uuid', 'url_c', 'url_icu'];
    const times = await Promise.all(names.map(async (name) => (await built(name)).work));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect((await built('short_c')).work).toBeLessThan((await built('short_icu')).work);
    expect((await built('short_icu')).work).toBeLessThan((await built('url_icu')).work);
    expect((await built('icu_by_bytes')).count(/texts that begin alike$/)).toBeGreaterThan(0);
    expect((await built('icu_by_bytes')).work).toBeCloseTo((await built('url_c')).work, 3);
  });

  test('compares a second key only where the first is equal', async () => {
    const [tenth, random] = [await built('after_tenth'), await built('after_random')];
    const perTenth = Math.log2(ROWS / 10);
    expect(tenth.count(/key 2/) / ROWS).toBeCloseTo(perTenth, 0);
    expect(random.count(/key 2/)).toBeLessThan(0.2 * tenth.count(/key 2/));
  });

  test('of an expression evaluates it once for each row, by the bytes that it reads', async () => {
    const lower = await built('lower_icu');
    expect(lower.count(/calls/)).toBe(ROWS);
    expect(lower.count(/bytes/) / ROWS).toBeCloseTo(53, -1);
    expect(lower.work).toBeGreaterThan((await built('url_icu')).work);
  });

  test('of what is out of line reads TOAST, one of the table beside it does not', async () => {
    const [md5, beside] = [await built('out_of_line'), await built('beside_out_of_line')];
    expect(md5.count(/bytes/) / 500).toBeGreaterThan(6_400);
    expect(md5.formula).toMatch(/of its TOAST/);
    expect(beside.formula).not.toMatch(/TOAST/);
  });
});

describe('other methods', () => {
  test('GIN costs by the entries of a row and their number, words by the bytes that are parsed', async () => {
    const [few, many] = [await built('few_tags'), await built('many_tags')];
    expect(many.count(/looking/)).toBeGreaterThan(5 * few.count(/looking/));
    expect(many.work).toBeGreaterThan(few.work);
    const [member, members] = [await built('few_members'), await built('many_members')];
    expect(members.count(/parts/)).toBeGreaterThan(2.9 * member.count(/parts/));
    const [title, body] = [await built('title_words'), await built('body_words')];
    expect(body.count(/bytes/)).toBeGreaterThan(20 * title.count(/bytes/));
    expect(body.work).toBeGreaterThan(5 * title.work);
  });

  test('BRIN reads and summarises each row, though it has few entries', async () => {
    const brin = await built('brin');
    expect(brin.index.size.tuples).toBeLessThan(100);
    expect(brin.count(/rows summarised/)).toBe(ROWS);
    expect(brin.work).toBeLessThan((await built('hash')).work);
  });

  test('GiST sorts ranges from 18 on, points before', async () => {
    const older: Snapshot = { ...snapshot, server: { ...snapshot.server, server_version_num: 170_000 } };
    expect((await built('span', older)).work).toBeGreaterThan(2 * (await built('span')).work);
    expect((await built('place', older)).work).toBe((await built('place')).work);
  });

  test('one that was not measured has no time, and says so', async () => {
    const { index } = await built('span');
    const { candidate } = index;
    const vectors = {
      ...index,
      candidate: { ...candidate, definition: { ...candidate.definition, method: 'hnsw' } },
    };
    const { seconds, evidence } = buildTime(vectors, snapshot);
    expect(seconds).toBeNull();
    expect(evidence).toMatchObject({ value: null, formula: 'how long hnsw takes was not measured' });
  });
});

describe('what a disk adds', () => {
  const heapOf = ({ index }: Awaited<ReturnType<typeof built>>) =>
    index.candidate.table.row.main_pages * 8192;
  const hosted = (ram_bytes: number): Snapshot => ({
    ...snapshot,
    host: {
      ...snapshot.host,
      ram_bytes: { value: ram_bytes, source: 'test' },
      disk_type: { value: 'hdd', source: 'test' },
    },
  });

  test('a table larger than memory is read twice from it, any other once', async () => {
    const [small, large] = [await built('unordered', hosted(1e6)), await built('unordered', hosted(64e9))];
    expect(small.seconds - large.seconds).toBeCloseTo(heapOf(small) / 120e6, 6);
    expect(large.seconds - large.work).toBeCloseTo((heapOf(large) + 2 * large.index.size_bytes) / 120e6, 6);
    expect(small.work).toBe(large.work);
  });

  test('what does not fit into maintenance_work_mem is sorted in files', async () => {
    const [fits, spills] = [
      await built('url_c', withSettings({ maintenance_work_mem: '65536' })),
      await built('url_c', withSettings({ maintenance_work_mem: '1024' })),
    ];
    expect(fits.formula).not.toMatch(/sort files/);
    expect(spills.formula).toMatch(/of sort files, beyond maintenance_work_mem/);
    expect(spills.seconds).toBeGreaterThan(fits.seconds);
    const gin = withSettings({ maintenance_work_mem: '1024', shared_buffers: '16' });
    expect((await built('many_tags', gin)).formula).toMatch(/for each 1.0 MB of maintenance_work_mem/);
  });
});

test('the formula adds up to the seconds', async () => {
  for (const name of ['after_tenth', 'many_members', 'body_words', 'partial', 'brin']) {
    const { formula, work, seconds } = await built(name);
    const [, sum = '', told = '', disk = ''] =
      /^(.*) = ([\d.,]+) s, and \(.*\) ÷ 200 MB\/s \(disk not known, taken for a SAN\) = ([\d.,]+) s that a disk adds; /.exec(
        formula,
      ) ?? [];
    const terms = [...sum.matchAll(/([\d.,]+) [^×]+ × ([\d.]+) µs/g)];
    const added = terms.reduce(
      (all, [, count = '', micros = '']) => all + Number(count.replaceAll(',', '')) * Number(micros),
      0,
    );
    expect(added / 1e6 / work).toBeCloseTo(1, 1);
    expect(Number(told) / work).toBeCloseTo(1, 1);
    expect((Number(told) + Number(disk)) / seconds).toBeCloseTo(1, 1);
  }
});
