import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { loadGrammar, withoutSecrets } from '../../src/collect/secrets.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

beforeAll(loadGrammar);

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
  ['SET app.key = geheim, geheim', "SET app.key = '***', '***'"],
  ["/* set */ set local app.key to geheim; SELECT 'a'", "/* set */ set local app.key to '***'; SELECT '***'"],
  ['ALTER ROLE "ä" SET app.key TO geheim', `ALTER ROLE "ä" SET app.key TO '***'`],
  ['ALTER SYSTEM SET app.key = 1234', "ALTER SYSTEM SET app.key = '***'"],
  [
    "CREATE USER MAPPING FOR a SERVER s OPTIONS (password 'geheim')",
    "CREATE USER MAPPING FOR a SERVER s OPTIONS (password '***')",
  ],
  ["COPY t FROM PROGRAM 'curl -H geheim'", "COPY t FROM PROGRAM '***'"],
  ["CREATE ROLE a PASSWORD U&'geheim'", "CREATE ROLE a PASSWORD '***'"],
  ["DO $body$ BEGIN PERFORM 'geheim'; END $body$", "DO '***'"],
  ["EXPLAIN SELECT * FROM t WHERE key = 'geheim'", "EXPLAIN SELECT * FROM t WHERE key = '***'"],
  ["SELECT ext.dblink_connect('geheim' || $1)", "SELECT ext.dblink_connect('***' || $1)"],
  ["INSERT INTO keys VALUES ('a', 'api_key=geheim')", "INSERT INTO keys VALUES ('a', '***')"],
  // What is no SQL that we know, and what is no SQL at all.
  ["FROBNICATE 'geheim' WITH $$geheim$$", "FROBNICATE '***' WITH '***'"],
  ["ALTER ROLE app PASSWORD 'geheim", "ALTER ROLE app PASSWORD '***' /* not understood, cut off"],
  ["SELECT 1, 'geheim' /* cut off", "SELECT 1, '***' /* not understood, cut off"],
  ["/* select */ ALTER ROLE app PASSWORD 'geheim'", "/* select */ ALTER ROLE app PASSWORD '***'"],
])('keeps no constant of %s', (query, kept) => {
  expect(withoutSecrets(query)).toBe(kept);
});

it.each([
  "SELECT 'a' FROM t WHERE b = $1",
  "-- note\n /* a */ /* b */ (WITH x AS (SELECT 1) SELECT 'y')",
  "insert into t values ('x')",
  'SELECT $1::text, "it\'s" FROM t OFFSET $2',
  'SET work_mem = 64',
  'UPDATE t SET a = $1 /* cut off',
  "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 'x'",
])('keeps %s as it is', (query) => {
  expect(withoutSecrets(query)).toBe(query);
});

describe('whatever the text', () => {
  it('never fails, and hides every constant of what is no query', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        fc.constantFrom("'", '$$', '$a$'),
        (text, quote) => {
          const constant = quote === "'" ? text.replaceAll("'", "''") : text.replaceAll('$', '');
          const statement = `ALTER ROLE app PASSWORD ${quote}geheim${constant}${quote}`;
          expect(withoutSecrets(statement)).not.toContain('geheim');
          expect(withoutSecrets(`${text} ${statement}`)).toEqual(expect.any(String));
        },
      ),
    );
  });
});

const majors = availableMajors().includes(14)
  ? [14, ...testMajors.filter((major) => major > 14)]
  : testMajors;

it.each(majors)('no password gets into a snapshot of PostgreSQL %i', async (major) => {
  const server = await testServer({
    major,
    settings: {
      primary_conninfo: 'host=h password=geheim',
      archive_command: 'upload --key geheim',
      restore_command: 'fetch --key geheim',
      ssl_passphrase_command: 'echo geheim',
      'app.session_secret': 'geheim',
      cluster_name: 'password=geheim',
    },
  });
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  const admin = new pg.Client({ connectionString: database.dsn });
  await admin.connect();
  await admin.query("CREATE ROLE has_password PASSWORD 'geheim'");
  await admin.query(`ALTER DATABASE "${database.name}" SET app.jwt_secret = 'geheim'`);
  await admin.query(`ALTER DATABASE "${database.name}" SET work_mem = '5MB'`);
  for (const statement of [
    "CREATE USER has_mapping PASSWORD 'geheim'",
    "ALTER ROLE has_password SET app.key = 'geheim'",
    'ALTER ROLE has_password SET app.key = geheim',
    "ALTER ROLE has_password SET search_path = 'token=geheim'",
    'SET app.other = geheim',
    'CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw',
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h')",
    "CREATE USER MAPPING FOR has_mapping SERVER s OPTIONS (user 'u', password 'geheim')",
    "CREATE SUBSCRIPTION sub CONNECTION 'host=h password=geheim' PUBLICATION p WITH (connect = false)",
    "CREATE VIEW remote AS SELECT * FROM dblink('host=h password=geheim', 'SELECT 1') AS t (a int)",
    `CREATE FUNCTION keyed(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT t || 'secret=geheim' $$`,
    'CREATE TABLE plain (t text); CREATE INDEX ON plain (keyed(t))',
    "DO $$ BEGIN PERFORM 'geheim'; END $$",
    "EXPLAIN SELECT 'geheim'",
  ]) {
    await admin.query(statement);
  }
  await admin.query("COPY plain FROM PROGRAM 'echo geheim >&2; echo x'");
  await admin.query("SELECT dblink_connect('host=/nowhere password=geheim')").catch(() => {});
  const named = new pg.Client({ connectionString: database.dsn, application_name: 'a password=geheim' });
  await named.connect();
  await named.query('BEGIN; SELECT txid_current()');
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
    { role: 'has_password', database: null, name: 'search_path', value: '***' },
    { role: null, database: database.name, name: 'work_mem', value: '5MB' },
  ]);
  await named.end();
  await admin.query('ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub');
  await admin.query('DROP SERVER s CASCADE; DROP ROLE has_mapping; DROP ROLE has_password');
  await admin.end();
  await database.drop();
});
