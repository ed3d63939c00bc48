import { readdirSync } from 'node:fs';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { floorsOf } from '../../src/collect/variants.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA "Größe"; CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('it''s', 'fine');
CREATE DOMAIN other.positive AS integer CHECK (VALUE > 0);
CREATE FUNCTION other.first_word(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT split_part(t, ' ', 1) $$;
CREATE TABLE "Größe"."Select" (
  "Id" integer PRIMARY KEY, "naïve ""name""" text, mood other.mood, amount other.positive, doc jsonb,
  at timestamptz, tags text[], code varchar(10) COLLATE "C");
CREATE TABLE other."Select" ("Id" integer REFERENCES "Größe"."Select");
INSERT INTO "Größe"."Select"
  SELECT g, CASE WHEN g % 3 = 0 THEN NULL ELSE E'a"b\\\\,{' || g END, 'it''s', g, jsonb_build_object('k', g), now(), ARRAY['x', g::text], 'c'
  FROM generate_series(1, 2000) AS g;
CREATE INDEX "Expr" ON "Größe"."Select" (other.first_word("naïve ""name"""), "Id" DESC NULLS LAST) INCLUDE (amount) WHERE amount > 5;
CREATE INDEX doc_gin ON "Größe"."Select" USING gin (doc jsonb_path_ops);
CREATE INDEX at_brin ON "Größe"."Select" USING brin (at) WITH (pages_per_range = 16);
ALTER TABLE "Größe"."Select" SET (autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE other.part (k integer, v text) PARTITION BY RANGE (k);
CREATE TABLE other.part_1 PARTITION OF other.part FOR VALUES FROM (0) TO (100);
CREATE TABLE other.part_2 PARTITION OF other.part DEFAULT;
CREATE INDEX ON other.part (k);
CREATE VIEW other.v AS SELECT "Id" FROM "Größe"."Select";
ANALYZE;
`;

async function collect(dsn: string, deadlineMs?: number): Promise<Snapshot> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
  try {
    return await collectSnapshot(session, deadlineMs === undefined ? {} : { deadlineMs });
  } finally {
    await session.close();
  }
}

/** 14 is still collected from, where a server of it is at hand. */
const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;

describe.each(majors)('PostgreSQL %i', (major) => {
  it('gives every noun in the same shape, whatever the names', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: SCHEMA });
    const snapshot = await collect(database.dsn);
    expect(snapshot.limits).toEqual([]);
    expect(snapshot.server.server_version_num).toBeGreaterThanOrEqual(major * 10_000);

    const table = snapshot.tables.find((row) => row.schema === 'Größe');
    expect(table).toMatchObject({
      name: 'Select',
      reltuples: 2000,
      // 14's statistics collector tells it half a second later.
      n_live_tup: major >= 15 ? 2000 : expect.any(Number),
      reloptions: { autovacuum_vacuum_scale_factor: '0.05' },
      n_tup_newpage_upd: major >= 16 ? 0 : null,
    });
    expect(table?.main_pages).toBe(table?.relpages);
    expect(snapshot.tables.filter((row) => row.name === 'Select')).toHaveLength(2);

    const expression = snapshot.indexes.find((row) => row.name === 'Expr');
    expect(expression).toMatchObject({
      table_oid: table?.oid,
      method: 'btree',
      key_attnums: [0, 1],
      include: ['amount'],
      options: [0, 1],
      is_valid: true,
      constraint_name: null,
    });
    expect(expression?.predicate).toContain('> 5');
    expect(snapshot.indexes.find((row) => row.name === 'Select_pkey')).toMatchObject({
      is_primary: true,
      constraint_name: 'Select_pkey',
      opclasses: ['pg_catalog.int4_ops'],
    });
    expect(snapshot.indexes.find((row) => row.name === 'at_brin')?.reloptions).toEqual({
      pages_per_range: '16',
    });

    const column = snapshot.columns.find((row) => row.name === 'naïve "name"');
    expect(column?.stats?.null_frac).toBeCloseTo(1 / 3, 1);
    expect(column?.stats?.histogram_bounds).toContain('a\\"b\\\\,{');
    expect(snapshot.columns.find((row) => row.name === 'mood')?.type).toBe('other.mood');
    expect(snapshot.columns.find((row) => row.name === 'amount')?.typtype).toBe('d');
    expect(snapshot.columns.find((row) => row.name === 'code')).toMatchObject({
      type: 'character varying(10)',
      collation: 'pg_catalog."C"',
    });

    expect(snapshot.schema.enums).toEqual([{ schema: 'other', name: 'mood', labels: ["it's", 'fine'] }]);
    expect(snapshot.schema.domains[0]).toMatchObject({ name: 'positive', base_type: 'integer' });
    expect(snapshot.schema.partition_keys).toMatchObject([{ definition: 'RANGE (k)' }]);
    expect(snapshot.schema.partition_bounds).toHaveLength(2);
    expect(snapshot.schema.functions.map((row) => row.name)).toEqual(['first_word']);
    expect(snapshot.schema.views.map((row) => row.name)).toContain('v');
    expect(snapshot.schema.constraints.find((row) => row.type === 'f')).toMatchObject({
      table: 'Select',
      columns: ['Id'],
      referenced_oid: table?.oid,
    });
    expect(snapshot.statements.length).toBeGreaterThan(0);
    expect(snapshot.statements[0]?.jit_time_ms === null).toBe(major < 15);
    expect(snapshot.settings.find((row) => row.name === 'search_path')?.setting).not.toBe('pg_catalog');
    await database.drop();
  });
});

it('has a floor of each noun that reaches the oldest supported version', () => {
  for (const noun of readdirSync('sql/collect')) {
    const oldest =
      {
        statements: '1.9',
        'statement-texts': '1.9',
        'statements-info': '1.9',
        io: '160000',
        'range-statistics': '170000',
      }[noun] ?? '140000';
    expect([noun, floorsOf(noun)[0]]).toEqual([noun, oldest]);
  }
  expect(floorsOf('statements')).toEqual(['1.9', '1.10', '1.11']);
});

describe('what cannot be seen', () => {
  it('becomes limits for a role without rights, with the GRANT that helps', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const admin = new pg.Client({ connectionString: database.dsn });
    await admin.connect();
    await admin.query(`DROP ROLE IF EXISTS nobody_special; CREATE ROLE nobody_special LOGIN PASSWORD 'x'`);
    await admin.query('GRANT USAGE ON SCHEMA "Größe" TO nobody_special');
    const snapshot = await collect(asRole(database.dsn, 'nobody_special', 'x'));
    expect(snapshot.columns.length).toBeGreaterThan(5);
    expect(snapshot.columns.every((row) => row.stats === null)).toBe(true);
    const hidden = snapshot.statements.filter((row) => row.queryid === '');
    expect(hidden.length).toBeGreaterThan(0);
    expect(hidden.every((row) => row.query === null)).toBe(true);
    expect(snapshot.tables.map((row) => row.name)).toContain('Select');
    expect(snapshot.limits.map((limit) => limit.code)).toEqual(
      expect.arrayContaining(['not_monitor', 'texts_hidden', 'column_statistics_hidden']),
    );
    expect(snapshot.limits.find((limit) => limit.code === 'column_statistics_hidden')?.remedy).toContain(
      'pg_read_all_data',
    );
    await admin.query('DROP OWNED BY nobody_special; DROP ROLE nobody_special');
    await admin.end();
    await database.drop();
  });

  it('is said where pg_stat_statements is missing', async () => {
    const server = await testServer();
    const database = await server.createDatabase();
    const snapshot = await collect(database.dsn);
    expect(snapshot.statements).toEqual([]);
    expect(snapshot.limits).toMatchObject([
      {
        scope: 'statements',
        code: 'pg_stat_statements_missing',
        remedy: 'CREATE EXTENSION pg_stat_statements;',
      },
    ]);
    await database.drop();
  });

  it('is said for what the deadline leaves out', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    await expect(collectSnapshot(session, { deadlineMs: -1 })).rejects.toMatchObject({
      code: 'server_facts_unreadable',
    });
    await session.close();
    await database.drop();
  });
});

describe('while others work', () => {
  it('does not wait behind an exclusive lock: its size then comes from the catalog', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const holder = new pg.Client({ connectionString: database.dsn });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE other."Select" IN ACCESS EXCLUSIVE MODE');
    const snapshot = await collect(database.dsn);
    expect(snapshot.limits.map((limit) => limit.code)).toContain('relations_locked');
    expect(snapshot.tables.find((row) => row.schema === 'Größe')?.main_pages).toBeGreaterThan(0);
    await holder.end();
    await database.drop();
  });

  it('survives tables that come and go', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const churn = new pg.Client({ connectionString: database.dsn });
    await churn.connect();
    let going = true;
    const work = (async () => {
      while (going) await churn.query('CREATE TABLE c (i int PRIMARY KEY); DROP TABLE c');
    })();
    for (let round = 0; round < 8; round += 1) {
      const snapshot = await collect(database.dsn);
      expect(snapshot.tables.length).toBeGreaterThanOrEqual(5);
    }
    going = false;
    await work;
    await churn.end();
    await database.drop();
  });

  it('fails clearly when its session is ended, and the next one works', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const killer = new pg.Client({ connectionString: database.dsn });
    await killer.connect();
    await killer.query('SELECT pg_terminate_backend($1)', [session.pid]);
    await expect(collectSnapshot(session)).rejects.toMatchObject({ code: 'target_connection_lost' });
    await session.close();
    expect((await collect(database.dsn)).limits).toEqual([]);
    await killer.end();
    await database.drop();
  });
});
