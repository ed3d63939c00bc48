/** What befalls a target while it is collected from: a partial snapshot that says so, or a clear failure; never a third. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';
import { collectOn, collectWatched, justBefore, watchedOptions } from './watched.ts';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pageinspect;
CREATE TABLE gate (id int PRIMARY KEY, v int DEFAULT 1 + 1, CHECK (v > 0));
CREATE INDEX ON gate (v) WHERE v > 1;
CREATE VIEW over_gate AS SELECT id FROM gate;
CREATE TABLE victim (id serial PRIMARY KEY, v int DEFAULT 1 + 1, CHECK (v > 0));
CREATE INDEX ON victim ((v + 1)) WHERE v > 1;
CREATE VIEW over_victim AS SELECT id FROM victim;
CREATE STATISTICS of_victim ON id, v FROM victim;
CREATE TABLE stays (id serial PRIMARY KEY);
INSERT INTO victim SELECT g, g FROM generate_series(1, 100) AS g;
ANALYZE gate, victim, stays;
`;

async function prepare(major: number | undefined, sql = SCHEMA) {
  const server = await testServer(major === undefined ? {} : { major });
  const database = await server.createDatabase({ sql });
  const admin = new pg.Client({ connectionString: database.dsn });
  await admin.connect();
  return {
    dsn: database.dsn,
    admin,
    async drop() {
      await admin.end();
      await database.drop();
    },
  };
}

it('any one statement that fails costs its own noun, or ends the whole with a code', async () => {
  const { dsn, drop } = await prepare(undefined);
  const statements: string[] = [];
  const untold: [sql: string | undefined, outcome: string][] = [];
  await collectWatched(dsn, (sql, send) => {
    statements.push(sql);
    return send();
  });
  // One session for many, whose catalog caches are warm: that halves the time.
  let session = await openTarget(dsn, watchedOptions);
  for (let failing = 0; failing < statements.length; failing += 1) {
    let sent = -1;
    // What is sent when may differ from run to run.
    let failed: string | undefined;
    const outcome = await collectOn(session, (sql, send) => {
      sent += 1;
      if (sent !== failing) return send();
      failed = sql;
      // A real error of the server, and not one that is known to be of passage.
      return session.query('SELECT 1 / (random() * 0)::int');
    }).catch((error: { code?: string }) => error.code);
    // It has kept settings that it was to give back.
    if (failed?.includes('set_config')) {
      await session.close();
      session = await openTarget(dsn, watchedOptions);
    }
    const told =
      typeof outcome === 'object'
        ? outcome.limits.length > 0
        : ['server_facts_unreadable', 'capabilities_unreadable'].includes(outcome ?? '');
    if (failed !== undefined && !told) untold.push([failed, typeof outcome]);
  }
  // Files of the host are looked for in several places: a fact that is found in none says so as its source. Ends of
  // columns are asked for again, one by one.
  const asked = ['pg_read_file', 'query_to_xml'];
  expect(untold.filter(([sql]) => !asked.some((name) => sql?.includes(name)))).toEqual([]);
  await session.close();
  await drop();
});

describe.each(testMajors)('on PostgreSQL %i', (major) => {
  it.each(['pg_relation_size', 'pg_get_indexdef', 'format_type', 'pg_get_constraintdef', 'pg_get_viewdef'])(
    'a table dropped while the statement with %s runs does no harm',
    async (reading) => {
      const { dsn, admin, drop } = await prepare(major);
      const holder = new pg.Client({ connectionString: dsn });
      await holder.connect();
      let done = false;
      const snapshot = await collectWatched(
        dsn,
        async (sql, send, session) => {
          if (done || !sql.includes(reading)) return send();
          done = true;
          // It waits at gate, or is over already where it takes no lock; then victim goes, and gate opens.
          await holder.query('BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
          let over = false;
          const rows = send().finally(() => {
            over = true;
          });
          rows.catch(() => {});
          for (;;) {
            const waits = await admin.query('SELECT 1 FROM pg_locks WHERE pid = $1 AND NOT granted', [
              session.pid,
            ]);
            if (over || waits.rows.length > 0) break;
          }
          await admin.query('DROP TABLE victim CASCADE');
          await holder.query('ROLLBACK');
          return rows;
        },
        { lockTimeoutMs: 20_000 },
      );
      expect(snapshot.limits).toEqual([]);
      expect(snapshot.tables.map((row) => row.name)).toEqual(expect.arrayContaining(['gate', 'stays']));
      expect(snapshot.indexes.map((row) => row.name)).toEqual(
        expect.arrayContaining(['gate_pkey', 'stays_pkey']),
      );
      expect((await collectWatched(dsn)).tables.map((row) => row.name)).toEqual(['gate', 'stays']);
      await holder.end();
      await drop();
    },
  );

  it('what takes too long is a limit of its noun, and the rest is there', async () => {
    const { dsn, admin, drop } = await prepare(major);
    await admin.query('BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
    const snapshot = await collectWatched(dsn, undefined, { statementTimeoutMs: 400, lockTimeoutMs: 60_000 });
    await admin.query('ROLLBACK');
    expect(snapshot.limits).toContainEqual(
      expect.objectContaining({
        scope: 'tables',
        code: 'timed_out',
        message: expect.stringContaining('57014'),
      }),
    );
    expect(snapshot.settings.length).toBeGreaterThan(100);
    expect(snapshot.counters.database?.xact_commit).toBeGreaterThan(0);
    expect((await collectWatched(dsn)).limits).toEqual([]);
    await drop();
  });

  it('a right revoked half-way is a limit, and the next snapshot after it is given back is whole', async () => {
    const { dsn, admin, drop } = await prepare(major);
    const role = `revoked_${major}`;
    await admin.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT pg_monitor, pg_read_all_data TO ${role}`,
    );
    const seen = asRole(dsn, role, 'x');
    const reading = 'pg_stat_statements(boolean)';
    const snapshot = await collectWatched(
      seen,
      justBefore('AS total_exec_time_ms', () =>
        admin.query(`REVOKE EXECUTE ON FUNCTION ${reading} FROM PUBLIC`),
      ),
    );
    expect(snapshot.statements).toEqual([]);
    expect(snapshot.limits).toMatchObject([{ scope: 'statements', code: 'insufficient_privilege' }]);
    expect(snapshot.tables.length).toBe(3);
    await admin.query(`GRANT EXECUTE ON FUNCTION ${reading} TO PUBLIC`);
    expect((await collectWatched(seen)).limits).toEqual([]);

    const without = await collectWatched(
      seen,
      justBefore('pg_relation_size', () => admin.query(`REVOKE pg_monitor, pg_read_all_data FROM ${role}`)),
    );
    expect(without.statements.length).toBeGreaterThan(0);
    expect(without.limits.map((limit) => limit.code)).toEqual(
      expect.arrayContaining(['column_statistics_hidden', 'sequence_values_hidden']),
    );
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await drop();
  });

  it('a role dropped half-way leaves what may still be seen with limits, or a clear failure; then it is refused', async () => {
    const { dsn, admin, drop } = await prepare(major);
    const role = `dropped_${major}`;
    await admin.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT pg_monitor, pg_read_all_data TO ${role}`,
    );
    const seen = asRole(dsn, role, 'x');
    const outcome = await collectWatched(
      seen,
      justBefore('pg_relation_size', () => admin.query(`DROP ROLE ${role}`)),
    ).catch((error: { code?: string }) => error.code);
    if (typeof outcome === 'object') expect(outcome.limits.length).toBeGreaterThan(0);
    else expect(outcome).toMatch(/^target_/);
    await expect(collectWatched(seen)).rejects.toMatchObject({ code: 'target_auth_failed' });
    await drop();
  });
});

describe('a server of its own', () => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await startEmbedded({
      light: 'disk',
      settings: { shared_preload_libraries: 'pg_stat_statements' },
    });
    const client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
    await client.query(SCHEMA);
    await client.end();
  });
  afterAll(() => server.stop());

  it('restarted half-way ends the snapshot with target_connection_lost; the next tells of the restart', async () => {
    const first = await collectWatched(server.dsn());
    const cut = collectWatched(
      server.dsn(),
      justBefore('pg_relation_size', () => server.restart()),
    );
    await expect(cut).rejects.toMatchObject({ code: 'target_connection_lost' });
    const next = await collectWatched(server.dsn());
    expect(next.limits).toEqual([]);
    expect(next.server.system_identifier).toBe(first.server.system_identifier);
    expect(next.server.started_at > first.server.started_at).toBe(true);
  });
});
