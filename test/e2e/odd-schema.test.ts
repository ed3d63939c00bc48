/** A schema with all that is odd in one place: what is printed runs as it stands, and each index is used. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyzeOnce } from '../../src/commands/analyze.ts';
import type { Report } from '../../src/domain/index.ts';
import { ofOwnTables } from '../support/own-tables.ts';
import { testServer } from '../support/servers.ts';

const SCHEMA = `
CREATE EXTENSION citext;
CREATE SCHEMA "Sales Dept"; CREATE SCHEMA archive;
CREATE TYPE "Sales Dept"."OrderState" AS ENUM ('new', 'paid', 'void');
CREATE DOMAIN email_address AS citext CHECK (VALUE LIKE '%@%');
CREATE TABLE "Sales Dept"."Customer" ("Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "E-mail" email_address NOT NULL,
  "fullName" text, "order" int, "search" tsvector GENERATED ALWAYS AS (to_tsvector('simple', "fullName")) STORED,
  "Tags" text[], "deletedAt" timestamptz, "Pad" text);
INSERT INTO "Sales Dept"."Customer" ("E-mail", "fullName", "order", "Tags", "deletedAt", "Pad")
  SELECT 'User' || g || '@x.org', 'name' || g % 5000 || ' fam' || g * 7919 % 30000, 1 + g % 1000,
    ARRAY['t' || g % 700, 'u' || g % 37], CASE WHEN g % 100 = 0 THEN NULL ELSE now() END, repeat('p', 80)
  FROM generate_series(1, 20000) g;
CREATE TABLE "Sales Dept"."Order" ("Id" bigint PRIMARY KEY, "customerId" bigint REFERENCES "Sales Dept"."Customer" ON DELETE CASCADE,
  "State" "Sales Dept"."OrderState", "placedAt" timestamptz, "Total" numeric(12, 2),
  "Net" numeric GENERATED ALWAYS AS ("Total" / 1.2) STORED, "during" tstzrange, "Doc" jsonb, "Pad" text);
INSERT INTO "Sales Dept"."Order" ("Id", "customerId", "State", "placedAt", "Total", "during", "Doc", "Pad") SELECT g, 1 + g * 7919 % 20000,
  (CASE WHEN g % 200 = 0 THEN 'new' ELSE 'paid' END)::"Sales Dept"."OrderState", timestamptz '2024-01-01' + g * interval '3 minutes',
  g % 9999, tstzrange(timestamptz '2024-01-01' + g * interval '3 minutes', timestamptz '2024-01-02' + g * interval '3 minutes'),
  jsonb_build_object('Ref', 'R' || g), repeat('o', 60) FROM generate_series(1, 40000) g;
CREATE INDEX "Void Orders" ON "Sales Dept"."Order" ("placedAt") WHERE "State" = 'void';
CREATE TABLE archive."Order" ("Id" bigint, "customerId" bigint, "Pad" text);
INSERT INTO archive."Order" SELECT g, 1 + g * 7919 % 20000, repeat('a', 60) FROM generate_series(1, 30000) g;
CREATE TABLE "Event" ("At" timestamptz NOT NULL, "Kind" text, "Who" int, "Pad" text) PARTITION BY RANGE ("At");
CREATE TABLE "Event 1" PARTITION OF "Event" FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE "Event 2" PARTITION OF "Event" FOR VALUES FROM ('2024-02-01') TO ('2024-07-01') PARTITION BY LIST ("Kind");
CREATE TABLE "Event 2 a" PARTITION OF "Event 2" FOR VALUES IN ('a');
CREATE TABLE "Event 2 rest" PARTITION OF "Event 2" DEFAULT;
INSERT INTO "Event" SELECT timestamptz '2024-01-01' + g * interval '2 minutes', (ARRAY['a', 'b'])[1 + g % 2], g * 7919 % 9000,
  repeat('e', 60) FROM generate_series(1, 60000) g;
CREATE TABLE base_log (id int, msg text); CREATE TABLE "log child" (extra int) INHERITS (base_log);
INSERT INTO base_log SELECT g, md5(g::text) FROM generate_series(1, 15000) g;
INSERT INTO "log child" SELECT g, md5(g::text), g FROM generate_series(1, 25000) g;
CREATE MATERIALIZED VIEW "Top" AS SELECT "customerId" AS cid, sum("Total") AS total FROM "Sales Dept"."Order" GROUP BY 1;
CREATE TABLE docs (tenant int, owner name, title text, pad text);
INSERT INTO docs SELECT g % 300, 'u' || g % 50, 'title ' || g, repeat('d', 60) FROM generate_series(1, 30000) g;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON docs USING (owner = current_user);
`;

/** Each with the table whose index it must use once all is built. */
const STATEMENTS: [string, string][] = [
  [`SELECT "Id" FROM "Sales Dept"."Customer" WHERE "E-mail" = 'user77@X.org'`, 'Customer'],
  [`SELECT "Id" FROM "Sales Dept"."Customer" WHERE "search" @@ to_tsquery('simple', 'name77')`, 'Customer'],
  [`SELECT "Id" FROM "Sales Dept"."Customer" WHERE "Tags" @> ARRAY['t77']`, 'Customer'],
  [
    `SELECT "Id" FROM "Sales Dept"."Customer" WHERE "deletedAt" IS NULL ORDER BY "order" DESC NULLS LAST LIMIT 20`,
    'Customer',
  ],
  [`SELECT * FROM "Sales Dept"."Order" WHERE "customerId" = 77 ORDER BY "placedAt" DESC LIMIT 10`, 'Order'],
  [`SELECT * FROM "Sales Dept"."Order" WHERE "State" = 'new'`, 'Order'],
  [`SELECT "Id" FROM "Sales Dept"."Order" WHERE "Doc" ->> 'Ref' = 'R77'`, 'Order'],
  [`SELECT "Id" FROM "Sales Dept"."Order" WHERE "during" @> timestamptz '2024-02-03 04:05'`, 'Order'],
  [`SELECT "Id" FROM "Sales Dept"."Order" WHERE "Net" > 8300 ORDER BY "Net" LIMIT 5`, 'Order'],
  [`SELECT * FROM archive."Order" WHERE "customerId" = 77`, 'Order'],
  [`SELECT * FROM "Event" WHERE "Who" = 77`, 'Event'],
  [`SELECT * FROM base_log WHERE msg = 'abc'`, 'base_log'],
  [`SELECT * FROM "log child" WHERE extra = 7`, 'log child'],
  [`SELECT * FROM "Top" WHERE cid = 7`, 'Top'],
  [`SELECT title FROM docs WHERE tenant = 7 AND title = 'title 77'`, 'docs'],
];

let directory: string;
let client: pg.Client;
let drop: () => Promise<void>;
let report: Report;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-odd-'));
  const database = await (await testServer()).createDatabase({ sql: SCHEMA });
  drop = database.drop;
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
  const text = STATEMENTS.map(([sql]) => `-- calls: 50\n${sql};`).join('\n');
  const cut = `SELECT * FROM "Sales Dept"."Order" WHERE "Id" IN (SELECT "Id" FROM archive."Order" WHERE`;
  await writeFile(join(directory, 'w.sql'), `${text}\nCREATE TABLE nope (a int);\n${cut}`);
  report = await analyzeOnce(database.dsn, {
    workload: directory,
    whatIf: 'twin',
    format: 'text',
    only: ['index'],
    budget: 300 * 1024 * 1024,
  });
});
afterAll(async () => {
  await client?.end();
  await drop?.();
  await rm(directory, { recursive: true, force: true });
});

test('every statement that is printed runs as it stands, each index is used, and the way back is one', async () => {
  const made = report.recommendations.filter(({ change }) => change.kind === 'index.create');
  for (const { statements } of made) for (const statement of statements) await client.query(statement);
  await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
  const unused: string[] = [];
  for (const [sql, table] of STATEMENTS) {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
    const plan = JSON.stringify(rows);
    const isRead = /"Node Type":"(Bitmap )?Index/.test(plan) && !plan.includes('"Node Type":"Seq Scan"');
    if (!isRead) unused.push(`${table}: ${sql}`);
  }
  expect(unused).toEqual([]);
  for (const { rollback } of made.toReversed())
    for (const statement of rollback) await client.query(statement);
  const { rows } = await client.query(
    "SELECT count(*)::int AS left FROM pg_index WHERE indexrelid::regclass::text LIKE '%\\_idx%'",
  );
  expect(rows[0].left).toBe(0);
});

test('the evidence is whole: statements helped, size, build time, writes, and what was left aside and why', () => {
  for (const { change, affects, estimate, evidence } of report.recommendations) {
    if (change.kind !== 'index.create') continue;
    expect(affects.length).toBeGreaterThan(0);
    expect(estimate.size_bytes).toBeGreaterThan(0);
    expect(estimate.build_seconds).toBeGreaterThan(0);
    expect(estimate.write_overhead).not.toBeNull();
    expect(affects[0]?.plan_change ?? affects.length).toBeTruthy();
    expect(evidence.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['size', 'workload cost with it']),
    );
  }
  expect(report.summary.not_analysed.map(({ code }) => code).toSorted()).toEqual(['truncated', 'utility']);
  for (const { code, reason } of report.rejections)
    expect([code.length > 0, reason.length > 0]).toEqual([true, true]);
});
