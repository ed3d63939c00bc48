/** Ends of columns: what is looked up, by which index, and what is left alone. */
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';
import { collectOn, collectWatched } from './watched.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;
const newest = Math.max(...testMajors);

let undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of undo.reverse()) await action();
  undo = [];
});

async function prepare(major: number, statements: string[]) {
  const server = await testServer({ major });
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  undo.push(() => database.drop());
  const client = new pg.Client({ connectionString: database.dsn });
  client.on('error', () => {});
  await client.connect();
  undo.push(() => client.end());
  for (const sql of statements) {
    await client.query(sql);
    // What is told to the statistics after an ANALYZE counts as done since; a busy server takes what it is told later.
    if (major >= 15) await client.query('SELECT pg_stat_force_next_flush()');
  }
  return { client, dsn: database.dsn };
}

/** Until the statistics know of changes to so many tables, or to none. */
async function changed(client: pg.Client, tables: number): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      'SELECT count(*)::int AS count FROM pg_class WHERE relkind = $1 AND pg_stat_get_mod_since_analyze(oid) > 0 AND relnamespace <> 11',
      ['r'],
    );
    if (tables === 0 ? rows[0].count === 0 : rows[0].count >= tables) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const endsOf = (snapshot: Snapshot) =>
  Object.fromEntries(
    snapshot.columns.flatMap((column) =>
      column.ends === undefined ? [] : [[`${column.table}.${column.name}`, column.ends]],
    ),
  );

const KINDS = `
CREATE TABLE "Odd ""T" (id int PRIMARY KEY, "at <least>" timestamptz, d date, n numeric, r float8, s smallint, b bigint, t time, u uuid, v text,
  first int, last int, down int, other int, part int, expr int, hash int, brin int, unindexed int, nothing int);
INSERT INTO "Odd ""T" SELECT g, '2026-01-01'::timestamptz + g * interval '1 hour', '2026-01-01'::date + g, g / 3.0, g, g, g, '00:00'::time + g * interval '1 second',
  gen_random_uuid(), g::text, g, g, g, g, g, g, g, g, g, g FROM generate_series(1, 1000) AS g;
CREATE INDEX ON "Odd ""T" ("at <least>", id); CREATE INDEX ON "Odd ""T" (d DESC); CREATE INDEX ON "Odd ""T" (n); CREATE INDEX ON "Odd ""T" (r);
CREATE INDEX ON "Odd ""T" (s); CREATE INDEX ON "Odd ""T" (b); CREATE INDEX ON "Odd ""T" (t); CREATE INDEX ON "Odd ""T" (u); CREATE INDEX ON "Odd ""T" (v);
CREATE INDEX ON "Odd ""T" (first NULLS FIRST); CREATE INDEX ON "Odd ""T" (down DESC); CREATE INDEX ON "Odd ""T" (last DESC NULLS LAST);
CREATE INDEX ON "Odd ""T" (id, other); CREATE INDEX ON "Odd ""T" (part) WHERE part > 5; CREATE INDEX ON "Odd ""T" ((expr + 1));
CREATE INDEX ON "Odd ""T" USING hash (hash); CREATE INDEX ON "Odd ""T" USING brin (brin); CREATE INDEX ON "Odd ""T" (nothing);
CREATE TABLE still (id int PRIMARY KEY); INSERT INTO still SELECT generate_series(1, 1000);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (LIKE parent INCLUDING ALL) INHERITS (parent);
INSERT INTO parent SELECT generate_series(1, 500); INSERT INTO child SELECT generate_series(1000, 1500);
CREATE TABLE tree (k int PRIMARY KEY) PARTITION BY RANGE (k); CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (99999);
INSERT INTO tree SELECT generate_series(1, 500)`;
const CHANGES = `
INSERT INTO "Odd ""T" SELECT g, '2026-01-01'::timestamptz + g * interval '1 hour', '2026-01-01'::date + g, g / 3.0, g, g, g, '00:00'::time + g * interval '1 second',
  gen_random_uuid(), g::text, g, g, g, g, g, g, g, g, g, g FROM generate_series(1001, 1100) AS g;
INSERT INTO "Odd ""T" (id) VALUES (0); UPDATE "Odd ""T" SET nothing = NULL;
INSERT INTO parent VALUES (501); INSERT INTO child VALUES (1501); INSERT INTO tree VALUES (501)`;

describe.each(majors)('on PostgreSQL %i', (major) => {
  it('numbers and times that a B-tree leads with, of tables that changed, and no table is scanned', async () => {
    const { client, dsn } = await prepare(major, [KINDS]);
    // What a session did is told some time later, and after an ANALYZE would count as done since.
    await changed(client, 5);
    await client.query('ANALYZE');
    await changed(client, 0);
    await client.query(CHANGES);
    await changed(client, 4);
    const scans = async () =>
      (
        await client.query(
          "SELECT sum(pg_stat_get_numscans(oid))::int AS scans, sum(pg_stat_get_tuples_returned(oid))::int AS rows FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 2200",
        )
      ).rows[0];
    const before = await scans();
    const snapshot = await collectWatched(dsn);
    expect(snapshot.limits).toEqual([]);
    const all = { min: '1', max: '1100' };
    expect(endsOf(snapshot)).toEqual({
      'Odd "T.id': { min: '0', max: '1100' },
      'Odd "T.at <least>': { min: '2026-01-01 01:00:00+00', max: '2026-02-15 20:00:00+00' },
      'Odd "T.d': { min: '2026-01-02', max: '2029-01-05' },
      'Odd "T.n': { min: '0.33333333333333333333', max: '366.6666666666666667' },
      'Odd "T.r': all,
      'Odd "T.s': all,
      'Odd "T.b': all,
      'Odd "T.t': { min: '00:00:01', max: '00:18:20' },
      'Odd "T.first': all,
      'Odd "T.last': all,
      'Odd "T.down': all,
      'Odd "T.nothing': null,
      'parent.id': { min: '1', max: '501' },
      'child.id': { min: '1000', max: '1501' },
      'leaf.k': { min: '1', max: '501' },
    });
    // Neither a table nor an index: an index that nobody uses must not pass for used.
    expect(await scans()).toEqual(before);
    // All of them are one statement to whoever watches.
    const { rows } = await client.query(
      "SELECT count(*)::int AS count FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (query LIKE '%Odd%LIMIT%' OR query LIKE '%query_to_xml%')",
    );
    expect(rows[0].count).toBe(1);
  });
});

describe.each([majors[0] as number, newest])('counted looks, PostgreSQL %i', (major) => {
  it('are for unique indexes alone, unless the role may keep them from being counted', async () => {
    const role = `counted_${Math.random().toString(36).slice(2, 8)}`;
    const { client, dsn } = await prepare(major, [
      `CREATE TABLE a (id int PRIMARY KEY, at int, twice int UNIQUE); INSERT INTO a SELECT g, g, g FROM generate_series(1, 1000) AS g;
       CREATE INDEX unused ON a (at); CREATE INDEX also ON a (twice, at);
       CREATE ROLE ${role} LOGIN PASSWORD 'x' IN ROLE pg_monitor, pg_read_all_data`,
      'ANALYZE',
      'INSERT INTO a VALUES (1001, 1001, 1001)',
    ]);
    undo.push(() => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
    await changed(client, 1);
    const ends = { min: '1', max: '1001' };
    const snapshot = await collectWatched(asRole(dsn, role, 'x'));
    expect(endsOf(snapshot)).toEqual({ 'a.id': ends });
    const [limit] = snapshot.limits;
    expect(limit).toMatchObject({
      code: 'column_ends_counted',
      message: expect.stringContaining('of 2 columns'),
    });
    if (major < 15) return expect(limit?.remedy).toBeNull();
    await client.query(limit?.remedy ?? '');
    const now = await collectWatched(asRole(dsn, role, 'x'));
    expect(now.limits).toEqual([]);
    expect(endsOf(now)).toEqual({ 'a.id': ends, 'a.at': ends, 'a.twice': ends });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const { rows } = await client.query(
      "SELECT sum(pg_stat_get_numscans(oid))::int AS scans FROM pg_class WHERE relname IN ('unused', 'also')",
    );
    expect(rows[0].scans).toBe(0);
  });
});

describe('what is left alone', () => {
  const SIMPLE =
    'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000); INSERT INTO b SELECT generate_series(1, 1000)';
  const MORE = 'INSERT INTO a VALUES (1001); INSERT INTO b VALUES (1002)';

  it('by configuration, all', async () => {
    const { client, dsn } = await prepare(newest, [SIMPLE, 'ANALYZE', MORE]);
    await changed(client, 2);
    const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const asked: string[] = [];
    const around = (sql: string, send: () => Promise<object[]>) => {
      asked.push(sql);
      return send();
    };
    expect(endsOf(await collectOn(session, around, { column_ends: false }))).toEqual({});
    expect(asked.filter((sql) => sql.includes('query_to_xml'))).toEqual([]);
    expect(Object.keys(endsOf(await collectOn(session)))).toEqual(['a.id', 'b.id']);
    // The session is as it was.
    const [row] = await session.query<{ timeout: string; seqscan: string }>(
      "SELECT current_setting('statement_timeout') AS timeout, current_setting('enable_seqscan') AS seqscan",
    );
    expect(row).toEqual({ timeout: '30s', seqscan: 'on' });
    await session.close();
  });

  it('what the role may not read, and what policies hide', async () => {
    const role = `ends_${Math.random().toString(36).slice(2, 8)}`;
    const { client, dsn } = await prepare(newest, [
      SIMPLE,
      `CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c SELECT generate_series(1, 1000); ALTER TABLE c ENABLE ROW LEVEL SECURITY;
       CREATE ROLE ${role} LOGIN PASSWORD 'x' IN ROLE pg_monitor; GRANT SELECT ON b, c TO ${role}`,
      'ANALYZE',
      `${MORE}; INSERT INTO c VALUES (1003)`,
    ]);
    undo.push(() => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
    await changed(client, 3);
    const snapshot = await collectWatched(asRole(dsn, role, 'x'));
    expect(endsOf(snapshot)).toEqual({ 'b.id': { min: '1', max: '1002' } });
    expect(snapshot.limits.filter((limit) => limit.scope === 'column-ends')).toMatchObject([
      { code: 'column_ends_hidden', message: expect.stringContaining('of 1 columns') },
    ]);
  });

  it('a table that somebody locks meanwhile, and that alone', async () => {
    const { client, dsn } = await prepare(newest, [SIMPLE, 'ANALYZE', MORE]);
    await changed(client, 2);
    let locked = false;
    const snapshot = await collectWatched(
      dsn,
      async (sql, send) => {
        if (!locked && sql.includes('query_to_xml')) {
          locked = true;
          await client.query('BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
        }
        return send();
      },
      { patient: false },
    );
    await client.query('ROLLBACK');
    expect(endsOf(snapshot)).toEqual({ 'b.id': { min: '1', max: '1002' } });
    expect(snapshot.limits).toMatchObject([
      { code: 'column_ends_unread', message: expect.stringContaining('of 1 columns') },
    ]);
  });

  it('an end behind many dead rows is given up, or found', async () => {
    const { client, dsn } = await prepare(newest, [
      'CREATE TABLE queue (id int PRIMARY KEY) WITH (autovacuum_enabled = off); INSERT INTO queue SELECT generate_series(1, 300000)',
      'ANALYZE',
      'DELETE FROM queue WHERE id < 299000',
    ]);
    await changed(client, 1);
    const snapshot = await collectWatched(dsn, undefined, { patient: false });
    const [ends] = Object.values(endsOf(snapshot));
    if (ends === undefined) expect(snapshot.limits).toMatchObject([{ code: 'column_ends_unread' }]);
    else expect(ends).toEqual({ min: '299000', max: '300000' });
  });

  // More than the 2,000 that one statement lists.
  it('of 3,000 columns all but the 500 that changed most', async () => {
    const { client, dsn } = await prepare(newest, [
      `DO $$ BEGIN FOR i IN 1..30 LOOP
         EXECUTE format('CREATE TABLE t%s (%s)', i, (SELECT string_agg(format('c%s int', c), ', ') FROM generate_series(1, 100) c));
         EXECUTE format('INSERT INTO t%s SELECT %s FROM generate_series(1, 20) g', i, (SELECT string_agg('g', ', ') FROM generate_series(1, 100)));
         FOR c IN 1..100 LOOP EXECUTE format('CREATE INDEX ON t%s (c%s)', i, c); END LOOP; COMMIT;
       END LOOP; END $$`,
      'ANALYZE',
      `DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('INSERT INTO t%s SELECT * FROM t%s LIMIT %s', i, i, greatest(1, i / 5)); END LOOP; END $$`,
    ]);
    await changed(client, 30);
    const statements: string[] = [];
    const snapshot = await collectWatched(dsn, (sql, send) => {
      if (sql.includes('query_to_xml')) statements.push(sql);
      return send();
    });
    const read = snapshot.columns.filter((column) => column.ends !== undefined);
    expect(read.length).toBeLessThanOrEqual(500);
    expect(statements.length).toBeLessThanOrEqual(25);
    expect(new Set(read.map((column) => column.table)).has('t1')).toBe(false);
    expect(snapshot.limits).toMatchObject([
      { code: 'column_ends_unread', message: expect.stringContaining(`of ${3_000 - read.length} columns`) },
    ]);
  }, 120_000);
});
