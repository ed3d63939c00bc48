/** Tables and indexes whose builds are timed; values follow the row's number `g` and are not in its order. */

/** Some indexes over one table that is made for them. */
export interface Shape {
  name: string;
  /** Of `rows` rows; the names of what it makes are found on the search path. */
  sql: (rows: number) => string;
  /** What stands behind `CREATE INDEX CONCURRENTLY i ON `. */
  indexes: readonly string[];
  extensions?: readonly string[];
  /** Share of the rows that are asked for, where rows are wide or dear. */
  share?: number;
}

const random = (seed: number, to: number) => `abs(hashint8extended(g, ${seed}) % ${to})`;
const words = (count: number, seed: number) =>
  `(SELECT string_agg((ARRAY['running', 'databases', 'quickly', 'the', 'of', 'customers', 'orders', 'delivered', 'and', 'late'])[1 + abs(hashint8extended(g * 64 + n, ${seed}) % 10)] || CASE WHEN n % 3 = 0 THEN abs(hashint8extended(g * 64 + n, 5) % 5000)::text ELSE '' END, ' ') FROM generate_series(1, ${count}) n)`;

const NARROW = (rows: number) => `
  CREATE TABLE narrow AS SELECT g AS id, ${random(1, 2_000_000_000)}::int AS i, hashint8extended(g, 2) AS b,
    md5(g::text)::uuid AS u, (${random(3, 1_000_000)} / 100.0)::numeric(12, 2) AS n,
    timestamptz '2025-01-01' + g * interval '7 seconds' AS at, timestamptz '2025-01-01' + ${random(4, 31_000_000)} * interval '1 second' AS random_at,
    ${random(5, 10)}::int AS few, ${random(6, 100_000)}::bigint AS customer,
    (ARRAY['new', 'open', 'done', 'sent'])[1 + ${random(7, 4)}] AS state, CASE WHEN ${random(8, 100)} = 0 THEN now() END AS deleted_at
  FROM generate_series(1::bigint, ${rows}) g`;

const TEXTS = (rows: number) => `
  CREATE TABLE texts AS SELECT g AS id, substr(md5(g::text), 1, 8) COLLATE "C" AS short_c, md5(g::text) || md5((g + 1)::text) COLLATE "C" AS long_c,
    'https://www.example.com/shop/items/' || md5(g::text) COLLATE "C" AS prefix_c,
    substr(md5(g::text), 1, 8) COLLATE "en-x-icu" AS short_icu, md5(g::text) || md5((g + 1)::text) COLLATE "en-x-icu" AS long_icu,
    'https://www.example.com/shop/items/' || md5(g::text) COLLATE "en-x-icu" AS prefix_icu,
    (ARRAY['new', 'open', 'done', 'sent'])[1 + ${random(7, 4)}] COLLATE "en-x-icu" AS state_icu, ${random(6, 100_000)}::bigint AS customer
  FROM generate_series(1::bigint, ${rows}) g`;

const WIDE = (rows: number) => `
  CREATE TABLE wide AS SELECT g AS id, ${random(6, 100_000)}::bigint AS customer, repeat(md5(g::text), 30) AS filler,
    (SELECT string_agg(md5((g * 100 + n)::text), '') FROM generate_series(1, 100) n) AS toasted, ${random(5, 10)}::int AS few
  FROM generate_series(1::bigint, ${rows}) g`;

const DOCUMENTS = (rows: number) => `
  CREATE TABLE documents AS SELECT g AS id,
    ARRAY(SELECT 't' || abs(hashint8extended(g * 8 + n, 1) % 3000) FROM generate_series(1, 3) n) AS tags,
    ARRAY(SELECT (abs(hashint8extended(g * 32 + n, 1) % 50000))::int FROM generate_series(1, 20) n) AS numbers,
    jsonb_build_object('kind', ${random(1, 20)}, 'code', ${random(2, 100_000)}) AS small,
    jsonb_build_object('kind', ${random(1, 20)}, 'code', ${random(2, 100_000)}, 'name', md5(g::text), 'state', ${random(3, 4)}, 'tags', jsonb_build_array(${random(4, 100)}, ${random(5, 1000)}), 'address', jsonb_build_object('city', ${random(6, 500)}, 'zip', ${random(7, 30_000)})) AS large,
    'customer ' || md5(g::text) || ' of ' || ${random(9, 1000)} AS name
  FROM generate_series(1::bigint, ${rows}) g`;

const ARTICLES = (rows: number) => `
  CREATE TABLE articles AS SELECT id, title, body, to_tsvector('english', title) AS words FROM (
    SELECT g AS id, ${words(6, 11)} AS title, ${words(60, 12)} AS body FROM generate_series(1::bigint, ${rows}) g) x`;

const SPACES = (rows: number) => `
  CREATE TABLE spaces AS SELECT g AS id, int8range(${random(1, 1_000_000)}, ${random(1, 1_000_000)} + 100) AS span,
    tstzrange(timestamptz '2025-01-01' + ${random(2, 31_000_000)} * interval '1 second', timestamptz '2026-02-01') AS during,
    point(${random(3, 10_000)}, ${random(4, 10_000)}) AS place, timestamptz '2025-01-01' + g * interval '7 seconds' AS at,
    md5(g::text) AS code, ${random(6, 100_000)}::bigint AS customer
  FROM generate_series(1::bigint, ${rows}) g`;

export const SHAPES: readonly Shape[] = [
  {
    name: 'narrow',
    sql: NARROW,
    indexes: [
      'narrow (id)',
      'narrow (i)',
      'narrow (b)',
      'narrow (u)',
      'narrow (n)',
      'narrow (at)',
      'narrow (random_at)',
      'narrow (few)',
      'narrow (customer, random_at)',
      'narrow (few, customer, i)',
      'narrow (customer) INCLUDE (n, random_at)',
      `narrow (customer) WHERE state = 'open'`,
      'narrow (customer) WHERE deleted_at IS NOT NULL',
      'narrow (customer) WHERE few = 3 AND i > 1900000000',
      `narrow (date_trunc('day', at AT TIME ZONE 'UTC'))`,
      'narrow ((n * 2))',
    ],
  },
  {
    name: 'texts',
    sql: TEXTS,
    share: 0.5,
    indexes: [
      'texts (short_c)',
      'texts (long_c)',
      'texts (prefix_c)',
      'texts (short_icu)',
      'texts (long_icu)',
      'texts (prefix_icu)',
      'texts (state_icu)',
      'texts (state_icu, customer)',
      'texts (customer, short_icu)',
      'texts (lower(short_c))',
      'texts (lower(long_icu))',
      `texts (customer) WHERE long_c LIKE '%abc%'`,
    ],
  },
  {
    name: 'wide',
    sql: WIDE,
    share: 0.1,
    indexes: ['wide (id)', 'wide (customer)', 'wide (customer) WHERE few = 3', 'wide (md5(toasted))'],
  },
  {
    name: 'documents',
    sql: DOCUMENTS,
    share: 0.2,
    extensions: ['pg_trgm'],
    indexes: [
      'documents USING gin (tags)',
      'documents USING gin (numbers)',
      'documents USING gin (small)',
      'documents USING gin (large)',
      'documents USING gin (small jsonb_path_ops)',
      'documents USING gin (large jsonb_path_ops)',
      'documents USING gin (name gin_trgm_ops)',
      'documents USING gist (name gist_trgm_ops)',
      `documents ((large ->> 'name'))`,
      `documents (((small ->> 'code')::int))`,
    ],
  },
  {
    name: 'articles',
    sql: ARTICLES,
    share: 0.05,
    extensions: ['pg_trgm'],
    indexes: [
      'articles USING gin (words)',
      `articles USING gin (to_tsvector('english', title))`,
      `articles USING gin (to_tsvector('english', body))`,
      `articles USING gin (to_tsvector('simple', body))`,
      'articles USING gin (title gin_trgm_ops)',
    ],
  },
  {
    name: 'spaces',
    sql: SPACES,
    share: 0.5,
    indexes: [
      'spaces USING gist (span)',
      'spaces USING gist (during)',
      'spaces USING gist (place)',
      'spaces USING gist (box(place, place))',
      'spaces USING spgist (place)',
      'spaces USING brin (at)',
      'spaces USING brin (at) WITH (pages_per_range = 16)',
      'spaces USING hash (customer)',
      'spaces USING hash (code)',
    ],
  },
];
