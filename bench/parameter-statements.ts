/** Statements as frameworks write them, over one small shop: what pg_stat_statements shows of such applications. */

export const SHOP = `
CREATE TYPE order_status AS ENUM ('pending', 'paid', 'shipped', 'cancelled');
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name varchar(100), is_active boolean NOT NULL,
  role text NOT NULL, settings jsonb, created_at timestamptz NOT NULL, deleted_at timestamptz);
CREATE TABLE products (id bigint PRIMARY KEY, sku varchar(40) NOT NULL, title text NOT NULL, price numeric(10,2) NOT NULL,
  tags text[] NOT NULL, attributes jsonb NOT NULL, search tsvector, updated_at timestamp NOT NULL);
CREATE TABLE orders (id uuid PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, status order_status NOT NULL,
  tenant_id integer NOT NULL, total numeric(12,2) NOT NULL, placed_on date NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE line_items (id bigint PRIMARY KEY, order_id uuid NOT NULL REFERENCES orders, product_id bigint NOT NULL REFERENCES products,
  quantity integer NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE comments (id bigint PRIMARY KEY, commentable_type text NOT NULL, commentable_id bigint NOT NULL,
  body text NOT NULL, parent_id bigint, created_at timestamp NOT NULL);
CREATE VIEW active_users AS SELECT id, lower(email) AS email, name FROM users WHERE is_active AND deleted_at IS NULL;
INSERT INTO users SELECT i, 'user' || i || '@example.org', 'Name ' || i % 500, i % 10 <> 0, (ARRAY['user','admin','guest'])[1 + i % 3],
  jsonb_build_object('theme', (ARRAY['dark','light'])[1 + i % 2]), now() - i * interval '1 hour', CASE WHEN i % 20 = 0 THEN now() END
  FROM generate_series(1, 5000) i;
INSERT INTO products SELECT i, 'SKU-' || i, 'Product number ' || i, i % 900 / 7.0, ARRAY['t' || i % 9, 't' || i % 4],
  jsonb_build_object('color', 'c' || i % 5, 'weight', i % 50), to_tsvector('english', 'product number ' || i), now() - i * interval '1 minute'
  FROM generate_series(1, 3000) i;
INSERT INTO orders SELECT md5(i::text)::uuid, 1 + i % 5000, (ARRAY['pending','paid','shipped','shipped','shipped'])[1 + i % 5]::order_status,
  i % 40, i % 997, current_date - i % 400, now() - i * interval '5 minutes' FROM generate_series(1, 20000) i;
INSERT INTO line_items SELECT i, md5((1 + i % 20000)::text)::uuid, 1 + i % 3000, 1 + i % 4, i % 100 FROM generate_series(1, 40000) i;
INSERT INTO comments SELECT i, (ARRAY['Product','Order'])[1 + i % 2], i % 3000, 'some words ' || i, nullif(i % 7, 0), now() - i * interval '1 minute'
  FROM generate_series(1, 8000) i;
ANALYZE;
`;

export const PGBENCH = `
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, 2) i;
INSERT INTO pgbench_tellers SELECT i, 1 + i % 2, 0, '' FROM generate_series(1, 20) i;
INSERT INTO pgbench_accounts SELECT i, 1 + i % 2, 0, '' FROM generate_series(1, 20000) i;
ANALYZE;
`;

/** Statements by who writes them so; `$n` as an extended-protocol client sends, or the server's normalisation leaves. */
export const STATEMENTS: Readonly<
  Record<string, { schema: 'shop' | 'pgbench'; statements: readonly string[] }>
> = {
  pgbench: {
    schema: 'pgbench',
    statements: [
      'UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2',
      'SELECT abalance FROM pgbench_accounts WHERE aid = $1',
      'UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2',
      'UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2',
      'INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)',
    ],
  },
  Django: {
    schema: 'shop',
    statements: [
      'SELECT "users"."id", "users"."email", "users"."name" FROM "users" WHERE "users"."id" = $1 LIMIT $2',
      'SELECT "users"."id" FROM "users" WHERE UPPER("users"."email"::text) = UPPER($1)',
      'SELECT "users"."id" FROM "users" WHERE "users"."name"::text LIKE UPPER($1) ORDER BY "users"."created_at" DESC LIMIT $2 OFFSET $3',
      'SELECT COUNT(*) AS "__count" FROM "orders" WHERE ("orders"."status" = $1::order_status AND "orders"."created_at" >= $2)',
      'SELECT "orders"."id", "users"."id", "users"."email" FROM "orders" INNER JOIN "users" ON ("orders"."user_id" = "users"."id") WHERE ("users"."is_active" AND "orders"."placed_on" BETWEEN $1 AND $2) ORDER BY "orders"."created_at" DESC LIMIT $3',
      'SELECT "line_items"."id" FROM "line_items" WHERE "line_items"."order_id" IN ($1, $2, $3, $4)',
      'SELECT "orders"."user_id", SUM("orders"."total") AS "sum" FROM "orders" GROUP BY "orders"."user_id" HAVING SUM("orders"."total") > $1',
      'SELECT "products"."id" FROM "products" WHERE ("products"."attributes" -> $1) = $2',
      'SELECT "products"."id" FROM "products" WHERE ("products"."attributes" @> $1::jsonb AND NOT ("products"."price" < $2))',
      'SELECT "orders"."id" FROM "orders" WHERE EXISTS(SELECT $1 AS "a" FROM "line_items" U0 WHERE (U0."order_id" = ("orders"."id") AND U0."quantity" > $2) LIMIT $3)',
      'SELECT DATE_TRUNC($1, "orders"."created_at" AT TIME ZONE $2) AS "month", COUNT("orders"."id") FROM "orders" WHERE "orders"."tenant_id" = $3 GROUP BY 1',
      'UPDATE "users" SET "name" = $1, "is_active" = $2 WHERE "users"."id" = $3',
      'INSERT INTO "comments" ("id", "commentable_type", "commentable_id", "body", "created_at") VALUES ($1, $2, $3, $4, $5) RETURNING "comments"."id"',
      'DELETE FROM "comments" WHERE "comments"."id" IN ($1 /*, ... */)',
      'SELECT CASE WHEN "users"."role" = $1 THEN $2 ELSE $3 END AS "kind" FROM "users" WHERE "users"."deleted_at" IS NULL AND "users"."created_at" > $4',
    ],
  },
  Rails: {
    schema: 'shop',
    statements: [
      'SELECT "users".* FROM "users" WHERE "users"."email" = $1 LIMIT $2',
      'SELECT 1 AS one FROM "users" WHERE LOWER("users"."email") = LOWER($1) AND "users"."id" != $2 LIMIT $3',
      'SELECT "comments".* FROM "comments" WHERE "comments"."commentable_id" = $1 AND "comments"."commentable_type" = $2 ORDER BY "comments"."created_at" DESC LIMIT $3 OFFSET $4',
      'SELECT "line_items".* FROM "line_items" WHERE "line_items"."order_id" IN ($1, $2, $3, $4, $5)',
      'SELECT COUNT(*) FROM "orders" WHERE "orders"."user_id" = $1 AND "orders"."status" IN ($2, $3)',
      'SELECT "orders".* FROM "orders" INNER JOIN "line_items" ON "line_items"."order_id" = "orders"."id" WHERE "line_items"."product_id" = $1 AND (orders.created_at > now() - $2::interval)',
      'SELECT SUM("orders"."total") FROM "orders" WHERE "orders"."created_at" BETWEEN $1 AND $2',
      'SELECT "products".* FROM "products" WHERE (title ILIKE $1 OR sku ILIKE $2) ORDER BY "products"."title" ASC LIMIT $3',
      'SELECT "products".* FROM "products" WHERE ($1 = ANY (tags))',
      'SELECT "users".* FROM "users" WHERE "users"."id" > $1 ORDER BY "users"."id" ASC LIMIT $2',
      'UPDATE "orders" SET "status" = $1, "total" = COALESCE("total", $2) + $3 WHERE "orders"."id" = $4',
      'INSERT INTO "line_items" ("id", "order_id", "product_id", "quantity", "price") VALUES ($1, $2, $3, $4, $5) ON CONFLICT ("id") DO UPDATE SET "quantity" = $6 RETURNING "id"',
      'DELETE FROM "comments" WHERE "comments"."created_at" < $1',
    ],
  },
  Hibernate: {
    schema: 'shop',
    statements: [
      'select u1_0.id,u1_0.email,u1_0.name from users u1_0 where u1_0.id=$1',
      'select o1_0.id,o1_0.total from orders o1_0 left join users u1_0 on u1_0.id=o1_0.user_id where u1_0.email=$1 and o1_0.status=$2 order by o1_0.created_at desc offset $3 rows fetch first $4 rows only',
      'select o1_0.id from orders o1_0 where (o1_0.tenant_id,o1_0.user_id) in (($1,$2),($3,$4))',
      'select o1_0.id from orders o1_0 where o1_0.tenant_id=$1 and ($2 is null or o1_0.placed_on>=$3)',
      "select p1_0.id from products p1_0 where lower(p1_0.title) like $1 escape ''",
      'select count(l1_0.id) from line_items l1_0 where l1_0.order_id=any ($1)',
      'select p1_0.id from products p1_0 where p1_0.id in (select l1_0.product_id from line_items l1_0 where l1_0.quantity>=$1 and l1_0.price<$2)',
      'select o1_0.id from orders o1_0 where o1_0.created_at>=$1 and o1_0.created_at<$2 and o1_0.status<>$3 for update of o1_0',
      'update users set email=$1,is_active=$2,name=$3 where id=$4 and email=$5',
      'insert into products (attributes,price,sku,tags,title,updated_at,id) values ($1,$2,$3,$4,$5,$6,$7)',
      'delete from line_items where order_id=$1',
      'select u1_0.id from users u1_0 where cast(u1_0.created_at as date)=$1 and length(u1_0.name)>$2',
    ],
  },
  Prisma: {
    schema: 'shop',
    statements: [
      'SELECT "public"."users"."id", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3',
      'SELECT "public"."orders"."id" FROM "public"."orders" WHERE "public"."orders"."user_id" IN ($1,$2,$3) OFFSET $4',
      'SELECT "public"."orders"."id" FROM "public"."orders" LEFT JOIN "public"."users" AS "j0" ON ("j0"."id") = ("public"."orders"."user_id") WHERE ("j0"."role" = $1 AND ("j0"."id" IS NOT NULL)) ORDER BY "public"."orders"."created_at" DESC LIMIT $2 OFFSET $3',
      'SELECT "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."title"::text ILIKE $1 OR "public"."products"."tags" @> $2) LIMIT $3 OFFSET $4',
      'SELECT "public"."orders"."id" FROM "public"."orders" WHERE ("public"."orders"."status" = CAST($1::text AS "public"."order_status") AND "public"."orders"."total" >= $2 AND "public"."orders"."total" <= $3)',
      'SELECT COUNT(*) FROM (SELECT "public"."orders"."id" FROM "public"."orders" WHERE "public"."orders"."tenant_id" = $1 OFFSET $2) AS "sub"',
      'SELECT "t0"."id" FROM "public"."users" AS "t0" WHERE ("t0"."id") IN (SELECT "t1"."user_id" FROM "public"."orders" AS "t1" WHERE ("t1"."placed_on" >= $1 AND "t1"."user_id" IS NOT NULL))',
      'UPDATE "public"."orders" SET "status" = CAST($1::text AS "public"."order_status"), "total" = $2 WHERE ("public"."orders"."id" = $3 AND 1=1)',
      'INSERT INTO "public"."users" ("id","email","is_active","role","created_at") VALUES ($1,$2,$3,$4,$5) ON CONFLICT DO NOTHING RETURNING "public"."users"."id"',
      'DELETE FROM "public"."comments" WHERE ("public"."comments"."parent_id" = $1 AND 1=1)',
      'SELECT "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."attributes"#>ARRAY[$1]::text[])::jsonb = $2',
    ],
  },
  sqlx: {
    schema: 'shop',
    statements: [
      'SELECT id, email FROM users WHERE id = ANY($1)',
      'WITH recent AS (SELECT user_id, max(created_at) AS last FROM orders WHERE created_at > now() - $1::interval GROUP BY user_id) SELECT u.email, r.last FROM users u JOIN recent r ON r.user_id = u.id WHERE u.role = $2 ORDER BY r.last DESC LIMIT $3',
      'SELECT id, ts_rank(search, websearch_to_tsquery($1, $2)) FROM products WHERE search @@ websearch_to_tsquery($1, $2) LIMIT $3',
      'SELECT id FROM orders WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3',
      'SELECT email FROM active_users WHERE email = $1',
      'SELECT o.id, l.n FROM orders o CROSS JOIN LATERAL (SELECT count(*) AS n FROM line_items li WHERE li.order_id = o.id AND li.quantity > $1) l WHERE o.tenant_id = $2 AND l.n > $3',
      'INSERT INTO comments (id, commentable_type, commentable_id, body, created_at) SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::timestamp[])',
      'UPDATE products SET price = price * $1, updated_at = now() WHERE tags && $2 AND price > $3',
      "SELECT id FROM users WHERE settings ->> 'theme' = $1 AND created_at::date = $2",
      'SELECT date_trunc($1, created_at) AS bucket, count(*) FILTER (WHERE status = $2) FROM orders WHERE created_at >= $3 AND created_at < $4 GROUP BY 1 ORDER BY 1',
      'SELECT id FROM users WHERE role = $1 AND is_active = $2 UNION ALL SELECT user_id FROM orders WHERE total > $3',
      'SELECT id FROM orders WHERE status = $1 ORDER BY created_at FOR UPDATE SKIP LOCKED LIMIT $2',
      'MERGE INTO products p USING (VALUES ($1::bigint, $2::numeric)) AS s (id, price) ON p.id = s.id WHEN MATCHED AND p.price <> s.price THEN UPDATE SET price = s.price',
      'SELECT COALESCE(name, $1) FROM users WHERE greatest(created_at, deleted_at) > $2 AND name SIMILAR TO $3',
    ],
  },
};
