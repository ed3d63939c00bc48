/** What the shop's application sends beside its larger reads: writes, and look-ups by primary key. */
import type { Template } from './drive.ts';
import { shopReads } from './reads.ts';
import { DAY, md5, START, valuesOf } from './values.ts';

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
