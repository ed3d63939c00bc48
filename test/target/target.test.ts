import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { sqlPath } from '../../src/package-root.ts';
import { diagnoseTarget, openTarget, targetAddress } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };

/** The same database under another role. */
function asRole(dsn: string, role: string, password: string): string {
  if (!dsn.includes('///')) return dsn.replace(/\/\/[^@]*@/, `//${role}:${password}@`);
  const url = new URL(dsn.replace('///', '//h/'));
  url.searchParams.set('user', role);
  return url.toString().replace('//h/', '///');
}

describe('a connection that does not come about', () => {
  it('is told apart by its reason, and never shows the password', async () => {
    const server = await testServer();
    const cases: [dsn: string, code: string][] = [
      ['no dsn at all', 'dsn_invalid'],
      ['mysql://u:geheim@h/db', 'dsn_invalid'],
      ['postgresql://u:geheim@127.0.0.1:1/db', 'target_unreachable'],
      ['postgresql://u:geheim@does-not-exist.invalid/db', 'target_unreachable'],
      [server.dsn('no_such_database'), 'target_database_missing'],
      [asRole(server.dsn(), 'no_such_role', 'geheim'), 'target_auth_failed'],
    ];
    for (const [dsn, code] of cases) {
      const error = await openTarget(dsn, options).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error, dsn).toMatchObject({ code });
      expect(JSON.stringify(error) + String(error)).not.toContain('geheim');
    }
  });
});

describe('a session', () => {
  it('is marked, bounded, and cannot write', async () => {
    const server = await testServer();
    const session = await openTarget(server.dsn(), options);
    const [row] = await session.query<Record<string, string>>(
      "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock, current_setting('search_path') AS path",
    );
    expect(row).toEqual({ name: 'pgluthier:test', statement: '30s', lock: '1s', path: 'pg_catalog' });
    await expect(session.query('CREATE TABLE public.t (i int)')).rejects.toMatchObject({ sqlstate: '25006' });
    await session.close();
  });

  it('gives counters as numbers, times as ISO 8601, and refuses what would be rounded', async () => {
    const server = await testServer();
    const session = await openTarget(server.dsn(), options);
    expect(
      await session.query(
        "SELECT 5::int8 AS i, 1.5::numeric AS n, '2026-01-02 03:04:05.678+02'::timestamptz AS t",
      ),
    ).toEqual([{ i: 5, n: 1.5, t: '2026-01-02T01:04:05.678Z' }]);
    await expect(session.query('SELECT 9007199254740993::int8 AS i')).rejects.toThrow();
    await session.close();
  });

  it('shows its address without user and password', () => {
    expect(targetAddress('postgresql://u:geheim@db.example.org:6000/shop?sslmode=require')).toBe(
      'db.example.org:6000/shop',
    );
  });
});

describe('the doctor', () => {
  it('finds what a bare role lacks, and nothing that collector.sql does not grant', async () => {
    const server = await testServer();
    const database = await server.createDatabase({
      sql: 'CREATE TABLE t (i int); INSERT INTO t SELECT 1; ANALYZE t',
    });
    const admin = new pg.Client({ connectionString: database.dsn });
    await admin.connect();
    await admin.query(`DROP ROLE IF EXISTS "Bare Role"; CREATE ROLE "Bare Role" LOGIN PASSWORD 'x'`);
    const bare = await diagnoseTarget(
      asRole(database.dsn, encodeURIComponent('Bare Role').replaceAll('%20', ' '), 'x'),
    );
    const remedies = Object.fromEntries(bare.checks.map((check) => [check.id, check.remedy]));
    expect(remedies.pg_monitor).toBe('GRANT pg_monitor TO "Bare Role";');
    expect(remedies.column_statistics).toBe('GRANT pg_read_all_data TO "Bare Role";');
    expect(remedies.pg_stat_statements).toContain('CREATE EXTENSION pg_stat_statements;');
    expect(remedies.version).toBeNull();

    await admin.query('DROP ROLE IF EXISTS pgluthier_collector');
    await admin.query(await readFile(sqlPath('roles', 'collector.sql'), 'utf8'));
    await admin.query("ALTER ROLE pgluthier_collector PASSWORD 'x'");
    const dsn = asRole(database.dsn, 'pgluthier_collector', 'x');
    const granted = await diagnoseTarget(dsn);
    const missing = granted.checks.filter((check) => check.need !== 'apply' && check.ok === false);
    expect(missing).toEqual([]);
    const session = await openTarget(dsn, options);
    expect((await collectSnapshot(session)).limits).toEqual([]);
    await session.close();
    await admin.query(
      'REASSIGN OWNED BY pgluthier_collector TO CURRENT_USER; DROP OWNED BY pgluthier_collector',
    );
    await admin.query('DROP ROLE pgluthier_collector; DROP ROLE "Bare Role"');
    await admin.end();
    await database.drop();
  });
});
