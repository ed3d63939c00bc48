import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexDefinitionSchema, type PlannableStatement, type WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const HOSTILE = [`'; DROP TABLE plain; --`, `{"a\\",b}`, 'NULL', '', '\\', '💥\u0001', `$1 \\' " %s`, '},{'];

describe('a twin', () => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(18, [
      `CREATE TYPE mood AS ENUM ('good', 'bad', 'gone');
       CREATE TABLE plain (id int PRIMARY KEY, v text, feeling mood, odd xid8);
       CREATE TABLE outside (id int);
       CREATE FUNCTION who(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql SECURITY DEFINER AS
         $$ BEGIN RETURN (SELECT 'superuser: ' || rolsuper FROM pg_roles WHERE rolname = current_user) || t; END $$;
       CREATE TABLE called (v text);
       CREATE INDEX called_who ON called (who(v))`,
    ]);
    await source.client.query(
      `INSERT INTO plain SELECT i, ($1::text[])[1 + i % $2], (ARRAY['good', 'bad'])[1 + i % 2]::mood, '1' FROM generate_series(1, 4000) AS i`,
      [HOSTILE, HOSTILE.length],
    );
    await source.client.query('ANALYZE');
    const again = await openSourceSnapshot(source);
    // As if a label had gone between the reading of the statistics and of the types.
    const feeling = again.columns.find((column) => column.name === 'feeling');
    if (feeling?.stats) feeling.stats.most_common_vals = '{good,"no such \\"label"}';
    const outside = again.columns.find((column) => column.table === 'outside');
    if (outside) outside.type = 'public.geometry(Point,4326)';
    twin = await openTwin(again);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  it('takes statistics of any content as data', async () => {
    for (const value of HOSTILE) {
      const sql = `SELECT * FROM plain WHERE v = E'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      const [answer] = await twin.costs(asIs, [statement(sql)]);
      const real = await source.plan(sql);
      expect([answer?.error, answer?.rows]).toEqual([null, real['Plan Rows']]);
    }
  });

  it('says what it could not rebuild, and plans the rest', async () => {
    const codes = twin.limits.map((limit) => limit.code).sort();
    expect(codes).toEqual(['column_left_out', 'statistics_refused']);
    const [lost, kept] = await twin.costs(asIs, [
      statement('SELECT id FROM outside'),
      statement("SELECT * FROM plain WHERE feeling = 'good'"),
    ]);
    expect(lost).toMatchObject({ cost: null, error: 'column "id" does not exist' });
    expect(kept?.cost).toBeGreaterThan(0);
  });

  it.each([
    'SELECT 1; DROP TABLE plain',
    'SELECT 1); DROP TABLE plain; --',
    'ANALYZE SELECT 1',
    'DROP TABLE plain',
    "COPY plain FROM PROGRAM 'true'",
    "SELECT pg_read_file('PG_VERSION')::int",
  ])('never runs a statement: %s', async (sql) => {
    const [answer, after] = await twin.costs(asIs, [statement(sql), statement('SELECT * FROM plain')]);
    if (!sql.includes('pg_read_file')) expect(answer?.cost).toBeNull();
    expect(after?.error).toBeNull();
  });

  it('takes a single statement, however harmless a second one is', async () => {
    const [answer] = await twin.costs(asIs, [statement('SELECT 1; SELECT 2')]);
    expect(answer).toMatchObject({ cost: null, error: expect.stringContaining('multiple commands') });
  });

  it('calls functions of the target without a superuser’s rights', async () => {
    // Folded while planning: a constant of the plan shows what the function saw.
    const plan = await twin.explain(asIs, statement("SELECT * FROM called WHERE v = public.who('')"));
    expect(JSON.stringify(plan)).toContain('superuser: false');
  });

  it('refuses an index that PostgreSQL refuses, and leaves nothing of it', async () => {
    const definition = indexDefinitionSchema.parse({
      schema: 'public',
      table: 'plain',
      name: 'refused',
      keys: [{ column: null, expression: 'random() + id' }],
    });
    const size = { pages: 10, tuples: 4000, tree_height: 1 };
    await expect(twin.addIndex(definition, size)).rejects.toMatchObject({ code: 'candidate_refused' });
    const smuggled = {
      ...definition,
      keys: [{ ...definition.keys[0], expression: 'id)); DROP TABLE plain; --' }],
    };
    await expect(twin.addIndex(smuggled as typeof definition, size)).rejects.toMatchObject({
      code: 'candidate_refused',
    });
    const [answer] = await twin.costs(asIs, [statement('SELECT * FROM plain WHERE id = 3')]);
    expect(answer).toMatchObject({ indexes: ['public.plain_pkey'], error: null });
  });

  it('refuses names that it does not know', async () => {
    const ask = (configuration: { created: string[]; hidden: string[] }) => twin.costs(configuration, []);
    await expect(ask({ created: ['nobody'], hidden: [] })).rejects.toMatchObject({
      code: 'candidate_unknown',
    });
    await expect(ask({ created: [], hidden: ['public.nobody'] })).rejects.toMatchObject({
      code: 'index_unknown',
    });
  });

  it('answers in the order asked, with many at once', async () => {
    const asked = Array.from({ length: 40 }, (_, i) =>
      statement(`SELECT ${i}, * FROM plain WHERE id < ${i * 100}`),
    );
    const answers = await twin.costs(asIs, asked);
    expect(answers.map((answer) => answer.statement_id)).toEqual(asked.map((item) => item.id));
    const again = await twin.costs(asIs, asked.toReversed());
    expect(again.toReversed()).toEqual(answers);
  });

  it('answers many in one round trip as it does one by one, failures among them', async () => {
    const texts = [
      'SELECT * FROM plain',
      'SELECT id FROM outside',
      'SELECT 1; SELECT 2',
      ...Array.from({ length: 60 }, (_, n) => `SELECT * FROM plain WHERE id < ${n * 60}`),
      'VACUUM plain',
      "UPDATE plain SET v = 'x' WHERE id = 3",
    ];
    const alone: (number | string | null)[] = [];
    for (const sql of texts) {
      const [answer] = await twin.costs(asIs, [statement(sql)]);
      alone.push(answer?.cost ?? answer?.error ?? null);
    }
    const before = twin.questions;
    for (let round = 0; round < 2; round += 1) {
      const answers = await twin.costs(asIs, texts.map(statement));
      expect(answers.map((answer) => answer.cost ?? answer.error)).toEqual(alone);
    }
    expect(twin.questions - before).toBe(2 * texts.length);
    expect(new Set(alone).size).toBeGreaterThan(30);
  });

  it('is built by another major only with a word about it', async () => {
    const other = await openTwin(source.snapshot, { major: 15 });
    expect(other.limits.map((limit) => limit.code)).toContain('twin_other_major');
    await other.close();
  });

  it('is lost with an error of its own, not with plans that failed', async () => {
    const lost = await openTwin(source.snapshot);
    await lost.close();
    await expect(lost.costs(asIs, [statement('SELECT 1')])).rejects.toMatchObject({ code: 'twin_lost' });
  });
});

/** The snapshot after the rows came. */
async function openSourceSnapshot({ client, snapshot }: Source) {
  const { rows } = await client.query(
    `SELECT tablename, attname, inherited, null_frac::float8 AS null_frac, avg_width, n_distinct::float8 AS n_distinct,
            most_common_vals::text AS most_common_vals, most_common_freqs::float8[] AS most_common_freqs,
            histogram_bounds::text AS histogram_bounds, correlation::float8 AS correlation
     FROM pg_stats WHERE schemaname = 'public'`,
  );
  const { rows: sizes } = await client.query(
    `SELECT relname, relpages, reltuples::float8 AS reltuples, pg_relation_size(oid)::int / 8192 AS main_pages
     FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  );
  const copy = structuredClone(snapshot);
  for (const { relname, ...size } of sizes) {
    for (const row of [...copy.tables, ...copy.indexes]) if (row.name === relname) Object.assign(row, size);
  }
  for (const { tablename, attname, ...stats } of rows) {
    const column = copy.columns.find((row) => row.table === tablename && row.name === attname);
    const none = { most_common_elems: null, most_common_elem_freqs: null, elem_count_histogram: null };
    if (column) column.stats = { ...stats, ...none };
  }
  return copy;
}
