/** A database with most of what changes a plan: skew, partitions, inheritance, every index method, own types and names. */
import { type IndexDefinition, indexDefinitionSchema } from '../../src/domain/index.ts';

/** Values come from a hash of the row's number, which is the same on each server. `u(i, salt)` is uniform in [0, 1). */
export function shopSchema(major: number): string {
  return `
CREATE EXTENSION pg_trgm;
CREATE FUNCTION u(i int8, salt text) RETURNS float8 IMMUTABLE LANGUAGE sql AS
  $$ SELECT (hashint8extended(i, hashtextextended(salt, 0)) & 4294967295) / float8 '4294967296' $$;
CREATE SCHEMA "Shop Ü";
CREATE TYPE "Shop Ü".tier AS ENUM ('none', 'silver', 'gold');
CREATE DOMAIN "Shop Ü".money AS numeric(12,2) CHECK (VALUE >= 0);
CREATE FUNCTION "Shop Ü".domain_of(address text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT split_part(address, '@', 2) $$;

CREATE TABLE "Shop Ü"."Customer" (
  id int PRIMARY KEY, "E-Mail" text NOT NULL, country text, tier "Shop Ü".tier NOT NULL, balance "Shop Ü".money,
  created timestamptz NOT NULL, name_length int GENERATED ALWAYS AS (length("E-Mail")) STORED
  ${major >= 18 ? ', half int GENERATED ALWAYS AS (id / 2) VIRTUAL' : ''},
  CONSTRAINT known CHECK (created >= '2000-01-01')
);
INSERT INTO "Shop Ü"."Customer" (id, "E-Mail", country, tier, balance, created)
SELECT i, 'user' || i || '@' || CASE WHEN u(i, 'd') < 0.7 THEN 'example.com' ELSE 'host' || floor(u(i, 'h') * 500) || '.net' END,
  CASE WHEN u(i, 'c') < 0.05 THEN NULL WHEN u(i, 'c') < 0.6 THEN 'DE' WHEN u(i, 'c') < 0.9 THEN 'FR' ELSE 'C' || floor(u(i, 'cc') * 150) END,
  (ARRAY['none', 'none', 'none', 'silver', 'gold'])[1 + floor(u(i, 't') * 5)::int]::"Shop Ü".tier,
  round((u(i, 'b') ^ 3 * 10000)::numeric, 2), '2020-01-01'::timestamptz + i * interval '1 hour'
FROM generate_series(1, 20000) AS i;
CREATE UNIQUE INDEX "Customer e-mail" ON "Shop Ü"."Customer" (lower("E-Mail"));
CREATE INDEX customer_domain ON "Shop Ü"."Customer" ("Shop Ü".domain_of("E-Mail"));
CREATE INDEX customer_gold ON "Shop Ü"."Customer" (balance DESC NULLS LAST) WHERE tier = 'gold';
CREATE INDEX customer_trgm ON "Shop Ü"."Customer" USING gin ("E-Mail" gin_trgm_ops);

CREATE TABLE orders (
  id int8 PRIMARY KEY, customer_id int NOT NULL REFERENCES "Shop Ü"."Customer", status text NOT NULL, placed_at timestamptz NOT NULL,
  total numeric(10,2) NOT NULL, meta jsonb NOT NULL, tags text[] NOT NULL, span int4range
);
INSERT INTO orders
SELECT i, 1 + floor(u(i, 'cu') ^ 2 * 20000)::int, CASE WHEN u(i, 's') < 0.01 THEN 'open' WHEN u(i, 's') < 0.1 THEN 'sent' ELSE 'done' END,
  '2023-01-01'::timestamptz + i * interval '3 minutes' + u(i, 'p') * interval '1 day', round((u(i, 'to') * 500)::numeric, 2),
  jsonb_build_object('channel', (ARRAY['web', 'app', 'shop'])[1 + floor(u(i, 'ch') * 3)::int], 'campaign', floor(u(i, 'ca') * 900)),
  ARRAY['t' || floor(u(i, 't1') ^ 2 * 300), 't' || floor(u(i, 't2') * 300)],
  int4range(floor(u(i, 'r') * 10000)::int, floor(u(i, 'r') * 10000)::int + 1 + floor(u(i, 'r2') * 50)::int)
FROM generate_series(1, 60000) AS i;
CREATE INDEX orders_customer ON orders (customer_id) INCLUDE (total);
CREATE INDEX orders_open ON orders (placed_at DESC) WHERE status = 'open';
CREATE INDEX orders_tags ON orders USING gin (tags);
CREATE INDEX orders_placed_brin ON orders USING brin (placed_at) WITH (pages_per_range = 16);
CREATE INDEX orders_span ON orders USING gist (span);
CREATE INDEX orders_status_hash ON orders USING hash (status);

CREATE TABLE event (id int8 NOT NULL, at date NOT NULL, kind text NOT NULL, payload text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE event_2023 PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE "event_2024 A" PARTITION OF event_2024 FOR VALUES IN ('a');
CREATE TABLE event_2024_rest PARTITION OF event_2024 DEFAULT;
CREATE TABLE event_later PARTITION OF event DEFAULT;
CREATE INDEX event_kind ON event (kind, at);
INSERT INTO event SELECT i, '2023-01-01'::date + (u(i, 'at') * 900)::int, (ARRAY['a', 'b', 'c', 'd'])[1 + floor(u(i, 'k') ^ 3 * 4)::int], md5(i::text)
FROM generate_series(1, 60000) AS i;

CREATE TABLE doc (id int PRIMARY KEY, body text, search tsvector, place point);
INSERT INTO doc SELECT i, b, to_tsvector('simple', b), point(u(i, 'x') * 100, u(i, 'y') * 100)
FROM (SELECT i, (SELECT string_agg('w' || floor(u(i * 40 + j, 'w') ^ 3 * 4000), ' ') FROM generate_series(1, 20) AS j) AS b FROM generate_series(1, 6000) AS i) AS made;
CREATE INDEX doc_search ON doc USING gin (search);
CREATE INDEX doc_place ON doc USING gist (place);

CREATE TABLE log (at timestamptz NOT NULL, line text);
CREATE TABLE log_old () INHERITS (log);
INSERT INTO log SELECT '2024-01-01'::timestamptz + i * interval '1 minute', md5(i::text) FROM generate_series(1, 5000) AS i;
INSERT INTO log_old SELECT '2022-01-01'::timestamptz + i * interval '1 minute', md5(i::text) FROM generate_series(1, 20000) AS i;
CREATE INDEX log_old_at ON log_old (at);

-- Columns that imply each other, one of them behind a column that is gone.
CREATE TABLE place (gone int, country text, city text NOT NULL, zip text, size "Shop Ü".tier, at timestamptz);
ALTER TABLE place DROP COLUMN gone;
INSERT INTO place SELECT CASE WHEN c = 39 THEN NULL ELSE 'C''"' || c / 4 END, E'ci\\\\ty "' || c, 'z{' || c || ',' || floor(u(i, 'z') * 20) || '}',
  (ARRAY['none', 'silver', 'gold'])[1 + c % 3]::"Shop Ü".tier, '2024-01-01'::timestamptz + (c / 2) * interval '1 hour'
FROM (SELECT i, floor(u(i, 'c') ^ 2 * 40)::int AS c FROM generate_series(1, 9000) AS i) AS drawn;
CREATE STATISTICS "Shop Ü"."all of'it" ON country, city, zip, size FROM place;
CREATE STATISTICS place_at (mcv, ndistinct) ON at, (length(city)), size FROM place;

CREATE VIEW open_order AS SELECT o.id, o.placed_at, c.country FROM orders o JOIN "Shop Ü"."Customer" c ON c.id = o.customer_id WHERE o.status = 'open';
CREATE MATERIALIZED VIEW turnover AS SELECT customer_id, sum(total) AS total, count(*) AS n FROM orders GROUP BY customer_id;
CREATE INDEX turnover_total ON turnover (total);
CREATE TABLE never_analysed (id int PRIMARY KEY, v text);
-- A name that another schema has as well.
CREATE TABLE "Shop Ü".orders (id int PRIMARY KEY, customer_id int);
INSERT INTO "Shop Ü".orders SELECT i, i % 100 FROM generate_series(1, 3000) AS i;
CREATE INDEX orders_customer ON "Shop Ü".orders (customer_id);
VACUUM ANALYZE;
INSERT INTO never_analysed SELECT i, md5(i::text) FROM generate_series(1, 3000) AS i;
`;
}

/** Plans of all kinds; constants both common and rare, within the histograms and at their ends. */
export const shopStatements: Record<string, string> = {
  primary_key: 'SELECT * FROM orders WHERE id = 777',
  primary_key_range: 'SELECT sum(total) FROM orders WHERE id BETWEEN 1000 AND 5000',
  common_value: "SELECT count(*) FROM orders WHERE status = 'done'",
  rare_value: "SELECT * FROM orders WHERE status = 'open' ORDER BY placed_at DESC LIMIT 20",
  join_and_group:
    'SELECT c.country, sum(o.total) FROM orders o JOIN "Shop Ü"."Customer" c ON c.id = o.customer_id GROUP BY c.country',
  join_few: `SELECT o.* FROM "Shop Ü"."Customer" c JOIN orders o ON o.customer_id = c.id WHERE lower(c."E-Mail") = 'user77@example.com'`,
  expression: `SELECT id FROM "Shop Ü"."Customer" WHERE "Shop Ü".domain_of("E-Mail") = 'host3.net'`,
  partial_descending: `SELECT id FROM "Shop Ü"."Customer" WHERE tier = 'gold' AND balance > 9000 ORDER BY balance DESC NULLS LAST LIMIT 5`,
  enum_and_null: `SELECT count(*) FROM "Shop Ü"."Customer" WHERE tier > 'none' AND country IS NULL`,
  domain_range: `SELECT id FROM "Shop Ü"."Customer" WHERE balance BETWEEN 5 AND 6`,
  trigram: `SELECT id FROM "Shop Ü"."Customer" WHERE "E-Mail" LIKE '%host12.%'`,
  index_only: 'SELECT customer_id, total FROM orders WHERE customer_id BETWEEN 15000 AND 15100',
  array_contains: "SELECT id FROM orders WHERE tags @> ARRAY['t7']",
  brin: "SELECT count(*) FROM orders WHERE placed_at >= '2023-05-01' AND placed_at < '2023-05-02'",
  range_gist: "SELECT id FROM orders WHERE span && '[5000,5010)'::int4range",
  json: `SELECT count(*) FROM orders WHERE meta @> '{"campaign": 12}'`,
  partition_pruned:
    "SELECT count(*) FROM event WHERE at >= '2023-03-01' AND at < '2023-04-01' AND kind = 'c'",
  partitions_all: "SELECT kind, count(*) FROM event WHERE kind IN ('c', 'd') GROUP BY kind",
  partition_sorted: "SELECT * FROM event WHERE kind = 'b' ORDER BY at LIMIT 10",
  partition_key: 'SELECT * FROM event WHERE id = 4321',
  dependencies: `SELECT * FROM place WHERE country = 'C''"1' AND city = E'ci\\\\ty "5'`,
  dependencies_impossible: `SELECT * FROM place WHERE country = 'C''"1' AND city = E'ci\\\\ty "25'`,
  common_values: "SELECT * FROM place WHERE country IS NULL AND size = 'none'",
  common_values_in: `SELECT count(*) FROM place WHERE size IN ('gold', 'none') AND country IN ('C''"0', 'C''"3') AND zip > 'z{1'`,
  common_expression: "SELECT * FROM place WHERE length(city) = 8 AND at = '2024-01-01 03:00+00'",
  distinct_groups: 'SELECT country, city, zip FROM place GROUP BY country, city, zip',
  distinct_expression: 'SELECT at, length(city), size FROM place GROUP BY at, length(city), size',
  full_text: "SELECT id FROM doc WHERE search @@ to_tsquery('simple', 'w77 & w3')",
  nearest: 'SELECT id FROM doc ORDER BY place <-> point(50, 50) LIMIT 5',
  inheritance: "SELECT count(*) FROM log WHERE at BETWEEN '2022-01-03' AND '2022-01-04'",
  view: "SELECT country, count(*) FROM open_order WHERE placed_at > '2023-06-01' GROUP BY country",
  materialized_view: 'SELECT * FROM turnover WHERE total > 4000',
  never_analysed: 'SELECT * FROM never_analysed WHERE id = 5',
  same_name_elsewhere: 'SELECT * FROM "Shop Ü".orders WHERE customer_id = 7',
  minimum: 'SELECT min(id), max(id) FROM orders',
  window:
    'SELECT id, rank() OVER (PARTITION BY customer_id ORDER BY total) FROM orders WHERE customer_id BETWEEN 5000 AND 5100',
  lateral:
    'SELECT c.id, l.id FROM "Shop Ü"."Customer" c, LATERAL (SELECT id FROM orders WHERE customer_id = c.id ORDER BY id DESC LIMIT 1) l WHERE c.id < 30',
  expression_of_column: 'SELECT count(*) FROM "Shop Ü"."Customer" WHERE name_length = 19',
  anti_join:
    'SELECT count(*) FROM "Shop Ü"."Customer" c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)',
  update: "UPDATE orders SET status = 'sent' WHERE customer_id = 12345 AND status = 'open'",
  delete: "DELETE FROM event WHERE at < '2023-02-01'",
  insert_select:
    'INSERT INTO never_analysed SELECT customer_id, status FROM orders WHERE customer_id BETWEEN 5000 AND 5100',
};

const key = (part: Record<string, unknown>) => ({ column: null, expression: null, ...part });

/** New indexes with the statement that each is for. */
export const shopCandidates: { definition: IndexDefinition; sql: string }[] = [
  {
    sql: "SELECT * FROM orders WHERE status = 'open' AND total > 490",
    table: 'orders',
    name: 'cand_status_total',
    keys: [key({ column: 'status' }), key({ column: 'total' })],
  },
  {
    sql: 'SELECT total, id FROM orders WHERE total BETWEEN 100 AND 101',
    table: 'orders',
    name: 'cand_include',
    keys: [key({ column: 'total' })],
    include: ['id'],
  },
  {
    sql: "SELECT id, placed_at FROM orders WHERE status = 'sent' ORDER BY total DESC LIMIT 10",
    table: 'orders',
    name: 'cand_partial',
    keys: [key({ column: 'total', direction: 'desc' })],
    where: "status = 'sent'",
  },
  {
    sql: `SELECT count(*) FROM orders WHERE meta @> '{"campaign": 12}'`,
    table: 'orders',
    name: 'cand_json',
    method: 'gin',
    keys: [key({ column: 'meta', opclass: 'jsonb_path_ops' })],
  },
  {
    sql: "SELECT count(*) FROM orders WHERE (meta ->> 'campaign') = '12'",
    table: 'orders',
    name: 'cand_expression',
    keys: [key({ expression: "meta ->> 'campaign'" })],
  },
  {
    sql: `SELECT id FROM "Shop Ü"."Customer" WHERE created BETWEEN '2021-03-01' AND '2021-03-04'`,
    schema: 'Shop Ü',
    table: 'Customer',
    name: 'Candidate created',
    keys: [key({ column: 'created' })],
  },
  {
    sql: `SELECT id FROM "Shop Ü"."Customer" WHERE country = 'C7' AND tier = 'silver'`,
    schema: 'Shop Ü',
    table: 'Customer',
    name: 'cand_country',
    keys: [key({ column: 'country' }), key({ column: 'tier' })],
  },
  {
    sql: "SELECT count(*) FROM log_old WHERE line = 'cfcd208495d565ef66e7dff9f98764da'",
    table: 'log_old',
    name: 'cand_hash',
    method: 'hash',
    keys: [key({ column: 'line' })],
  },
  {
    sql: "SELECT count(*) FROM log_old WHERE at < '2022-01-02'",
    table: 'log_old',
    name: 'cand_brin',
    method: 'brin',
    keys: [key({ column: 'at' })],
    options: { pages_per_range: '8' },
  },
  {
    sql: "SELECT id FROM doc WHERE body LIKE '%w3999 w%'",
    table: 'doc',
    name: 'cand_trgm',
    method: 'gin',
    keys: [key({ column: 'body', opclass: 'gin_trgm_ops' })],
  },
  {
    sql: "SELECT id FROM doc WHERE place <@ box '((10,10),(12,12))'",
    table: 'doc',
    name: 'cand_spgist',
    method: 'spgist',
    keys: [key({ column: 'place' })],
  },
  {
    sql: 'SELECT count(*) FROM event WHERE id BETWEEN 100 AND 120',
    table: 'event',
    name: 'cand_partitioned',
    keys: [key({ column: 'id' })],
    include: ['kind'],
  },
].map(({ sql, ...definition }) => ({
  sql,
  definition: indexDefinitionSchema.parse({ schema: 'public', ...definition }),
}));
