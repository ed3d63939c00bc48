/** What the shop's application sends: reads that want indexes, look-ups by primary key, and writes. */
import { createHash } from 'node:crypto';
import type { Template } from './drive.ts';
import { shopRows } from './schema.ts';

type Draw = () => number;
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const START = Date.parse('2025-10-01T00:00:00Z');
const DAY = 86_400_000;

/** Values for a scale: keys that are there, moments within the data's year. */
function valuesOf(scale: number) {
  const n = shopRows(scale);
  const upTo = (rows: number) => (draw: Draw) => 1 + Math.floor(rows * draw());
  const moment = (draw: Draw, from = 0, to = 360) => START + (from + draw() * (to - from)) * DAY;
  return {
    n,
    id: {
      customer: upTo(n.customers),
      product: upTo(n.products),
      order: upTo(n.orders),
      payment: upTo(n.payments),
      session: upTo(n.sessions),
      stock: upTo(n.stock),
      job: upTo(n.jobs),
    },
    tenant: (draw: Draw) => 1 + Math.floor(n.tenants * draw() ** 2.5),
    moment,
    between: (draw: Draw, hours: number) => {
      const at = moment(draw);
      return [new Date(at), new Date(at + hours * 3_600_000)];
    },
    /** What is not done yet is among the newest orders. */
    recent: (draw: Draw) => n.orders - Math.floor(draw() * n.orders * 0.004),
  };
}

/** Reads that no primary key serves. */
function shopReads(scale: number): Template[] {
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

/** Writes by primary key and inserts: indexes can only slow them. */
export function shopWrites(scale: number): Template[] {
  const { n, id, tenant, recent } = valuesOf(scale);
  return [
    {
      name: 'insert event',
      calls: 1500,
      sql: `INSERT INTO events (tenant_id, kind, subject_id, actor_id, payload, created_at)
            VALUES ($1, $2, $3, $4, $5, now())`,
      parameters: (draw) => [
        tenant(draw),
        draw() < 0.001 ? 'fraud.suspected' : 'order.viewed',
        id.order(draw),
        id.customer(draw),
        JSON.stringify({
          ip: '10.1.2.3',
          request: md5(String(draw())).slice(0, 16),
          ms: Math.floor(draw() * 900),
        }),
      ],
    },
    {
      name: 'insert order',
      calls: 400,
      sql: `INSERT INTO orders (tenant_id, customer_id, status, total, currency, placed_at, reference)
            VALUES ($1, $2, 'pending', $3, 'EUR', now(), $4)`,
      parameters: (draw) => [
        tenant(draw),
        id.customer(draw),
        (5 + draw() * 800).toFixed(2),
        `R-${md5(String(draw())).slice(0, 16)}`,
      ],
    },
    {
      name: 'insert item',
      calls: 1200,
      sql: 'INSERT INTO order_items (order_id, product_id, quantity, price, discount) VALUES ($1, $2, $3, $4, 0)',
      parameters: (draw) => [
        id.order(draw),
        1 + Math.floor(n.products * draw() ** 2.5),
        1 + Math.floor(draw() * 5),
        (1 + draw() * 500).toFixed(2),
      ],
    },
    {
      name: 'insert payment',
      calls: 400,
      sql: `INSERT INTO payments (order_id, provider, state, external_id, amount, created_at)
            VALUES ($1, 'card', 'open', $2, $3, now())`,
      parameters: (draw) => [id.order(draw), md5(String(draw())), (5 + draw() * 800).toFixed(2)],
    },
    {
      name: 'insert job',
      calls: 500,
      sql: `INSERT INTO jobs (queue, state, priority, attempts, run_at, payload) VALUES ($1, 'ready', $2, 0, now(), $3)`,
      parameters: (draw) => ['mail', Math.floor(draw() * 5), JSON.stringify({ order: id.order(draw) })],
    },
    {
      name: 'job done',
      calls: 500,
      sql: `UPDATE jobs SET state = 'done', attempts = attempts + 1 WHERE id = $1`,
      parameters: (draw) => [n.jobs - Math.floor(draw() * n.jobs * 0.002)],
    },
    {
      name: 'touch session',
      calls: 1000,
      sql: 'UPDATE sessions SET hits = hits + 1 WHERE id = $1',
      parameters: (draw) => [id.session(draw)],
    },
    {
      name: 'order status',
      calls: 600,
      sql: 'UPDATE orders SET status = $1 WHERE id = $2',
      parameters: (draw) => [['pending', 'paid', 'packing'][Math.floor(draw() * 3)], recent(draw)],
    },
    {
      name: 'order shipped',
      calls: 300,
      sql: `UPDATE orders SET status = 'completed', shipped_at = now() WHERE id = $1`,
      parameters: (draw) => [recent(draw)],
    },
    {
      name: 'reserve stock',
      calls: 800,
      sql: 'UPDATE stock SET reserved = reserved + 1 WHERE id = $1',
      parameters: (draw) => [id.stock(draw)],
    },
    {
      name: 'customer seen',
      calls: 600,
      sql: 'UPDATE customers SET last_seen_at = now() WHERE id = $1',
      parameters: (draw) => [id.customer(draw)],
    },
    {
      name: 'end session',
      calls: 100,
      sql: 'DELETE FROM sessions WHERE id = $1',
      parameters: (draw) => [id.session(draw)],
    },
  ];
}

/** All of it: reads, writes, writes that look for their rows, and look-ups by primary key as controls. */
export function shopTemplates(scale: number): Template[] {
  const { id } = valuesOf(scale);
  return [
    ...shopReads(scale),
    ...shopWrites(scale),
    {
      name: 'soft delete by reference',
      calls: 3,
      sql: 'UPDATE orders SET deleted_at = now() WHERE reference = $1',
      parameters: (draw) => [`R-${md5(String(id.order(draw))).slice(0, 16)}`],
    },
    {
      name: 'settle payment',
      calls: 6,
      sql: `UPDATE payments SET state = 'settled' WHERE external_id = $1 AND state <> 'settled'`,
      parameters: (draw) => [md5(`${id.payment(draw)}pay`)],
    },
    {
      name: 'log out',
      calls: 8,
      sql: 'DELETE FROM sessions WHERE token = $1',
      parameters: (draw) => [md5(`${id.session(draw)}token`)],
    },
    {
      name: 'expire sessions',
      calls: 2,
      sql: 'DELETE FROM sessions WHERE expires_at < $1',
      parameters: (draw) => [new Date(START + (30 + draw() * 0.05) * DAY)],
    },
    {
      name: 'order by id',
      calls: 800,
      sql: 'SELECT status, total FROM orders WHERE id = $1',
      parameters: (draw) => [id.order(draw)],
    },
    {
      name: 'customer by id',
      calls: 800,
      sql: 'SELECT full_name, status FROM customers WHERE id = $1',
      parameters: (draw) => [id.customer(draw)],
    },
    {
      name: 'product by id',
      calls: 800,
      sql: 'SELECT name, price FROM products WHERE id = $1',
      parameters: (draw) => [id.product(draw)],
    },
  ];
}
