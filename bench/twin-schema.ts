/** A database with most of what changes a plan, so that what the twin misses shows: bench/twin compares on it. */

/**
 * Scripts to run one after the other; `VACUUM` stands alone. Values are drawn by random() from a seed: the comparison is
 * always with the very server that the twin was read from.
 */
export function zooSchema(major: number, scale: number): string[] {
  const rows = (count: number) => Math.round(count * scale);
  return [
    'CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist; CREATE EXTENSION pageinspect; SELECT setseed(0.42)',
    `CREATE SCHEMA "Zoo Ü";
CREATE TYPE "Zoo Ü".state AS ENUM ('new', 'open', 'paid', 'gone');
CREATE DOMAIN "Zoo Ü".money AS numeric(12,2) CHECK (VALUE >= 0);
CREATE TYPE "Zoo Ü".address AS (street text, number int, city text);
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE FUNCTION "Zoo Ü".host(address text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT split_part(address, '@', 2) $$;
CREATE FUNCTION bucket(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql COST 20 AS $$ BEGIN RETURN v / 100; END $$;`,
    `CREATE TABLE "Zoo Ü"."Account" (
  id int PRIMARY KEY, "E-Mail" text NOT NULL, name text COLLATE "en-x-icu" NOT NULL, country text, city text NOT NULL, zip text NOT NULL,
  state "Zoo Ü".state NOT NULL, balance "Zoo Ü".money, created timestamptz NOT NULL, home "Zoo Ü".address, active daterange,
  tags text[] NOT NULL, prefs jsonb NOT NULL, name_length int GENERATED ALWAYS AS (length(name)) STORED
  ${major >= 18 ? ', half int GENERATED ALWAYS AS (id / 2) VIRTUAL' : ''}, CONSTRAINT known CHECK (created >= '2000-01-01'));
INSERT INTO "Zoo Ü"."Account"
SELECT i, 'user' || i || '@' || CASE WHEN r1 < 0.6 THEN 'example.com' ELSE 'host' || floor(r2 * 700) || '.net' END,
  chr(65 + floor(r3 * 26)::int) || md5(i::text), CASE WHEN c = 39 THEN NULL ELSE 'C' || c / 4 END, 'city' || c, 'z' || c || '-' || floor(r4 * 20),
  (ARRAY['new','open','open','paid','paid','paid','paid','gone'])[1 + floor(r5 * 8)::int]::"Zoo Ü".state,
  round((r6 ^ 3 * 10000)::numeric, 2), '2020-01-01'::timestamptz + i * interval '20 minutes', ROW('s' || floor(r2 * 900), c, 'city' || c)::"Zoo Ü".address,
  daterange('2020-01-01'::date + (r1 * 1500)::int, '2020-01-01'::date + (r1 * 1500)::int + 1 + (r2 * 60)::int),
  ARRAY['t' || floor(r2 ^ 2 * 300), 't' || floor(r3 * 300)], jsonb_build_object('plan', 'p' || floor(r4 * 5), 'lang', 'l' || floor(r5 ^ 2 * 40))
FROM (SELECT i, floor(random() ^ 2 * 40)::int AS c, random() r1, random() r2, random() r3, random() r4, random() r5, random() r6 FROM generate_series(1, ${rows(60_000)}) AS i) AS drawn;
CREATE UNIQUE INDEX "Account e-mail" ON "Zoo Ü"."Account" (lower("E-Mail"));
CREATE INDEX account_host ON "Zoo Ü"."Account" ("Zoo Ü".host("E-Mail"));
CREATE INDEX account_open ON "Zoo Ü"."Account" (balance DESC NULLS LAST) WHERE state = 'open';
CREATE INDEX account_name_trgm ON "Zoo Ü"."Account" USING gin (name gin_trgm_ops);
CREATE INDEX account_tags ON "Zoo Ü"."Account" USING gin (tags);
CREATE INDEX account_active ON "Zoo Ü"."Account" USING gist (active);
CREATE INDEX account_zip_hash ON "Zoo Ü"."Account" USING hash (zip);
CREATE INDEX account_created_brin ON "Zoo Ü"."Account" USING brin (created) WITH (pages_per_range = 16);
CREATE INDEX account_home_city ON "Zoo Ü"."Account" (((home).city), ((home).number));
CREATE STATISTICS "Zoo Ü"."place all" ON country, city, zip FROM "Zoo Ü"."Account";
CREATE STATISTICS "Zoo Ü".state_length (mcv) ON state, name_length, (id % 10) FROM "Zoo Ü"."Account";
CREATE STATISTICS created_day ON (date_trunc('day', created AT TIME ZONE 'UTC')) FROM "Zoo Ü"."Account";`,
    `CREATE TABLE orders (id int8 PRIMARY KEY, account_id int NOT NULL REFERENCES "Zoo Ü"."Account", status text NOT NULL, placed_at timestamptz NOT NULL,
  shipped_at timestamptz, total numeric(10,2) NOT NULL, meta jsonb NOT NULL, span int4range, level floatrange, code char(6) NOT NULL, flag bool NOT NULL);
INSERT INTO orders SELECT i, 1 + floor(r1 ^ 2 * ${rows(59_000)})::int, CASE WHEN r2 < 0.01 THEN 'open' WHEN r2 < 0.1 THEN 'sent' ELSE 'done' END,
  '2023-01-01'::timestamptz + i * interval '3 minutes' + r3 * interval '1 day', CASE WHEN r2 < 0.1 THEN NULL ELSE '2023-01-02'::timestamptz + i * interval '3 minutes' + r4 * interval '3 days' END,
  round((r4 * 500)::numeric, 2), jsonb_build_object('channel', (ARRAY['web','app','shop'])[1 + floor(r5 * 3)::int], 'campaign', floor(r6 * 900), 'deep', jsonb_build_object('k', floor(r6 ^ 3 * 50))),
  int4range(floor(r3 * 10000)::int, floor(r3 * 10000)::int + 1 + floor(r4 * 50)::int), floatrange(r1, r1 + r2 / 100), upper(substr(md5((i % 5000)::text), 1, 6)), r5 < 0.03
FROM (SELECT i, random() r1, random() r2, random() r3, random() r4, random() r5, random() r6 FROM generate_series(1, ${rows(180_000)}) AS i) AS drawn;
CREATE INDEX orders_account ON orders (account_id) INCLUDE (total);
CREATE INDEX orders_open ON orders (placed_at DESC) WHERE status = 'open';
CREATE INDEX orders_placed_brin ON orders USING brin (placed_at) WITH (pages_per_range = 16);
CREATE INDEX orders_span ON orders USING gist (span);
CREATE INDEX orders_meta ON orders USING gin (meta jsonb_path_ops);
CREATE INDEX orders_campaign ON orders ((meta ->> 'campaign'));
CREATE STATISTICS orders_status_flag (dependencies, ndistinct) ON status, flag, account_id FROM orders;`,
    `CREATE TABLE event (id int8 NOT NULL, at date NOT NULL, kind text NOT NULL, actor int NOT NULL, payload text, PRIMARY KEY (id, at, kind, actor)) PARTITION BY RANGE (at);
CREATE TABLE event_2023 PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE "event_2024 A" PARTITION OF event_2024 FOR VALUES IN ('a');
CREATE TABLE event_2024_rest PARTITION OF event_2024 DEFAULT PARTITION BY HASH (actor);
CREATE TABLE event_2024_rest_0 PARTITION OF event_2024_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE event_2024_rest_1 PARTITION OF event_2024_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE event_later PARTITION OF event DEFAULT;
CREATE INDEX event_kind ON event (kind, at);
INSERT INTO event SELECT i, '2023-01-01'::date + (random() * 900)::int, (ARRAY['a','b','c','d'])[1 + floor(random() ^ 3 * 4)::int], floor(random() * 400), md5(i::text) FROM generate_series(1, ${rows(80_000)}) AS i;
CREATE STATISTICS event_kind_actor ON kind, actor FROM event;
CREATE TABLE metric (host int NOT NULL, at timestamp NOT NULL, value float8, PRIMARY KEY (host, at)) PARTITION BY HASH (host);
CREATE TABLE metric_0 PARTITION OF metric FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE metric_1 PARTITION OF metric FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE metric_2 PARTITION OF metric FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO metric SELECT i % 97, '2024-01-01'::timestamp + i * interval '1 minute', random() FROM generate_series(1, ${rows(50_000)}) AS i;`,
    `CREATE TABLE log (at timestamptz NOT NULL, level int NOT NULL, line text); CREATE TABLE log_old () INHERITS (log); CREATE TABLE log_older (CHECK (at < '2022-01-01')) INHERITS (log);
INSERT INTO log SELECT '2024-01-01'::timestamptz + i * interval '1 minute', i % 5, md5(i::text) FROM generate_series(1, ${rows(8_000)}) AS i;
INSERT INTO log_old SELECT '2022-01-01'::timestamptz + i * interval '1 minute', i % 3, md5(i::text) FROM generate_series(1, ${rows(30_000)}) AS i;
INSERT INTO log_older SELECT '2021-01-01'::timestamptz + i * interval '10 minutes', 1, md5(i::text) FROM generate_series(1, ${rows(9_000)}) AS i;
CREATE INDEX log_old_at ON log_old (at); CREATE INDEX log_older_at ON log_older (at);
CREATE TABLE doc (id int PRIMARY KEY, body text, search tsvector, place point, area box, ip inet, digest bytea, words int[]);
INSERT INTO doc SELECT i, b, to_tsvector('simple', b), point(random() * 100, random() * 100), box(point(i % 100, i % 77), point(i % 100 + 2, i % 77 + 3)),
  ('10.' || i % 200 || '.' || i % 90 || '.' || i % 250)::inet, decode(md5(i::text), 'hex'), ARRAY[i % 50, i % 333, i]
FROM (SELECT i, (SELECT string_agg('w' || floor(random() ^ 3 * 4000), ' ') FROM generate_series(1, 20 + i % 1)) AS b FROM generate_series(1, ${rows(12_000)}) AS i) AS made;
CREATE INDEX doc_search ON doc USING gin (search); CREATE INDEX doc_place ON doc USING gist (place); CREATE INDEX doc_place_sp ON doc USING spgist (place);
CREATE INDEX doc_ip ON doc USING gist (ip inet_ops); CREATE INDEX doc_body ON doc USING gist (body gist_trgm_ops); CREATE INDEX doc_words ON doc USING gin (words);
CREATE VIEW open_order AS SELECT o.id, o.placed_at, o.total, a.country FROM orders o JOIN "Zoo Ü"."Account" a ON a.id = o.account_id WHERE o.status = 'open';
CREATE MATERIALIZED VIEW turnover AS SELECT account_id, sum(total) AS total, count(*) AS n FROM orders GROUP BY account_id;
CREATE INDEX turnover_total ON turnover (total);
CREATE TABLE never_analysed (id int PRIMARY KEY, v text);
CREATE TABLE "Zoo Ü".orders (id int PRIMARY KEY, account_id int); INSERT INTO "Zoo Ü".orders SELECT i, i % 100 FROM generate_series(1, 3000) AS i;
CREATE INDEX orders_account ON "Zoo Ü".orders (account_id);
CREATE TABLE stale (id int PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE INDEX stale_at ON stale (at);
INSERT INTO stale SELECT i, '2024-01-01'::timestamptz + i * interval '1 minute', i % 100 FROM generate_series(1, ${rows(60_000)}) AS i;`,
    'VACUUM ANALYZE',
    // What came after the last ANALYZE, as on any server: later times, and a table that was never looked at.
    `INSERT INTO never_analysed SELECT i, md5(i::text) FROM generate_series(1, 3000) AS i;
INSERT INTO stale SELECT i, '2024-01-01'::timestamptz + i * interval '1 minute', i % 100 FROM generate_series(${rows(60_000)} + 1, ${rows(66_000)}) AS i;`,
  ];
}
