/** Tables and indexes of varied widths, types, nulls and fill factors, emptied and rewritten in varied ways. */
import pg from 'pg';

interface BloatSpecimen {
  name: string;
  /** Columns of the query that fills it: `g` counts from 1. */
  columns: string;
  rows: number;
  fillfactor?: number;
  /** Key lists, with what may follow them (INCLUDE, WITH, WHERE). */
  indexes: string[];
  /** What happened to it since. `t` is the table. */
  churn: string[];
}

const updateAll = (column: string, value: string) => `UPDATE t SET ${column} = ${value}`;
const deleteShare = (share: number) => `DELETE FROM t WHERE random() < ${share}`;

const words = 'repeat(md5(g::text), 1 + (random() * 3)::int)';

const bloatZoo: BloatSpecimen[] = [
  { name: 'narrow', columns: 'g::int id', rows: 100_000, indexes: ['(id)'], churn: [deleteShare(0.5)] },
  { name: 'narrow_whole', columns: 'g::int id, (g % 100)::int k', rows: 60_000, indexes: ['(k)'], churn: [] },
  {
    name: 'pairs',
    columns: 'g::bigint id, random() x',
    rows: 80_000,
    indexes: ['(id)', '(x)'],
    churn: [deleteShare(0.8)],
  },
  {
    name: 'padded',
    columns: 'g::int a, g::bigint b, (g % 2 = 0) c, g::bigint d',
    rows: 60_000,
    indexes: ['(c, d)'],
    churn: [deleteShare(0.3)],
  },
  {
    name: 'small_ints',
    columns: 'g::int2 a, (g % 7)::int2 b, true c',
    rows: 30_000,
    indexes: ['(a)', '(b)'],
    churn: [updateAll('b', '(b + 1)::int2')],
  },
  {
    name: 'texts',
    columns: `g::int id, ${words} v`,
    rows: 40_000,
    indexes: ['(id)', '(v)'],
    churn: [deleteShare(0.6)],
  },
  {
    name: 'short_texts',
    columns: "g::int id, 'n' || (random() * 1e6)::int v, left(md5(g::text), (random() * 12)::int) w",
    rows: 60_000,
    indexes: ['(v)', '(w)'],
    churn: [updateAll('id', 'id + 1')],
  },
  {
    name: 'emails',
    columns: "g::int id, 'user' || g || '@example.com' mail, md5(g::text) digest",
    rows: 50_000,
    indexes: ['(mail)', '(digest) WITH (fillfactor = 70)', '(lower(mail))'],
    churn: [deleteShare(0.4)],
  },
  {
    name: 'few_nulls',
    columns: 'g::int id, CASE WHEN random() < 0.1 THEN NULL ELSE g::bigint END b, now() AS at',
    rows: 60_000,
    indexes: ['(b)', '(at)'],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'many_nulls',
    columns: [
      'g::int id',
      ...Array.from(
        { length: 12 },
        (_, n) => `CASE WHEN random() < 0.85 THEN NULL ELSE g::bigint + ${n} END c${n}`,
      ),
    ].join(', '),
    rows: 50_000,
    indexes: ['(c0)', '(c1, c2)', '(id) WHERE c3 IS NOT NULL'],
    churn: [deleteShare(0.35)],
  },
  {
    name: 'null_texts',
    columns: `g::int id, CASE WHEN random() < 0.5 THEN NULL ELSE ${words} END v, CASE WHEN random() < 0.3 THEN NULL ELSE (random() * 99)::numeric(8, 2) END n`,
    rows: 50_000,
    indexes: ['(v)', '(n)'],
    churn: [updateAll('id', 'id + 1'), deleteShare(0.2)],
  },
  {
    name: 'fill_70',
    columns: 'g::int id, md5(g::text) v',
    rows: 50_000,
    fillfactor: 70,
    indexes: ['(id) WITH (fillfactor = 50)'],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'fill_50_whole',
    columns: "g::int id, repeat('x', 100) v",
    rows: 30_000,
    fillfactor: 50,
    indexes: ['(id)'],
    churn: [],
  },
  {
    name: 'fill_90_updated',
    columns: 'g::int id, (random() * 1000)::int k, md5(g::text) v',
    rows: 50_000,
    fillfactor: 90,
    indexes: ['(k)', '(k, id)'],
    churn: [updateAll('k', 'k + 1'), updateAll('k', 'k + 1')],
  },
  {
    name: 'wide',
    columns: 'g::int id, repeat(chr(65 + g % 26), 900) v',
    rows: 8_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'wide_uneven',
    columns: 'g::int id, left(repeat(md5(g::text), 60), 200 + (random() * 1500)::int) v',
    rows: 10_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.25)],
  },
  {
    name: 'page_thirds',
    columns: 'g::int id, left(repeat(md5(g::text), 100), 1900) v',
    rows: 6_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.3)],
  },
  {
    name: 'compressed',
    columns: 'g::int id, repeat(md5(g::text), 200) v',
    rows: 10_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'toasted',
    columns: "g::int id, (SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 150) i) v",
    rows: 3_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.6)],
  },
  {
    name: 'documents',
    columns:
      "g::int id, jsonb_build_object('name', md5(g::text), 'n', g, 'tags', ARRAY['a', 'b' || g % 100]) v",
    rows: 30_000,
    indexes: ['(id)', "((v->>'name'))"],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'arrays',
    columns: 'g::int id, ARRAY(SELECT i FROM generate_series(1, (g * 7919) % 20) i) v',
    rows: 40_000,
    indexes: ['(id)'],
    churn: [deleteShare(0.5)],
  },
  {
    name: 'bytes',
    columns: "g::int id, decode(md5(g::text), 'hex') v, gen_random_uuid() u",
    rows: 50_000,
    indexes: ['(u)', '(v)'],
    churn: [updateAll('id', 'id + 1')],
  },
  {
    name: 'money',
    columns:
      'g::int id, (random() * 10000)::numeric(12, 2) a, (random() * 1e12)::numeric(20, 6) b, (g % 5)::numeric c',
    rows: 60_000,
    indexes: ['(a)', '(c)'],
    churn: [deleteShare(0.45)],
  },
  {
    name: 'times',
    columns:
      "g::int id, timestamptz '2024-01-01' + g * interval '1 minute' AS at, date '2024-01-01' + (g % 900) AS d, (g % 3)::\"char\" k",
    rows: 60_000,
    indexes: ['(at)', '(d)', '(d, at) INCLUDE (k)'],
    churn: [updateAll('at', "at + interval '1 hour'")],
  },
  {
    name: 'dropped_column',
    columns: 'g::int id, g::bigint gone, g::bigint kept',
    rows: 50_000,
    indexes: ['(kept)'],
    churn: ['ALTER TABLE t DROP COLUMN gone', updateAll('kept', 'kept + 1')],
  },
  {
    name: 'statuses',
    columns:
      "g::int id, CASE WHEN random() < 0.95 THEN 'done' WHEN random() < 0.7 THEN 'open' ELSE 'pending' END status, (random() * 5000)::int fk",
    rows: 80_000,
    indexes: [
      '(status)',
      '(fk)',
      '(status, fk)',
      "(fk) WHERE status <> 'done'",
      '(fk) WITH (deduplicate_items = off)',
    ],
    churn: [updateAll('fk', '(random() * 5000)::int')],
  },
  {
    name: 'queue',
    columns: 'g::bigint id, md5(g::text) v, now() AS at',
    rows: 80_000,
    indexes: ['(id)', '(at)'],
    churn: ['DELETE FROM t WHERE id < 76000'],
  },
  {
    name: 'wide_row',
    columns: Array.from({ length: 40 }, (_, n) =>
      n % 3 === 0
        ? `(g % ${n + 2})::int c${n}`
        : n % 3 === 1
          ? `'v' || (g % 1000) c${n}`
          : `(random() < 0.5) c${n}`,
    ).join(', '),
    rows: 12_000,
    indexes: ['(c0, c3, c6)'],
    churn: [deleteShare(0.5)],
  },
];

/**
 * Statements that make a specimen; VACUUM ANALYZE is to follow in another session: what this one changed is counted
 * up to a second late, after an ANALYZE of its own, and would then look like changes since.
 */
function specimenSql(specimen: BloatSpecimen): string[] {
  const { name, columns, rows, fillfactor, indexes, churn } = specimen;
  return [
    'SELECT setseed(0.4)',
    // Not in WAL: a third of the time, and the same pages.
    `CREATE UNLOGGED TABLE ${name} WITH (fillfactor = ${fillfactor ?? 100}) AS SELECT ${columns} FROM generate_series(1, ${rows}) g`,
    ...indexes.map((index, at) => `CREATE INDEX ${name}_${at} ON ${name} ${index}`),
    ...churn.map((sql) => sql.replace(/\b(TABLE|FROM|UPDATE) t\b/, `$1 ${name}`)),
  ];
}

async function inSession<T>(dsn: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const until = async (client: pg.Client, sql: string): Promise<void> => {
  while (!(await client.query(`SELECT (${sql}) AS yes`)).rows[0].yes) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

/** Makes all specimens in an empty database where autovacuum does not come, vacuums, analyses, and waits for the counters. */
export async function makeZoo(dsn: string): Promise<void> {
  await inSession(dsn, async (client) => {
    for (const specimen of bloatZoo) for (const sql of specimenSql(specimen)) await client.query(sql);
  });
  await inSession(dsn, async (client) => {
    // Up to 14 counters are sent to a process that may be late.
    await until(
      client,
      `(SELECT bool_and(n_tup_ins > 0) FROM pg_stat_user_tables WHERE schemaname = 'public')`,
    );
    await client.query('SELECT pg_sleep(1)');
    await client.query('VACUUM ANALYZE');
    await until(
      client,
      `(SELECT bool_and(last_analyze IS NOT NULL AND last_vacuum IS NOT NULL) FROM pg_stat_user_tables WHERE schemaname = 'public')`,
    );
  });
}
