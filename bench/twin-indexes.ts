/** New indexes on the database of twin-schema.ts, each with a statement that it is for: predicted, then really built. */
import { type IndexDefinition, indexDefinitionSchema } from '../src/domain/index.ts';

type Key = string | Record<string, unknown>;
interface Wish {
  table: string;
  schema?: string;
  keys: Key[];
  sql: string;
  method?: string;
  include?: string[];
  where?: string;
  unique?: boolean;
  options?: Record<string, string>;
}

const A = '"Zoo Ü"."Account"';
const e = (expression: string, rest: Record<string, unknown> = {}) => ({ expression, ...rest });
const c = (column: string, rest: Record<string, unknown> = {}) => ({ column, ...rest });
const orders = (keys: Key[], sql: string, rest: Partial<Wish> = {}): Wish => ({
  table: 'orders',
  keys,
  sql,
  ...rest,
});
const account = (keys: Key[], sql: string, rest: Partial<Wish> = {}): Wish => ({
  schema: 'Zoo Ü',
  table: 'Account',
  keys,
  sql,
  ...rest,
});

const wishes: Wish[] = [
  orders(['status'], "SELECT * FROM orders WHERE status = 'open'"),
  orders(['status', 'total'], "SELECT * FROM orders WHERE status = 'open' AND total > 490"),
  orders(['total'], 'SELECT * FROM orders WHERE total BETWEEN 100 AND 100.5'),
  orders(['total'], 'SELECT total, id FROM orders WHERE total BETWEEN 100 AND 105', { include: ['id'] }),
  orders(['placed_at'], "SELECT * FROM orders WHERE placed_at BETWEEN '2023-05-01' AND '2023-05-02'"),
  orders(['shipped_at'], 'SELECT * FROM orders WHERE shipped_at > $$2024-01-03$$'),
  orders(
    [c('shipped_at', { direction: 'desc' })],
    'SELECT id FROM orders WHERE shipped_at IS NOT NULL ORDER BY shipped_at DESC LIMIT 50',
  ),
  orders(['code'], "SELECT * FROM orders WHERE code = '1A2B3C'"),
  orders(['code', 'placed_at'], "SELECT * FROM orders WHERE code = 'C4CA42' ORDER BY placed_at LIMIT 5"),
  orders(['flag'], 'SELECT count(*) FROM orders WHERE flag'),
  orders(
    ['flag', 'status', 'account_id'],
    "SELECT count(*) FROM orders WHERE flag AND status = 'sent' AND account_id < 5000",
  ),
  orders(
    ['account_id', 'placed_at'],
    'SELECT * FROM orders WHERE account_id = 50 ORDER BY placed_at DESC LIMIT 3',
  ),
  orders(
    ['account_id', 'status'],
    "SELECT count(*) FROM orders WHERE account_id BETWEEN 300 AND 600 AND status = 'done'",
  ),
  orders(
    [c('total', { direction: 'desc' })],
    "SELECT id, placed_at FROM orders WHERE status = 'sent' ORDER BY total DESC LIMIT 10",
    { where: "status = 'sent'" },
  ),
  orders(['placed_at'], 'SELECT * FROM orders WHERE shipped_at IS NULL AND placed_at > $$2023-12-30$$', {
    where: 'shipped_at IS NULL',
  }),
  orders(['total'], 'SELECT count(*) FROM orders WHERE flag AND total < 7', {
    where: 'flag',
    include: ['account_id'],
  }),
  orders(['id'], 'SELECT id FROM orders WHERE id BETWEEN 50 AND 90', {
    unique: true,
    options: { fillfactor: '60' },
  }),
  orders([e("meta ->> 'channel'")], "SELECT count(*) FROM orders WHERE meta ->> 'channel' = 'web'"),
  orders(
    [e("(meta -> 'deep') ->> 'k'")],
    "SELECT count(*) FROM orders WHERE (meta -> 'deep') ->> 'k' = '49'",
  ),
  orders(
    [e("date(placed_at AT TIME ZONE 'UTC')")],
    "SELECT count(*) FROM orders WHERE date(placed_at AT TIME ZONE 'UTC') = '2023-07-07'",
  ),
  orders(
    [e('public.bucket(account_id)')],
    'SELECT count(*) FROM orders WHERE public.bucket(account_id) = 77',
  ),
  orders([e('lower(code::text)')], "SELECT count(*) FROM orders WHERE lower(code::text) = 'c4ca42'"),
  orders(['meta'], `SELECT count(*) FROM orders WHERE meta ? 'campaign'`, { method: 'gin' }),
  orders(['placed_at'], "SELECT count(*) FROM orders WHERE placed_at < '2023-01-20'", {
    method: 'brin',
    options: { pages_per_range: '32' },
  }),
  orders(['account_id'], 'SELECT * FROM orders WHERE account_id = 4000', { method: 'hash' }),
  orders(['code'], "SELECT * FROM orders WHERE code = 'C4CA42'", { method: 'hash' }),
  orders(['level'], "SELECT count(*) FROM orders WHERE level && '[0.1,0.101)'::floatrange", {
    method: 'gist',
  }),
  orders(['meta'], 'SELECT 1'),
  account(['created'], `SELECT id FROM ${A} WHERE created BETWEEN '2021-03-01' AND '2021-03-04'`),
  account(['country', 'state'], `SELECT id FROM ${A} WHERE country = 'C7' AND state = 'gone'`),
  account(['city', 'zip'], `SELECT id FROM ${A} WHERE city = 'city30' AND zip = 'z30-7'`),
  account(['zip', 'country'], `SELECT * FROM ${A} WHERE zip = 'z30-7' AND country = 'C7'`),
  account(['name'], `SELECT id FROM ${A} WHERE name = 'Bab'`),
  account([c('name', { opclass: 'text_pattern_ops' })], `SELECT id FROM ${A} WHERE name LIKE 'Bab%'`),
  account(
    [c('name', { collation: 'pg_catalog."C"' })],
    `SELECT id FROM ${A} WHERE name COLLATE "C" LIKE 'Bab%'`,
  ),
  account(['E-Mail'], `SELECT id FROM ${A} WHERE "E-Mail" = 'user99@example.com'`),
  account(['balance'], `SELECT id FROM ${A} WHERE balance > 9990`),
  account(['state', 'balance'], `SELECT id FROM ${A} WHERE state = 'new' ORDER BY balance LIMIT 10`),
  account(['home'], `SELECT id FROM ${A} WHERE home = ROW('s1', 1, 'city1')::"Zoo Ü".address`),
  account(['prefs'], `SELECT count(*) FROM ${A} WHERE prefs @> '{"lang": "l39"}'`, { method: 'gin' }),
  account(
    [c('prefs', { opclass: 'jsonb_path_ops' })],
    `SELECT count(*) FROM ${A} WHERE prefs @> '{"lang": "l39"}'`,
    { method: 'gin' },
  ),
  account([c('E-Mail', { opclass: 'gin_trgm_ops' })], `SELECT id FROM ${A} WHERE "E-Mail" LIKE '%host12.%'`, {
    method: 'gin',
  }),
  account(['active'], `SELECT id FROM ${A} WHERE active @> '2024-02-20'::date`, { method: 'spgist' }),
  account(['name_length', 'id'], `SELECT id FROM ${A} WHERE name_length = 33 AND id < 100`),
  account(['tags'], `SELECT id FROM ${A} WHERE tags = ARRAY['t1', 't2']`),
  {
    table: 'log_old',
    keys: ['line'],
    sql: "SELECT * FROM log_old WHERE line = 'cfcd208495d565ef66e7dff9f98764da'",
  },
  {
    table: 'log_old',
    keys: ['line'],
    method: 'hash',
    sql: "SELECT * FROM log_old WHERE line = 'cfcd208495d565ef66e7dff9f98764da'",
  },
  {
    table: 'log_old',
    keys: ['at'],
    method: 'brin',
    options: { pages_per_range: '8' },
    sql: "SELECT count(*) FROM log_old WHERE at < '2022-01-02'",
  },
  {
    table: 'log_old',
    keys: ['level', 'at'],
    sql: "SELECT * FROM log_old WHERE level = 2 AND at < '2022-01-02'",
  },
  {
    table: 'doc',
    keys: [c('body', { opclass: 'gin_trgm_ops' })],
    method: 'gin',
    sql: "SELECT id FROM doc WHERE body LIKE '%w3999 w%'",
  },
  {
    table: 'doc',
    keys: [e("to_tsvector('simple', body)")],
    method: 'gin',
    sql: "SELECT id FROM doc WHERE to_tsvector('simple', body) @@ to_tsquery('simple', 'w77')",
  },
  {
    table: 'doc',
    keys: ['area'],
    method: 'gist',
    sql: "SELECT id FROM doc WHERE area && box '((10,10),(12,12))'",
  },
  {
    table: 'doc',
    keys: ['search'],
    method: 'gist',
    sql: "SELECT id FROM doc WHERE search @@ to_tsquery('simple', 'w77')",
  },
  { table: 'doc', keys: ['digest'], sql: "SELECT id FROM doc WHERE digest = '\\x00'" },
  { table: 'doc', keys: ['ip'], sql: "SELECT id FROM doc WHERE ip = '10.7.7.7'" },
  { table: 'doc', keys: ['ip'], method: 'spgist', sql: "SELECT id FROM doc WHERE ip <<= '10.7.0.0/16'" },
  { table: 'doc', keys: ['words'], sql: 'SELECT id FROM doc WHERE words = ARRAY[1, 2, 3]' },
  { table: 'doc', keys: ['body'], sql: "SELECT id FROM doc WHERE body = 'w1'" },
  {
    table: 'event',
    keys: ['id'],
    include: ['kind'],
    sql: 'SELECT count(*) FROM event WHERE id BETWEEN 100 AND 120',
  },
  { table: 'event', keys: ['actor', 'at'], sql: "SELECT * FROM event WHERE actor = 7 AND at > '2024-03-01'" },
  {
    table: 'event',
    keys: ['kind', 'actor'],
    sql: "SELECT count(*) FROM event WHERE kind = 'd' AND actor = 30",
  },
  { table: 'event', keys: ['payload'], sql: "SELECT * FROM event WHERE payload = 'x'" },
  { table: 'metric', keys: ['value'], sql: 'SELECT * FROM metric WHERE value > 0.999' },
  { table: 'turnover', keys: ['n', 'account_id'], sql: 'SELECT account_id FROM turnover WHERE n = 60' },
  { table: 'stale', keys: ['v', 'at'], sql: "SELECT * FROM stale WHERE v = 7 AND at > '2024-02-09'" },
];

/** Sizes alone are compared where there is no statement that reads a table. */
export const zooIndexes: { definition: IndexDefinition; sql: string | null }[] = wishes.map(
  ({ sql, keys, ...rest }, place) => ({
    sql: sql === 'SELECT 1' ? null : sql,
    definition: indexDefinitionSchema.parse({
      schema: 'public',
      name: `measured_${place}`,
      ...rest,
      keys: keys.map((key) =>
        typeof key === 'string'
          ? { column: key, expression: null }
          : { column: null, expression: null, ...key },
      ),
    }),
  }),
);
