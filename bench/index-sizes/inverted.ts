/**
 * What GIN and GiST indexes are made of, in kinds that differ by how many entries there are: words by Zipf's law, words of
 * a row's own, both together, numbers and names, long texts and short ones, arrays and documents that are mostly null.
 */
import type { IndexDefinition, IndexKey } from '../../src/domain/index.ts';

/** By its rank, of letters: the rarer, the longer. */
const word = (rank: string) => `translate('w' || ${rank}, '0123456789', 'etaoinshrd')`;
/** Common words first: the rank of a word is drawn evenly by its logarithm (Zipf's law). */
const words = (count: string, vocabulary: number) =>
  `(SELECT string_agg(${word(`floor(${vocabulary} ^ random())`)}, ' ') FROM generate_series(1, ${count} + g % 2))`;
/** A name of so many letters. */
const name = (rank: string, letters: number) =>
  `initcap(translate(substr(md5((${rank})::text), 1, ${letters}), '0123456789', 'ghijklmnop'))`;

/** @param rows of each table; of the long texts a tenth. */
export const invertedSql = (
  rows: number,
) => `CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS btree_gist;
  SELECT setseed(0.3);
  CREATE UNLOGGED TABLE texts AS SELECT g AS id, ${words('20', 60_000)} AS zipf,
    repeat(md5(g::text) || ' ', 1 + g % 13) AS hashes,
    ${words('12', 20_000)} || ' ' || md5(g::text) AS mixed,
    'order ' || (100000 + g) || ' of customer ' || (1000 + floor(random() * 8000)) || ' was paid' AS ids,
    ${name('floor(1500 ^ random())', 6)} || ' ' || ${name('floor(40000 ^ random())', 8)} AS names,
    'user' || (random() * 1e6)::int || '@mail' || (g % 30) || '.example.com' AS email,
    (SELECT string_agg('a' || floor(random() * 5000), ' ') FROM generate_series(1, 10 + g % 2)) AS alike,
    CASE WHEN random() < 0.2 THEN ${words('8', 5_000)} || ' ' || md5(g::text) END AS sparse,
    'note ' || (g % 3000) || ' ' || md5((g % 3000)::text) AS repeated,
    ${words('2', 20_000)} AS title
    FROM generate_series(1, ${rows}) g;
  CREATE UNLOGGED TABLE vectors AS SELECT id, to_tsvector('simple', zipf) AS zipf, to_tsvector('simple', mixed) AS mixed,
    to_tsvector('simple', hashes) AS hashes, to_tsvector('simple', ids) AS ids, to_tsvector('simple', sparse) AS sparse FROM texts;
  CREATE UNLOGGED TABLE posts (id int, title text, body text,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(body, ''))) STORED);
  INSERT INTO posts SELECT id, title, hashes || ' ' || zipf FROM texts;
  CREATE UNLOGGED TABLE articles AS SELECT g AS id, ${words('300', 200_000)} AS body FROM generate_series(1, ${Math.ceil(rows / 10)}) g;
  CREATE UNLOGGED TABLE arrays AS SELECT g AS id,
    CASE WHEN random() < 0.38 THEN (SELECT array_agg('tag-' || floor(1500 ^ random())) FROM generate_series(1, 1 + g % 4)) END AS tags,
    CASE WHEN random() < 0.4 THEN (SELECT array_agg('label ' || floor(random() * 300)) FROM generate_series(1, 1 + g % 3)) END AS labels,
    (SELECT array_agg(floor(random() * 10000)::int) FROM generate_series(1, 20 + g % 2)) AS many,
    ARRAY[2 * g, 2 * g + 1] AS own,
    ARRAY[floor(random() * 20)::int, 1000 + g] AS mixed,
    (SELECT array_agg(floor(random() ^ 3 * 100000)::int) FROM generate_series(1, 3 + g % 2)) AS skewed,
    CASE WHEN random() < 0.5 THEN '{}' ELSE ARRAY[floor(random() * 50)::int] END AS empty,
    CASE WHEN random() < 0.1 THEN ARRAY[md5(g::text), md5((g % 500)::text)] END AS rare
    FROM generate_series(1, ${rows}) g;
  CREATE UNLOGGED TABLE documents AS SELECT g AS id,
    jsonb_build_object('kind', g % 9, 'code', (random() * 300)::int, 'ref', md5(g::text)) AS own,
    jsonb_build_object('user', (random() * 20000)::int, 'path', '/p/' || floor(3000 ^ random()), 'ip', '10.0.' || (random() * 255)::int || '.' || (random() * 255)::int) AS log,
    CASE WHEN random() < 0.2 THEN jsonb_build_object('state', g % 5, 'token', md5(g::text), 'tags', jsonb_build_array('t' || g % 7, 't' || (random() * 90)::int)) END AS sparse
    FROM generate_series(1, ${rows}) g;
  CREATE UNLOGGED TABLE shapes AS SELECT g AS id, int4range(g, g + 3) AS span, int4range((random() * 1e6)::int, 1000000 + g) AS scattered,
    point(random() * 1000, random() * 1000) AS spot, ('10.' || g % 200 || '.' || (random() * 255)::int || '.' || (random() * 255)::int)::inet AS ip,
    (random() * 1e6)::int AS number FROM generate_series(1, ${rows}) g;`;

const key = (name: string, opclass: string | null): IndexKey => ({
  column: name,
  expression: null,
  opclass,
  collation: null,
  direction: 'asc',
  nulls: null,
});

/** An index of one key: a column's name, or `(expression)`. */
export function inverted(
  table: string,
  what: string,
  { opclass = null, method = 'gin' }: { opclass?: string | null; method?: IndexDefinition['method'] } = {},
): IndexDefinition {
  const keys = what.startsWith('(')
    ? [{ ...key('', opclass), column: null, expression: what.slice(1, -1) }]
    : [key(what, opclass)];
  return {
    schema: 'public',
    table,
    name: 'measured',
    method,
    unique: false,
    keys,
    include: [],
    where: null,
    options: {},
  };
}

const text = (what: string, table = 'texts') =>
  inverted(table, `(to_tsvector('simple'::regconfig, ${what}))`);
const trigrams = (what: string, method: IndexDefinition['method'] = 'gin') =>
  inverted('texts', what, { opclass: `${method}_trgm_ops`, method });

export const INVERTED: readonly IndexDefinition[] = [
  ...['zipf', 'hashes', 'mixed', 'ids', 'names', 'email', 'alike', 'sparse', 'repeated', 'title'].map(
    (name) => text(name),
  ),
  text("(COALESCE(title, ''::text) || ' '::text) || hashes"),
  text("((COALESCE(names, ''::text) || ' '::text) || COALESCE(sparse, ''::text))"),
  text('body', 'articles'),
  ...['zipf', 'mixed', 'hashes', 'ids', 'sparse'].map((name) => inverted('vectors', name)),
  inverted('posts', 'words'),
  ...['tags', 'labels', 'many', 'own', 'mixed', 'skewed', 'empty', 'rare'].map((name) =>
    inverted('arrays', name),
  ),
  ...['own', 'log', 'sparse'].flatMap((name) => [
    inverted('documents', name),
    inverted('documents', name, { opclass: 'jsonb_path_ops' }),
  ]),
  ...['names', 'email', 'hashes', 'title', 'zipf', 'sparse'].map((name) => trigrams(name)),
  ...['names', 'email', 'hashes'].map((name) => trigrams(name, 'gist')),
  ...['zipf', 'hashes'].map((name) => inverted('vectors', name, { method: 'gist' })),
  ...['span', 'scattered', 'spot', 'number'].map((name) => inverted('shapes', name, { method: 'gist' })),
  inverted('shapes', 'ip', { opclass: 'inet_ops', method: 'gist' }),
];
