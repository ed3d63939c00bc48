/** The application's reads that want indexes. */
import type { Template } from './drive.ts';
import { md5, valuesOf } from './values.ts';

/** Reads that no primary key serves. */
export function shopReads(scale: number): Template[] {
  const { n, id, tenant, moment, between } = valuesOf(scale);
  return [
    {
      name: 'customer by e-mail',
      calls: 20,
      sql: 'SELECT id, full_name, status FROM customers WHERE lower(email) = lower($1) AND deleted_at IS NULL',
      parameters: (draw) => {
        const g = id.customer(draw);
        return [`user.${g}@mail${g % 40}.example`];
      },
    },
    {
      name: 'newest customers of a tenant',
      calls: 15,
      sql: `SELECT id, full_name, created_at FROM customers WHERE tenant_id = $1 AND status = 'active'
            ORDER BY created_at DESC LIMIT 25`,
      parameters: (draw) => [tenant(draw)],
    },
    {
      name: 'customers by phone',
      calls: 10,
      sql: 'SELECT id, full_name FROM customers WHERE phone = $1',
      parameters: (draw) => [`+49${1_000_000_000 + Math.floor(draw() * 899_999_999)}`],
    },
    {
      name: 'customers of a segment',
      calls: 8,
      sql: `SELECT id, email FROM customers WHERE preferences->>'segment' = $1 AND deleted_at IS NULL`,
      parameters: (draw) => [`s${Math.floor(draw() * 2000)}`],
    },
    {
      name: 'customers without orders',
      calls: 3,
      sql: `SELECT c.id FROM customers c WHERE c.tenant_id = $1
            AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) LIMIT 20`,
      parameters: (draw) => [tenant(draw)],
    },
    {
      name: 'orders of a customer',
      calls: 25,
      sql: `SELECT id, status, total, placed_at FROM orders WHERE customer_id = $1 AND deleted_at IS NULL
            ORDER BY placed_at DESC LIMIT 10`,
      parameters: (draw) => [id.customer(draw)],
    },
    {
      name: 'order by reference',
      calls: 20,
      sql: 'SELECT id, customer_id, status, total FROM orders WHERE reference = $1',
      parameters: (draw) => [`R-${md5(String(id.order(draw))).slice(0, 16)}`],
    },
    {
      name: 'orders to pack',
      calls: 12,
      sql: `SELECT id, customer_id, placed_at FROM orders WHERE status = 'paid' AND deleted_at IS NULL
            ORDER BY placed_at LIMIT 50`,
      parameters: () => [],
    },
    {
      name: 'orders of a tenant by status',
      calls: 12,
      sql: `SELECT id, total, placed_at FROM orders WHERE tenant_id = $1 AND status = $2
            ORDER BY placed_at DESC LIMIT 25`,
      parameters: (draw) => [tenant(draw), draw() < 0.6 ? 'completed' : 'cancelled'],
    },
    {
      name: 'revenue of a day',
      calls: 10,
      sql: 'SELECT currency, count(*), sum(total) FROM orders WHERE placed_at >= $1 AND placed_at < $2 GROUP BY currency',
      parameters: (draw) => between(draw, 24),
    },
    {
      name: 'items of an order',
      calls: 20,
      sql: 'SELECT id, product_id, quantity, price FROM order_items WHERE order_id = $1 ORDER BY id',
      parameters: (draw) => [id.order(draw)],
    },
    {
      name: 'what a customer bought',
      calls: 5,
      sql: `SELECT o.id, o.placed_at, p.name, i.quantity FROM orders o JOIN order_items i ON i.order_id = o.id
            JOIN products p ON p.id = i.product_id WHERE o.customer_id = $1 ORDER BY o.placed_at DESC LIMIT 50`,
      parameters: (draw) => [id.customer(draw)],
    },
    {
      name: 'sales of a product',
      calls: 5,
      sql: 'SELECT count(*), sum(quantity) FROM order_items WHERE product_id = $1',
      parameters: (draw) => [1 + Math.floor(n.products * draw() ** 2.5)],
    },
    {
      name: 'payments of an order',
      calls: 12,
      sql: 'SELECT id, state, amount FROM payments WHERE order_id = $1',
      parameters: (draw) => [id.order(draw)],
    },
    {
      name: 'payment by external id',
      calls: 12,
      sql: 'SELECT id, order_id, state FROM payments WHERE external_id = $1',
      parameters: (draw) => [md5(`${id.payment(draw)}pay`)],
    },
    {
      name: 'open payments',
      calls: 8,
      sql: `SELECT id, order_id FROM payments WHERE state = 'open' AND created_at < $1 ORDER BY created_at LIMIT 100`,
      parameters: (draw) => [new Date(moment(draw, 362, 365))],
    },
    {
      name: 'session by token',
      calls: 30,
      sql: "SELECT id, customer_id, data FROM sessions WHERE token = $1 AND expires_at > now() - interval '2 years'",
      parameters: (draw) => [md5(`${id.session(draw)}token`)],
    },
    {
      name: 'stock of a product',
      calls: 60,
      sql: 'SELECT warehouse_id, quantity - reserved AS free FROM stock WHERE product_id = $1',
      parameters: (draw) => [id.product(draw)],
    },
    {
      name: 'products of a category',
      calls: 40,
      sql: 'SELECT id, name, price FROM products WHERE category_id = $1 AND active ORDER BY price LIMIT 20',
      parameters: (draw) => [1 + Math.floor(400 * draw())],
    },
    {
      name: 'product by SKU',
      calls: 40,
      sql: 'SELECT id, name, price FROM products WHERE sku = $1',
      parameters: (draw) => [`SKU-${String((id.product(draw) * 7919) % 10_000_000).padStart(8, '0')}`],
    },
    {
      name: 'products by name',
      calls: 20,
      sql: 'SELECT id, name FROM products WHERE name LIKE $1 ORDER BY name LIMIT 10',
      parameters: (draw) => [`Product ${md5(String(id.product(draw))).slice(0, 5)}%`],
    },
    {
      name: 'products by attributes',
      calls: 10,
      sql: 'SELECT id, name FROM products WHERE attributes @> $1::jsonb LIMIT 20',
      parameters: (draw) => [JSON.stringify({ colour: 'red', weight: Math.floor(draw() * 977) })],
    },
    {
      name: 'events of a subject',
      calls: 8,
      sql: 'SELECT kind, actor_id, created_at FROM events WHERE subject_id = $1 ORDER BY created_at DESC LIMIT 20',
      parameters: (draw) => [id.order(draw)],
    },
    {
      name: 'suspected frauds of a tenant',
      calls: 5,
      sql: `SELECT id, subject_id, payload FROM events WHERE kind = 'fraud.suspected' AND tenant_id = $1
            AND created_at >= $2`,
      parameters: (draw) => [tenant(draw), new Date(moment(draw, 250, 300))],
    },
    {
      name: 'events of an hour',
      calls: 6,
      sql: 'SELECT kind, count(*) FROM events WHERE created_at >= $1 AND created_at < $2 GROUP BY kind',
      parameters: (draw) => between(draw, 1),
    },
    {
      name: 'event by request',
      calls: 3,
      sql: `SELECT id, kind, created_at FROM events WHERE payload->>'request' = $1`,
      parameters: (draw) => [md5(String(1 + Math.floor(draw() * n.events))).slice(0, 16)],
    },
    {
      name: 'jobs that are ready',
      calls: 20,
      sql: `SELECT id, payload FROM jobs WHERE state = 'ready' AND queue = $1 AND run_at <= now()
            ORDER BY priority, run_at LIMIT 10 FOR UPDATE SKIP LOCKED`,
      parameters: (draw) => [['mail', 'invoice', 'sync'][Math.floor(draw() * 3)]],
    },
    {
      name: 'failed jobs',
      calls: 6,
      sql: `SELECT queue, count(*) FROM jobs WHERE state = 'failed' GROUP BY queue`,
      parameters: () => [],
    },
  ];
}
