import pg from 'pg';
import { expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { withoutSecrets } from '../../src/collect/secrets.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

it.each([
  ["ALTER ROLE app PASSWORD 'geheim'", "ALTER ROLE app PASSWORD '***'"],
  [
    "CREATE USER a PASSWORD 'it''s geheim' VALID UNTIL '2030-01-01'",
    "CREATE USER a PASSWORD '***' VALID UNTIL '***'",
  ],
  ["alter role app password E'geh\\'eim'", "alter role app password '***'"],
  ['SET app.key = $$geheim$$', "SET app.key = '***'"],
  [
    "CREATE SUBSCRIPTION s CONNECTION 'password=geheim' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION '***' PUBLICATION p",
  ],
  ["/* select */ ALTER ROLE app PASSWORD 'geheim'", "/* select */ ALTER ROLE app PASSWORD '***'"],
])('keeps no constant of %s', (query, kept) => {
  expect(withoutSecrets(query)).toBe(kept);
});

it.each([
  "SELECT 'a' FROM t WHERE b = $1",
  "-- note\n /* a */ /* b */ (WITH x AS (SELECT 1) SELECT 'y')",
  "insert into t values ('x')",
  "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 'x'",
])('keeps %s as it is', (query) => {
  expect(withoutSecrets(query)).toBe(query);
});

it.each(testMajors)('no password gets into a snapshot of PostgreSQL %i', async (major) => {
  const server = await testServer({
    major,
    settings: { primary_conninfo: "'host=h password=geheim'", archive_command: "'upload --key geheim'" },
  });
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  const admin = new pg.Client({ connectionString: database.dsn });
  await admin.connect();
  await admin.query("CREATE ROLE has_password PASSWORD 'geheim'");
  await admin.query(`ALTER DATABASE "${database.name}" SET app.jwt_secret = 'geheim'`);
  await admin.query(`ALTER DATABASE "${database.name}" SET work_mem = '5MB'`);
  const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
  const snapshot = await collectSnapshot(session);
  await session.close();
  expect(snapshot.limits).toEqual([]);
  expect(JSON.stringify(snapshot)).not.toContain('geheim');
  expect(snapshot.statements.map((row) => row.query)).toContainEqual(
    expect.stringContaining('CREATE ROLE has_password'),
  );
  expect(snapshot.settings.find((row) => row.name === 'primary_conninfo')?.setting).toBe('***');
  expect(snapshot.setting_overrides).toEqual([
    { role: null, database: database.name, name: 'work_mem', value: '5MB' },
  ]);
  await admin.query('DROP ROLE has_password');
  await admin.end();
  await database.drop();
});
