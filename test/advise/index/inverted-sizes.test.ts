/** Sizes of GIN indexes by kinds that differ in how many entries are a row's own, against what is built. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IndexDefinition } from '../../../src/domain/index.ts';
import { testMajors } from '../../support/servers.ts';
import { type SizesOn, sizesOn } from './sizes-on.ts';

const words = (count: number, vocabulary: number) =>
  `(SELECT string_agg(translate('w' || floor(${vocabulary} ^ random()), '0123456789', 'etaoinshrd'), ' ') FROM generate_series(1, ${count} + g % 2))`;

/** Columns of the texts, each with how it is made. */
const TEXTS = {
  zipf: words(20, 60_000),
  hashes: "repeat(md5(g::text) || ' ', 1 + g % 13)",
  mixed: `${words(12, 20_000)} || ' ' || md5(g::text)`,
  title: words(2, 20_000),
  ids: "'order ' || (100000 + g) || ' of customer ' || (1000 + floor(random() * 8000)) || ' was paid'",
  alike: "(SELECT string_agg('a' || floor(random() * 5000), ' ') FROM generate_series(1, 10 + g % 2))",
  sparse: `CASE WHEN random() < 0.2 THEN ${words(8, 5_000)} || ' ' || md5(g::text) END`,
  repeated: "'note ' || (g % 3000) || ' ' || md5((g % 3000)::text)",
} satisfies Record<string, string>;

const texts = (columns: [name: string, made: string][]) =>
  `CREATE UNLOGGED TABLE texts AS SELECT g AS id, ${columns.map(([name, made]) => `${made} AS ${name}`).join(', ')}
    FROM generate_series(1, 50000) g;`;
const POSTS = `CREATE UNLOGGED TABLE posts (id int, title text, hashes text,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(title, '') || ' ' || hashes)) STORED);
  INSERT INTO posts SELECT id, title, hashes FROM texts;`;
const OTHERS = `CREATE UNLOGGED TABLE entities (id int, name text,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', name)) STORED);
  INSERT INTO entities SELECT g, 'word' || chr(97 + g % 20) || ' word' || chr(97 + g / 20 % 20) || ' topic' || 1000 + (random() * 4000)::int
    FROM generate_series(1, 60000) g;
  CREATE UNLOGGED TABLE arrays AS SELECT g AS id,
    CASE WHEN random() < 0.38 THEN (SELECT array_agg('tag-' || floor(1500 ^ random())) FROM generate_series(1, 1 + g % 4)) END AS tags,
    CASE WHEN random() < 0.4 THEN (SELECT array_agg('label ' || floor(random() * 300)) FROM generate_series(1, 1 + g % 3)) END AS labels,
    ARRAY[floor(random() * 20)::int, 1000 + g] AS mixed,
    (SELECT array_agg('item ' || 1000 + floor(random() * 3000)) FROM generate_series(1, 2 + g % 2)) AS items,
    CASE WHEN random() < 0.5 THEN '{}' ELSE ARRAY[floor(random() * 50)::int] END AS empty,
    jsonb_build_object('kind', g % 9, 'user', (random() * 5000)::int, 'ref', md5(g::text)) AS doc FROM generate_series(1, 50000) g;`;

const on = (table: string, what: string, opclass: string | null = null): IndexDefinition => ({
  schema: 'public',
  table,
  name: 'measured',
  method: 'gin',
  unique: false,
  keys: [
    {
      column: what.includes('(') ? null : what,
      expression: what.includes('(') ? what : null,
      opclass,
      collation: null,
      direction: 'asc',
      nulls: null,
    },
  ],
  include: [],
  where: null,
  options: {},
});
const text = (what: string) => on('texts', `to_tsvector('simple'::regconfig, ${what})`);

/** What the sampled values tell. */
const told: [string, IndexDefinition, number][] = [
  ['words by Zipf’s law', text('zipf'), 0.25],
  ['a word of the row’s own, repeated', text('hashes'), 0.1],
  ['common words and one of the row’s own', text('mixed'), 0.15],
  ['numbers of the row’s own beside some of 8,000', text('ids'), 0.15],
  ['words that are all alike', text('alike'), 0.15],
  ['mostly null', text('sparse'), 0.2],
  ['texts that repeat', text('repeated'), 0.15],
  ['two columns', text(`((COALESCE(title, ''::text) || ' '::text) || hashes)`), 0.3],
  ['a generated column', on('posts', 'words'), 0.3],
  ['a generated column, more words than are listed and all alike', on('entities', 'words'), 0.1],
  ['more elements than are listed and all alike', on('arrays', 'items'), 0.15],
  ['tags, mostly null', on('arrays', 'tags'), 0.15],
  ['labels, mostly null', on('arrays', 'labels'), 0.15],
  ['a number of the row’s own and a common one', on('arrays', 'mixed'), 0.15],
  ['half of them empty', on('arrays', 'empty'), 0.1],
  ['documents with a hash', on('arrays', 'doc'), 0.25],
  ['… by paths', on('arrays', 'doc', 'jsonb_path_ops'), 0.4],
  ['trigrams of words', on('texts', 'zipf', 'gin_trgm_ops'), 0.15],
  ['trigrams of hashes', on('texts', 'hashes', 'gin_trgm_ops'), 0.25],
];

const NEWEST = testMajors.at(-1) ?? 18;
/** What is built, and what ANALYZE keeps, is the same on all majors: the oldest shows that it is read the same there. */
const ON_ALL = [
  'common words and one',
  'a generated column, more',
  'labels',
  'half of them',
  'documents with',
];

const START = 'CREATE EXTENSION pg_trgm; SELECT setseed(0.6);';
const ALL_TABLES = `${START} ${texts(Object.entries(TEXTS))} ${POSTS} ${OTHERS}`;
/** With the texts alone that are read on all majors: the others would be filled, analysed and collected for nothing. */
const FEWER_TABLES = `${START} ${texts(Object.entries({ mixed: TEXTS.mixed, title: TEXTS.title }))} ${OTHERS}`;

describe.each([...new Set([testMajors[0] ?? 15, NEWEST])])('PostgreSQL %s', (major) => {
  let sizes: SizesOn;
  beforeAll(async () => {
    sizes = await sizesOn(major, major === NEWEST ? ALL_TABLES : FEWER_TABLES, 5);
  });
  afterAll(() => sizes?.close());

  const here = told.filter(([what]) => major === NEWEST || ON_ALL.some((start) => what.startsWith(start)));
  test.each(here)('%s', async (_, definition, tolerance) => {
    const { said, reserved, least, most } = await sizes.inBudget(definition);
    const real = await sizes.real(definition);
    const shown = JSON.stringify({ said, reserved, least, most, real });
    expect(said / real, shown).toBeGreaterThan(1 - tolerance);
    expect(said / real, shown).toBeLessThan(1 + tolerance);
    expect(least, shown).toBeLessThanOrEqual(real);
    expect(most, shown).toBeGreaterThanOrEqual(real);
    expect(reserved, shown).toBeGreaterThanOrEqual(said);
    expect(reserved, shown).toBeLessThanOrEqual(Math.max(most, 1.1 * said));
  });

  test('what a hundred values do not tell is in the range, and a budget reckons with it', async () => {
    const definition = text('title');
    const { said, reserved, least, most } = await sizes.inBudget(definition);
    const real = await sizes.real(definition);
    const shown = JSON.stringify({ said, reserved, least, most, real });
    expect(least, shown).toBeLessThanOrEqual(real);
    expect(most, shown).toBeGreaterThanOrEqual(real);
    expect(reserved, shown).toBeGreaterThan(1.05 * said);
  });
});
