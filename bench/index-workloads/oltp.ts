/** A shop with more writes than reads on its largest tables: what an index costs them counts. */
import type { GeneratedWorkload } from './index-workload.ts';

const script = `
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL, country text NOT NULL,
  segment text NOT NULL, is_active boolean NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE products (id bigint PRIMARY KEY, sku text NOT NULL, category_id int NOT NULL, supplier_id int NOT NULL,
  price numeric(10, 2) NOT NULL, title text NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL, total numeric(10, 2) NOT NULL,
  warehouse_id int NOT NULL, created_at timestamptz NOT NULL, shipped_at timestamptz, note text);
CREATE TABLE order_items (order_id bigint NOT NULL, line int NOT NULL, product_id bigint NOT NULL, quantity int NOT NULL,
  price numeric(10, 2) NOT NULL, returned boolean NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE payments (id bigint PRIMARY KEY, order_id bigint NOT NULL, provider text NOT NULL, reference uuid NOT NULL,
  state text NOT NULL, amount numeric(10, 2) NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE stock (product_id bigint NOT NULL, warehouse_id int NOT NULL, quantity int NOT NULL, reserved int NOT NULL,
  updated_at timestamptz NOT NULL, PRIMARY KEY (product_id, warehouse_id));
CREATE TABLE events (id bigint PRIMARY KEY, customer_id bigint NOT NULL, kind text NOT NULL, payload text NOT NULL,
  created_at timestamptz NOT NULL);
INSERT INTO customers SELECT g, 'customer' || g || '@example.com', 'Customer ' || g,
  (ARRAY['de', 'fr', 'us', 'us', 'us', 'nl', 'es', 'it'])[1 + g % 8], (ARRAY['retail', 'retail', 'trade'])[1 + g % 3],
  g % 10 <> 0, timestamptz '2020-01-01' + g * interval '1 hour' FROM generate_series(1, 40000) g;
INSERT INTO products SELECT g, 'SKU-' || md5(g::text), g % 200, g % 731, (g % 9973) / 10.0, 'Product ' || g || repeat(' x', 20)
  FROM generate_series(1, 10000) g;
INSERT INTO orders SELECT g, 1 + (g::bigint * 7919) % 40000,
  CASE WHEN g > 197000 THEN 'open' WHEN g % 50 = 0 THEN 'cancelled' ELSE 'shipped' END, (g % 50000) / 100.0, g % 12,
  timestamptz '2024-01-01' + g * interval '3 minutes',
  CASE WHEN g > 197000 THEN NULL ELSE timestamptz '2024-01-02' + g * interval '3 minutes' END, repeat('n', g % 60)
  FROM generate_series(1, 200000) g;
INSERT INTO order_items SELECT o, l, 1 + (o * 31 + l * 977) % 10000, 1 + o % 5, (o % 900) / 7.0, (o + l) % 40 = 0
  FROM generate_series(1, 200000) o, generate_series(1, 2) l;
INSERT INTO payments SELECT g, g, (ARRAY['card', 'card', 'card', 'wallet', 'invoice'])[1 + g % 5], md5(g::text)::uuid,
  CASE WHEN g % 97 = 0 THEN 'failed' ELSE 'settled' END, (g % 50000) / 100.0, timestamptz '2024-01-01' + g * interval '3 minutes'
  FROM generate_series(1, 200000) g;
INSERT INTO stock SELECT p, w, (p * w) % 500, p % 7, timestamptz '2025-01-01' + (p * 13 % 9999) * interval '1 minute'
  FROM generate_series(1, 10000) p, generate_series(1, 12) w;
INSERT INTO events SELECT g, 1 + (g::bigint * 104729) % 40000, (ARRAY['view', 'view', 'cart', 'login', 'search'])[1 + g % 5],
  repeat('p', 40 + g % 60), timestamptz '2025-01-01' + g * interval '20 seconds' FROM generate_series(1, 250000) g;
`;

export const oltp: GeneratedWorkload = {
  name: 'oltp',
  script,
  growth: 1,
  statements: [
    { calls: 4000, sql: `SELECT id, name FROM customers WHERE email = 'customer77@example.com'` },
    {
      calls: 2500,
      sql: `SELECT id, status, total, created_at FROM orders WHERE customer_id = 4711 ORDER BY created_at DESC LIMIT 10`,
    },
    { calls: 900, sql: `SELECT sum(total) FROM orders WHERE customer_id = 4711 AND status = 'shipped'` },
    {
      calls: 300,
      sql: `SELECT id, customer_id FROM orders WHERE status = 'open' ORDER BY created_at LIMIT 100`,
    },
    { calls: 120, sql: `SELECT count(*) FROM orders WHERE warehouse_id = 3 AND status = 'open'` },
    {
      calls: 60,
      sql: `SELECT status, count(*), sum(total) FROM orders WHERE created_at >= '2025-01-01' AND created_at < '2025-01-08' GROUP BY status`,
    },
    {
      calls: 3000,
      sql: `SELECT i.product_id, i.quantity, p.title FROM order_items i JOIN products p ON p.id = i.product_id WHERE i.order_id = 815`,
    },
    {
      calls: 150,
      sql: `SELECT o.customer_id, sum(i.quantity) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE i.product_id = 42 GROUP BY o.customer_id`,
    },
    { calls: 40, sql: 'SELECT product_id, count(*) FROM order_items WHERE returned GROUP BY product_id' },
    { calls: 5000, sql: 'SELECT state, amount FROM payments WHERE order_id = 99' },
    {
      calls: 1500,
      sql: `SELECT id, order_id FROM payments WHERE reference = '5d41402a-bc4b-2a76-b971-9d911017c592'`,
    },
    {
      calls: 50,
      sql: `SELECT provider, count(*) FROM payments WHERE state = 'failed' AND created_at > '2025-02-01' GROUP BY provider`,
    },
    {
      calls: 700,
      sql: `SELECT id, title, price FROM products WHERE category_id = 17 ORDER BY price LIMIT 24`,
    },
    { calls: 500, sql: `SELECT id FROM products WHERE sku = 'SKU-c4ca4238a0b923820dcc509a6f75849b'` },
    { calls: 80, sql: 'SELECT id, sku FROM products WHERE supplier_id = 5 AND price < 100' },
    { calls: 200, sql: 'SELECT product_id, quantity FROM stock WHERE warehouse_id = 4 AND quantity < 10' },
    {
      calls: 800,
      sql: `SELECT kind, payload FROM events WHERE customer_id = 12 AND kind = 'cart' ORDER BY created_at DESC LIMIT 5`,
    },
    { calls: 30, sql: `SELECT kind, count(*) FROM events WHERE created_at > '2025-02-25' GROUP BY kind` },
    {
      calls: 20,
      sql: `SELECT c.country, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.segment = 'trade' AND o.created_at > '2025-02-10' GROUP BY c.country`,
    },
    { calls: 250000, sql: `INSERT INTO events VALUES (1, 1, 'view', 'p', now())` },
    { calls: 30000, sql: `INSERT INTO orders VALUES (1, 1, 'open', 1, 1, now(), NULL, '')` },
    { calls: 60000, sql: 'INSERT INTO order_items VALUES (1, 1, 1, 1, 1, false)' },
    {
      calls: 30000,
      sql: `INSERT INTO payments VALUES (1, 1, 'card', gen_random_uuid(), 'settled', 1, now())`,
    },
    { calls: 30000, sql: `UPDATE orders SET status = 'shipped', shipped_at = now() WHERE id = 5` },
    {
      calls: 120000,
      sql: 'UPDATE stock SET quantity = quantity - 1, updated_at = now() WHERE product_id = 5 AND warehouse_id = 3',
    },
    { calls: 2000, sql: `UPDATE customers SET name = 'x' WHERE id = 5` },
    { calls: 60, sql: `DELETE FROM events WHERE created_at < '2025-01-02'` },
  ],
};
