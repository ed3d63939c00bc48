/** One schema, and statements whose plans show every kind of node that the planner has without extensions. */
import { availableMajors } from '../../../src/embedded/index.ts';
import { testMajors } from '../../support/servers.ts';

/** A target may be a 14, which most tests leave out. */
export const majors = availableMajors().includes(14) ? [14, ...testMajors] : testMajors;

export const schema = `
  CREATE TABLE customers (id int PRIMARY KEY, name text, city text, "Since" date);
  INSERT INTO customers SELECT g, 'n' || g, 'c' || g % 50, date '2020-01-01' + g % 900 FROM generate_series(1, 4000) g;
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, total numeric, created_at timestamptz, pad text);
  INSERT INTO orders SELECT g, g * 7919 % 4000, CASE WHEN g % 100 = 0 THEN 'open' ELSE 'done' END, g % 977,
    timestamptz '2024-01-01' + g * interval '1 minute', repeat('p', 60) FROM generate_series(1, 40000) g;
  CREATE TABLE lines (order_id int, product int, quantity int);
  INSERT INTO lines SELECT g % 40000, g * 31 % 700, g % 9 FROM generate_series(1, 80000) g;
  CREATE TABLE events (id bigint, at timestamptz, kind int, note text) PARTITION BY RANGE (at);
  DO $$ BEGIN FOR month IN 1..12 LOOP
    EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', month,
      make_date(2024, month, 1), make_date(2024, month, 1) + interval '1 month');
  END LOOP; END $$;
  INSERT INTO events SELECT g, timestamptz '2024-01-01 12:00+00' + g % 350 * interval '1 day', g * 7 % 900, repeat('e', 40)
    FROM generate_series(1, 60000) g;
  CREATE VIEW open_orders AS SELECT * FROM orders WHERE status = 'open';
`;

/** What a set of indexes changes is compared: without them first. */
export const indexes = `
  CREATE INDEX orders_customer_id_idx ON orders (customer_id);
  CREATE INDEX orders_created_at_idx ON orders (created_at);
  CREATE INDEX orders_total_idx ON orders (total) INCLUDE (id);
  CREATE INDEX orders_status_idx ON orders (status, created_at);
  CREATE INDEX orders_month_idx ON orders (lower(pad));
  CREATE INDEX lines_order_id_idx ON lines (order_id);
  CREATE INDEX lines_product_idx ON lines (product);
  CREATE INDEX events_kind_idx ON events (kind);
`;

export const statements: Readonly<Record<string, string>> = {
  one_row: 'SELECT * FROM orders WHERE id = 7',
  equality: 'SELECT * FROM orders WHERE customer_id = 77',
  bitmap_or: 'SELECT * FROM orders WHERE customer_id = 77 OR total = 5',
  newest: 'SELECT * FROM orders ORDER BY created_at DESC LIMIT 10',
  half_ordered: 'SELECT * FROM orders ORDER BY created_at, pad LIMIT 10',
  cover: 'SELECT id, total FROM orders WHERE total BETWEEN 3 AND 5',
  minimum: 'SELECT min(total), max(total) FROM orders',
  join: 'SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = 17',
  three: `SELECT c.name, sum(l.quantity) FROM customers c JOIN orders o ON o.customer_id = c.id
    JOIN lines l ON l.order_id = o.id WHERE c.id < 5 GROUP BY c.name`,
  left_join: 'SELECT * FROM customers c LEFT JOIN orders o ON o.customer_id = c.id AND o.total > 970',
  full_join: 'SELECT * FROM customers c FULL JOIN orders o ON o.customer_id = c.id',
  self_join: `SELECT * FROM orders a JOIN orders b ON b.customer_id = a.customer_id AND b.id > a.id WHERE a.id = 5`,
  semi: "SELECT * FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.status = 'open')",
  anti: 'SELECT * FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id)',
  not_in: 'SELECT * FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)',
  correlated:
    'SELECT c.id, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) FROM customers c WHERE c.id < 9',
  init_plan: 'SELECT * FROM orders WHERE total > (SELECT avg(total) FROM orders) AND customer_id = 3',
  cte: `WITH recent AS MATERIALIZED (SELECT * FROM orders WHERE created_at > '2024-01-20')
    SELECT a.id FROM recent a JOIN recent b USING (customer_id)`,
  recursive: `WITH RECURSIVE walk (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM walk WHERE n < 9)
    SELECT * FROM walk JOIN orders ON orders.customer_id = n`,
  grouped: 'SELECT customer_id, count(*) FROM orders GROUP BY customer_id',
  grouped_ordered: 'SELECT created_at, count(*) FROM orders GROUP BY created_at ORDER BY created_at LIMIT 5',
  distinct: 'SELECT DISTINCT customer_id FROM orders',
  grouping_sets:
    'SELECT status, customer_id, sum(total) FROM orders GROUP BY GROUPING SETS ((status), (status, customer_id), ())',
  cube: 'SELECT status, customer_id, sum(total) FROM orders GROUP BY CUBE (status, customer_id)',
  window: 'SELECT id, rank() OVER (PARTITION BY customer_id ORDER BY created_at) FROM orders',
  windowed_top: `SELECT * FROM (SELECT id, row_number() OVER (ORDER BY created_at) AS place FROM orders) x WHERE place <= 5`,
  except: 'SELECT customer_id FROM orders EXCEPT SELECT id FROM customers',
  intersect_all: 'SELECT customer_id FROM orders INTERSECT ALL SELECT id FROM customers',
  union_all: 'SELECT pad FROM orders WHERE customer_id = 3 UNION ALL SELECT pad FROM orders WHERE total = 4',
  partitions: 'SELECT * FROM events WHERE kind = 5',
  pruned: "SELECT * FROM events WHERE kind = 5 AND at < '2024-03-01'",
  pruned_later: "SELECT * FROM events WHERE kind = 5 AND at < now() - interval '700 days'",
  partitions_ordered: 'SELECT * FROM events ORDER BY at LIMIT 5',
  partitions_joined: 'SELECT count(*) FROM events e JOIN orders o ON o.id = e.kind',
  lateral: `SELECT c.id, x.* FROM customers c, LATERAL (SELECT id FROM orders o WHERE o.customer_id = c.id ORDER BY created_at LIMIT 2) x`,
  memoized:
    'SELECT l.*, o.total FROM lines l JOIN orders o ON o.customer_id = l.product WHERE l.quantity = 3',
  view: 'SELECT * FROM open_orders WHERE customer_id = 9',
  values: "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v (n, t) JOIN orders ON orders.customer_id = v.n",
  function: 'SELECT * FROM generate_series(1, 5) "G" JOIN orders ON orders.customer_id = "G"',
  sample: 'SELECT count(*) FROM orders TABLESAMPLE bernoulli (10) REPEATABLE (3)',
  tid: "SELECT * FROM orders WHERE ctid = '(0,1)'",
  constant: 'SELECT 1',
  false_filter: 'SELECT * FROM orders WHERE false',
  locked: 'SELECT * FROM orders WHERE customer_id = 5 FOR UPDATE',
  set_returning: 'SELECT unnest(ARRAY[1, 2]) FROM orders',
  insert:
    "INSERT INTO orders SELECT id + 100000, 1, 'new' FROM customers ON CONFLICT (id) DO UPDATE SET total = 0 WHERE orders.total > 1",
  update: "UPDATE orders SET status = 'x' WHERE customer_id = 5",
  delete: 'DELETE FROM orders o USING customers c WHERE c.id = o.customer_id AND c.id = 9',
  update_partitions: "UPDATE events SET note = '' WHERE kind = 3",
  quoted: `SELECT "Since" FROM customers AS "Mixed Case" WHERE "Since" = '2020-02-02' ORDER BY 1`,
};
