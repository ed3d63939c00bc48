/** What collecting costs a target: no lock above AccessShareLock, no temporary file, bounds on every statement. */
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { collectFastSnapshot } from '../../src/collect/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { EVERY_NOUN_SETTINGS, type EveryNoun, everyNoun } from './every-noun.ts';
import { collectWatched } from './watched.ts';

/** The oldest and the newest at hand: what differs in locks lies between them. */
const majors = [availableMajors().includes(14) ? 14 : Math.min(...testMajors), Math.max(...testMajors)];

describe.each(majors)('on PostgreSQL %i', (major) => {
  let database: EveryNoun | undefined;
  const clients: pg.Client[] = [];
  const connect = async (dsn: string) => {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    clients.push(client);
    return client;
  };
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await database?.stop();
    database = undefined;
  });
  /** A server of these settings alone: others' tests must not meet what is locked here. */
  const locked = () =>
    testServer({ major, settings: { ...EVERY_NOUN_SETTINGS, max_locks_per_transaction: '256' } });

  it('each statement of a full snapshot, held open, holds nothing above AccessShareLock', async () => {
    database = await everyNoun(await locked(), '1.9');
    const watcher = await connect(database.dsn);
    const modes = new Map<string, Set<string>>();
    const snapshot = await collectWatched(database.dsn, async (_, send, session) => {
      await session.query('BEGIN');
      const rows = await send();
      const held = await watcher.query<{ relation: string; mode: string }>(
        `SELECT relation::regclass::text AS relation, mode FROM pg_locks WHERE locktype = 'relation' AND pid = $1`,
        [session.pid],
      );
      for (const { relation, mode } of held.rows) {
        modes.set(mode, (modes.get(mode) ?? new Set()).add(relation));
      }
      await session.query('COMMIT');
      return rows;
    });
    expect(snapshot.limits).toEqual([]);
    expect([...modes.keys()]).toEqual(['AccessShareLock']);
    // What users own: views and what they read while they are printed, sequences while they are read.
    const ofUsers = [...(modes.get('AccessShareLock') ?? [])].filter((name) => !name.startsWith('pg_'));
    expect(ofUsers).toEqual(expect.arrayContaining(['main', 'main_id_seq']));
  });

  it('nobody who locks everything short of AccessExclusiveLock is in its way', async () => {
    database = await everyNoun(await locked(), '1.9');
    const holder = await connect(database.dsn);
    // Those that hold the prepared transaction, the index build and the vacuum have locks of their own.
    const { rows } = await holder.query<{ name: string }>(
      `SELECT oid::regclass::text AS name FROM pg_class
       WHERE relkind IN ('r', 'p') AND relnamespace <> 'pg_toast'::regnamespace
           AND relname NOT IN ('part', 'part_1', 'child', 'slow', 'main', 'pg_statistic')`,
    );
    await holder.query('SET allow_system_table_mods = on');
    await holder.query('BEGIN');
    for (const { name } of rows) await holder.query(`LOCK TABLE ${name} IN EXCLUSIVE MODE NOWAIT`);
    await holder.query('ALTER SEQUENCE main_id_seq INCREMENT 2');
    expect(rows.length).toBeGreaterThan(60);
    expect((await collectWatched(database.dsn)).limits).toEqual([]);
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const fast = await collectFastSnapshot(session, { known_statements: new Set() });
    await session.close();
    expect(fast.limits).toEqual([]);
    await holder.query('ROLLBACK');
  });

  it('a fast snapshot passes by tables that somebody holds exclusively', async () => {
    const server = await locked();
    const created = await server.createDatabase({
      sql: 'CREATE EXTENSION pg_stat_statements; CREATE TABLE held (id serial PRIMARY KEY, v text)',
    });
    const holder = await connect(created.dsn);
    await holder.query(
      'BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE; ALTER SEQUENCE held_id_seq MAXVALUE 5',
    );
    const session = await openTarget(created.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const fast = await collectFastSnapshot(session, { known_statements: new Set() });
    expect(fast.limits).toEqual([]);
    expect(fast.tables).toHaveLength(1);
    await session.close();
    await holder.query('ROLLBACK');
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await created.drop();
  });

  it('a catalog that somebody holds exclusively is a clear failure, or a limit of its nouns', async () => {
    database = await everyNoun(await locked(), '1.9');
    const holder = await connect(database.dsn);
    await holder.query('SET allow_system_table_mods = on');
    // Every plan looks here.
    await holder.query('BEGIN; LOCK TABLE pg_statistic IN ACCESS EXCLUSIVE MODE');
    await expect(collectWatched(database.dsn)).rejects.toMatchObject({ code: 'target_catalog_locked' });
    await holder.query('ROLLBACK; BEGIN; LOCK TABLE pg_statistic_ext_data IN ACCESS EXCLUSIVE MODE');
    const { limits, tables, columns } = await collectWatched(database.dsn);
    expect(limits.map((limit) => `${limit.scope} ${limit.code}`)).toContain('extended-statistics timed_out');
    expect(tables.length).toBeGreaterThan(5);
    expect(columns.length).toBeGreaterThan(10);
    await holder.query('ROLLBACK');
    expect((await collectWatched(database.dsn)).limits).toEqual([]);
  });

  it('writes no temporary file, however much there is to read, and bounds every statement', async () => {
    const server = await testServer({ major, settings: { 'pg_stat_statements.max': '1000' } });
    const created = await server.createDatabase({
      sql: `CREATE EXTENSION pg_stat_statements;
        DO $$ BEGIN FOR i IN 1..60 LOOP
          EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, a text, b text)', i);
          EXECUTE format('INSERT INTO t_%s SELECT g, repeat(md5(g::text), 20), repeat(md5((g %% 40)::text), 20) FROM generate_series(1, 300) g', i);
          EXECUTE format('CREATE INDEX ON t_%s (lower(a))', i);
        END LOOP; END $$; ANALYZE;`,
    });
    const client = await connect(created.dsn);
    // 12 MB of texts: three times work_mem's default.
    for (let i = 1; i <= 150; i += 1) {
      // Each with another number of columns: names alone make no other statement.
      await client.query(
        `SELECT ${Array(1200 + i)
          .fill(`1 AS ${'x'.repeat(60)}`)
          .join(', ')}`,
      );
    }
    const temporary = async () => {
      const { rows } = await client.query(
        'SELECT temp_files, temp_bytes FROM pg_stat_database WHERE datname = current_database()',
      );
      return rows[0];
    };
    const earlier = await temporary();
    const bounds = new Set<string>();
    let pid = 0;
    const snapshot = await collectWatched(
      created.dsn,
      async (_, send, session) => {
        pid = session.pid;
        const [row] = await session.query<{ bounds: string }>(
          `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
              current_setting('default_transaction_read_only')) AS bounds`,
        );
        bounds.add(row?.bounds ?? '');
        return send();
      },
      { patient: false },
    );
    // The shorter one: while ends of columns are looked up.
    expect([...bounds]).toEqual(['30s 1s on', '100ms 1s on']);
    expect(snapshot.limits).toEqual([]);
    const texts = snapshot.statements.reduce((sum, row) => sum + (row.query?.length ?? 0), 0);
    expect(texts).toBeGreaterThan(8_000_000);
    // A backend tells its files when it ends; 14's collector some time later.
    for (;;) {
      const { rows } = await client.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid]);
      if (rows.length === 0) break;
    }
    expect(await temporary()).toEqual(earlier);
    await Promise.all(clients.splice(0).map((one) => one.end()));
    await created.drop();
  });
});
