import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot, Workload, WorkloadQuery } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { sampleStatements, usageCatalog, workloadFromSnapshot } from '../../src/workload/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const majors = [...new Set([...availableMajors().filter((major) => major >= 14), ...testMajors])].sort();

const SCHEMA = `
  create extension pg_stat_statements;
  create table t (a int, b text);
  insert into t select i, 'x' || i from generate_series(1, 100) i;
  create function total(int) returns bigint language plpgsql as $$
    begin perform pg_sleep(0.02); return (select count(*) from t where a > $1); end $$;
`;

async function onServer(
  major: number,
  settings: Record<string, string>,
  work: (client: pg.Client, name: string) => Promise<void>,
): Promise<{ snapshot: Snapshot; workload: Workload }> {
  const server = await testServer({ major, settings });
  const database = await server.createDatabase({ sql: SCHEMA });
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  try {
    await client.query(
      'select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = current_database()',
    );
    await work(client, database.name);
  } finally {
    await client.end();
  }
  const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
  try {
    const snapshot = await collectSnapshot(session);
    return { snapshot, workload: await workloadFromSnapshot(snapshot) };
  } finally {
    await session.close();
  }
}

const find = (workload: Workload, text: string) =>
  workload.queries.filter((query) => query.query.includes(text));

const SPELLINGS = [
  'select b from t where a in (1, 2, 3)',
  'SELECT b  FROM t /* request 7 */ WHERE a IN (4,5)',
  `select b
     from t -- a comment
     where a in (1, 2, 3, 4, 5, 6, 7)`,
  'select b from t where a in (8, 9) /* trailing: sqlcommenter */',
];

test('one statement in many spellings has one fingerprint, the same on every major', async () => {
  const ids = new Set<string>();
  for (const major of majors) {
    const { workload } = await onServer(major, {}, async (client) => {
      for (const sql of SPELLINGS) await client.query(sql);
      // What IN becomes in the planner.
      await client.query('select b from t where a = any ($1)', [[1, 2]]);
    });
    const joined = workload.queries.filter((query) => query.calls === SPELLINGS.length + 1);
    expect(joined).toHaveLength(1);
    ids.add(joined[0]?.query_id ?? '');
  }
  expect(ids.size).toBe(1);
});

describe.each(majors)('PostgreSQL %i', (major) => {
  test('prepared statements and cursors are the statements that they run', async () => {
    const { workload } = await onServer(major, {}, async (client) => {
      await client.query('prepare p (int) as select a, b, a + 1 from t where a = $1');
      for (let value = 0; value < 3; value++) await client.query(`execute p (${value})`);
      for (let round = 0; round < 2; round++) {
        await client.query('begin');
        await client.query('declare c no scroll cursor for select pg_sleep(0.005), b from t where a < 90');
        await client.query('fetch 3 from c');
        await client.query('fetch 2 from c');
        await client.query('commit');
      }
      await client.query('select a, b, a + 5 from t where a = 7');
    });
    expect(find(workload, 'a + ')).toMatchObject([{ class: 'select', calls: 4, rows: 3 }]);
    const [cursor] = find(workload, 'pg_sleep');
    expect(cursor).toMatchObject({ class: 'select', calls: 2, rows: 10 });
    expect(cursor?.query.startsWith('select')).toBe(true);
    // Five rows of 5 ms each, twice.
    expect(cursor?.total_exec_time_ms).toBeGreaterThan(45);
    expect(cursor?.mean_exec_time_ms).toBeCloseTo((cursor?.total_exec_time_ms ?? 0) / 2, 3);
  });

  test('what runs inside of functions is seen, and counts once in the time of the database', async () => {
    const { workload, snapshot } = await onServer(
      major,
      { 'pg_stat_statements.track': 'all' },
      async (client) => {
        for (let round = 0; round < 3; round++) await client.query('select total(5)');
        await client.query('create table copied as select b, a from t where a > 50');
        await client.query('do $$ begin perform count(*) from t where a = 80; end $$');
        await client.query('begin');
        await client.query('declare k cursor for select b, a * 2 from t where a < 90');
        await client.query('fetch 4 from k');
        await client.query('commit');
      },
    );
    expect(find(workload, 'count(*)').length).toBeGreaterThan(0);
    // From 18 on the cursor's statement has a row of its own, beside those of DECLARE and FETCH.
    expect(find(workload, 'a * ')).toMatchObject([{ calls: 1 }]);
    const top = snapshot.statements.filter(
      (row) => row.toplevel && !(row.query?.startsWith('declare') && row.rows > 0),
    );
    const truth = top.reduce((sum, row) => sum + row.total_exec_time_ms, 0);
    expect(workload.database_time_ms).toBeCloseTo(truth, 6);
    expect(snapshot.statements.some((row) => !row.toplevel)).toBe(true);
    expect(workload.limits.map((limit) => limit.code)).toContain('nested_statements');
    expect(workload.set_aside.some((entry) => entry.query.startsWith('create table copied'))).toBe(true);
    for (const query of workload.queries) expect(query.share_of_time).toBeLessThanOrEqual(1);
  });

  test('variables of functions are parameters of the statements inside', async () => {
    const statements = `
      create function by_id(p_id int) returns text language plpgsql as $$
        declare v_low int := 3; r record; begin
          select b into r from t where p_id = a and a > v_low; perform count(*) from t where b like r.b; return r.b; end $$;
      create function counted(p int) returns bigint language sql as $$ select count(*) from t where a < p $$;`;
    const { workload, snapshot } = await onServer(
      major,
      { 'pg_stat_statements.track': 'all' },
      async (client) => {
        await client.query(statements);
        await client.query('analyze t');
        await client.query('select by_id(7), counted(9)');
      },
    );
    const catalog = await usageCatalog(snapshot);
    const inner = workload.queries.filter(
      (query) => query.nested === true && query.query.includes('from t where'),
    );
    expect(inner.length).toBe(3);
    const server = await testServer({ major, settings: { 'pg_stat_statements.track': 'all' } });
    const client = new pg.Client({ connectionString: server.dsn(snapshot.server.database) });
    await client.connect();
    for (const query of inner) {
      const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
      for (const parameter of parameters) {
        expect(parameter.column).toBe(query.query.includes('like') ? 'public.t.b' : 'public.t.a');
        expect(parameter.source).toContain('variable ');
      }
      expect(samples.length).toBeGreaterThan(0);
      for (const { sql } of samples) await client.query(`explain ${sql}`);
    }
    await client.end();
    // A name that clients sent is a column that we do not know.
    const sent = { ...(inner[0] as WorkloadQuery) };
    delete sent.nested;
    const asSent = await sampleStatements(sent, snapshot, catalog);
    expect(asSent.parameters).toEqual([]);
  });

  test('our own statements and those of maintenance are set aside and counted', async () => {
    const { workload } = await onServer(major, {}, async (client) => {
      await client.query('vacuum t');
      await client.query('select a from t\n/* pgluthier */');
      await client.query('select b from t');
    });
    const codes = new Map(workload.set_aside.map((entry) => [entry.query.split('\n')[0], entry.code]));
    expect(codes.get('vacuum t')).toBe('utility');
    expect(codes.get('select a from t')).toBe('own_query');
    expect(find(workload, 'select b from t')).toHaveLength(1);
  });

  test('the same text on tables of different schemas is never joined silently', async () => {
    const roles = ['north', 'south'].map((name) => `${name}_${process.pid}_${major}`);
    const server = await testServer({ major });
    let user = '';
    const { workload } = await onServer(major, {}, async (client) => {
      user = (await client.query('select current_user u')).rows[0].u;
      for (const role of roles) {
        await client.query(`create role "${role}"`);
        await client.query(`create schema "${role}" authorization "${role}"`);
        await client.query(
          `create table "${role}".orders (id int); alter table "${role}".orders owner to "${role}"`,
        );
        // The role's own path counts for sessions that log in as it: it is stated, and set for this session.
        await client.query(`alter role "${role}" set search_path = "${role}"`);
        await client.query(`set role "${role}"`);
        await client.query(`set search_path = "${role}"`);
        await client.query('select id from orders where id = 1');
        await client.query('select id from orders where id = 2');
        await client.query('reset role');
        await client.query('reset search_path');
      }
      // One user that changes its path by itself.
      for (const role of roles) {
        await client.query(`set search_path = "${role}"`);
        await client.query('select id + 1 from orders');
      }
    });
    expect(find(workload, 'where id').map((query) => [query.query, query.calls, query.users])).toEqual(
      expect.arrayContaining(roles.map((role) => [`select id from ${role}.orders where id = $1`, 2, [role]])),
    );
    expect(find(workload, 'where id')).toHaveLength(2);
    const codes = workload.limits.map((limit) => limit.code);
    if (major < 18) {
      expect(find(workload, 'id +')).toEqual([]);
      expect(workload.set_aside.filter((entry) => entry.code === 'ambiguous_schema')).toMatchObject([
        { calls: 2 },
      ]);
      expect(codes).toContain('statements_ambiguous_schema');
    } else {
      // The server itself has joined them.
      expect(find(workload, 'id +')).toMatchObject([{ calls: 2, users: [user] }]);
      expect(codes).toContain('statements_schemas_joined');
    }
    const admin = new pg.Client({ connectionString: server.dsn() });
    await admin.connect();
    for (const role of roles) await admin.query(`alter role "${role}" reset search_path`);
    await admin.end();
  });
});
