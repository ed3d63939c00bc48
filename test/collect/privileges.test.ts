/** collector.sql is all that a target must grant, and no more than that: each right taken away is told as what it was. */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { sqlPath } from '../../src/package-root.ts';
import { diagnoseTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';
import { collectWatched } from './watched.ts';

const majors = [availableMajors().includes(14) ? 14 : Math.min(...testMajors), Math.max(...testMajors)];

describe.each(majors)('on PostgreSQL %i', (major) => {
  const role = `collector_of_${major}`;
  let admin: pg.Client;
  let dsn: string;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({
      sql: `CREATE SCHEMA app; CREATE TABLE app.t (id serial PRIMARY KEY, v text); INSERT INTO app.t (v) SELECT 'x';
        REVOKE ALL ON SCHEMA app FROM PUBLIC; ANALYZE`,
    });
    drop = database.drop;
    dsn = asRole(database.dsn, role, 'x');
    admin = new pg.Client({ connectionString: database.dsn });
    await admin.connect();
    const sql = await readFile(sqlPath('roles', 'collector.sql'), 'utf8');
    await admin.query(sql.replaceAll('pgluthier_collector', role));
    await admin.query(`ALTER ROLE ${role} PASSWORD 'x'`);
    await admin.query("SELECT 'of another role'");
  });
  afterAll(async () => {
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await admin.end();
    await drop();
  });

  const codes = (snapshot: Snapshot) => snapshot.limits.map((limit) => `${limit.scope} ${limit.code}`).sort();
  const missing = async () =>
    (await diagnoseTarget(dsn)).checks
      .filter((check) => check.ok === false && check.need !== 'apply')
      .map((check) => check.id);

  it('with it nothing is missing', async () => {
    const snapshot = await collectWatched(dsn);
    expect(snapshot.limits).toEqual([]);
    expect(snapshot.server.system_identifier).not.toBeNull();
    expect(snapshot.statements.some((row) => row.user !== role && row.query !== null)).toBe(true);
    expect(await missing()).toEqual([]);
  });

  it('it lets the role change nothing and read no file', async () => {
    const { rows } = await admin.query(
      `SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS special,
          pg_has_role($1, 'pg_read_server_files', 'USAGE') OR pg_has_role($1, 'pg_write_all_data', 'USAGE')
            OR pg_has_role($1, 'pg_signal_backend', 'USAGE') AS more,
          ARRAY(SELECT g.rolname::text FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
                WHERE m.member = r.oid ORDER BY 1) AS member_of
       FROM pg_roles AS r WHERE rolname = $1`,
      [role],
    );
    expect(rows).toEqual([{ special: false, more: false, member_of: ['pg_monitor', 'pg_read_all_data'] }]);
  });

  it.each([
    {
      right: 'pg_monitor',
      take: `REVOKE pg_monitor FROM ${role}`,
      give: `GRANT pg_monitor TO ${role}`,
      limits: ['activity activity_hidden', 'server not_monitor', 'statements texts_hidden'],
      checks: ['pg_monitor', 'statement_texts'],
    },
    {
      right: 'pg_read_all_data',
      take: `REVOKE pg_read_all_data FROM ${role}`,
      give: `GRANT pg_read_all_data TO ${role}`,
      limits: [
        'column-ends column_ends_hidden',
        'columns column_statistics_hidden',
        'sequences sequence_values_hidden',
      ],
      checks: ['column_statistics'],
    },
    {
      right: 'the extension',
      take: 'DROP EXTENSION pg_stat_statements',
      give: 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements',
      limits: ['statements pg_stat_statements_missing'],
      checks: ['pg_stat_statements'],
    },
    {
      right: 'the view of statements',
      take: 'REVOKE SELECT ON pg_stat_statements FROM PUBLIC',
      give: 'GRANT SELECT ON pg_stat_statements TO PUBLIC',
      // pg_read_all_data reads it all the same.
      limits: [],
      checks: [],
    },
    {
      right: 'the function behind it',
      take: 'REVOKE EXECUTE ON FUNCTION pg_stat_statements(boolean) FROM PUBLIC',
      give: 'GRANT EXECUTE ON FUNCTION pg_stat_statements(boolean) TO PUBLIC',
      limits: ['statements pg_stat_statements_not_readable'],
      checks: ['pg_stat_statements_readable'],
    },
    {
      right: 'the view of locks',
      take: 'REVOKE SELECT ON pg_locks FROM PUBLIC',
      give: 'GRANT SELECT ON pg_locks TO PUBLIC',
      limits: [],
      checks: [],
    },
    {
      right: 'the identity of the server',
      take: 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC',
      give: 'GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC',
      limits: ['server identity_hidden'],
      checks: [],
    },
  ])('without $right', async ({ take, give, limits, checks }) => {
    await admin.query(take);
    try {
      const snapshot = await collectWatched(dsn);
      expect(codes(snapshot)).toEqual(limits);
      expect(await missing()).toEqual(checks);
      // Its own remedies mend it.
      for (const { remedy } of snapshot.limits) if (remedy !== null) await admin.query(remedy);
      expect(codes(await collectWatched(dsn))).toEqual([]);
    } finally {
      await admin.query(`${give}; REVOKE ALL ON FUNCTION pg_control_system() FROM ${role}`);
    }
  });

  it('of pg_monitor two parts are used: with them alone nothing is missing', async () => {
    await admin.query(
      `REVOKE pg_monitor FROM ${role}; GRANT pg_read_all_settings, pg_read_all_stats TO ${role}`,
    );
    expect(codes(await collectWatched(dsn))).toEqual([]);
    expect(await missing()).toEqual([]);
    await admin.query(`REVOKE pg_read_all_settings FROM ${role}`);
    expect(codes(await collectWatched(dsn))).toEqual(['server not_monitor']);
    await admin.query(`REVOKE pg_read_all_stats FROM ${role}; GRANT pg_monitor TO ${role}`);
  });
});
