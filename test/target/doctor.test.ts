import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { type Diagnosis, isUsable, quoteIdentifier } from '../../src/domain/index.ts';
import { sqlPath } from '../../src/package-root.ts';
import { advisedSettings } from '../../src/target/doctor-apply.ts';
import { detectCapabilities, diagnoseTarget, openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from './as-role.ts';

const check = (diagnosis: Diagnosis, id: string) => {
  const found = diagnosis.checks.find((item) => item.id === id);
  if (!found) throw new Error(`no check ${id} in ${diagnosis.checks.map((item) => item.id).join(', ')}`);
  return found;
};

/** A database with an owner's table, and a superuser's client on it. */
async function prepared(major: number | undefined, sql = '') {
  const server = await testServer(major === undefined ? {} : { major });
  const database = await server.createDatabase({ sql });
  const admin = new pg.Client({ connectionString: database.dsn });
  await admin.connect();
  return {
    database,
    admin,
    async clean(...roles: string[]) {
      for (const role of roles.map(quoteIdentifier)) {
        await admin.query(
          `REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`,
        );
      }
      await admin.end();
      await database.drop();
    },
  };
}

describe.each(testMajors)('the doctor on PostgreSQL %i', (major) => {
  it('tells a bare role what it lacks; each remedy is a statement that mends its check', async () => {
    const role = `Bare "Role" ${major}`;
    const { database, admin, clean } = await prepared(
      major,
      `CREATE SCHEMA "Größe"; CREATE TABLE "Größe"."Tasks" (id int PRIMARY KEY, "Naïve" text);
       CREATE TABLE "Größe".guarded (id int); ALTER TABLE "Größe".guarded ENABLE ROW LEVEL SECURITY`,
    );
    await admin.query(`CREATE ROLE ${quoteIdentifier(role)} LOGIN PASSWORD 'x'`);
    const owner = `Owner ${major}`;
    await admin.query(
      `CREATE ROLE ${quoteIdentifier(owner)}; ALTER TABLE "Größe"."Tasks" OWNER TO ${quoteIdentifier(owner)};
       ALTER TABLE "Größe".guarded OWNER TO ${quoteIdentifier(owner)};
       DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO ${quoteIdentifier(owner)}', current_database()); END $$`,
    );
    const dsn = asRole(database.dsn, role, 'x');
    const bare = await diagnoseTarget(dsn);
    expect(isUsable(bare)).toBe(true);
    const quoted = quoteIdentifier(role);
    expect(check(bare, 'pg_monitor')).toMatchObject({ ok: false, remedy: `GRANT pg_monitor TO ${quoted};` });
    expect(check(bare, 'column_statistics').remedy).toBe(`GRANT pg_read_all_data TO ${quoted};`);
    expect(check(bare, 'pg_stat_statements').remedy).toBe('CREATE EXTENSION pg_stat_statements;');
    expect(check(bare, 'pg_stat_statements_preloaded').ok).toBe(true);
    expect(check(bare, 'apply_tables').remedy).toBe(`GRANT ${quoteIdentifier(owner)} TO ${quoted};`);
    expect(check(bare, 'connect').remedy).toBeNull();
    const ofDatabase = check(bare, 'apply_scoped_settings');
    expect(ofDatabase).toMatchObject({
      ok: false,
      remedy: `GRANT ${quoteIdentifier(owner)} TO ${quoted}${major < 16 ? '' : ' WITH INHERIT FALSE, SET TRUE'};`,
    });
    // Its own settings are each role's to change.
    expect(ofDatabase.detail).toMatch(/settings of 1 of \d+ roles/);

    // Until nothing is missing that SQL can mend: a remedy may uncover the next check (created, then readable).
    for (let round = 0; round < 3; round += 1) {
      const diagnosis = await diagnoseTarget(dsn);
      for (const item of diagnosis.checks.filter((one) => one.ok === false && one.remedy !== null)) {
        await admin.query(item.remedy ?? '');
      }
    }
    const mended = await diagnoseTarget(dsn);
    expect(mended.checks.filter((item) => item.ok === false)).toEqual([]);
    expect(mended.limits).toEqual([]);
    await clean(role, owner);
  });

  it('finds nothing missing for a role that was granted collector.sql, nor does its snapshot', async () => {
    const { database, admin, clean } = await prepared(
      major,
      'CREATE TABLE t (i int PRIMARY KEY, t text); INSERT INTO t SELECT 1; ANALYZE t',
    );
    await admin.query(await readFile(sqlPath('roles', 'collector.sql'), 'utf8'));
    await admin.query("ALTER ROLE pgluthier_collector PASSWORD 'x'");
    const dsn = asRole(database.dsn, 'pgluthier_collector', 'x');
    const granted = await diagnoseTarget(dsn);
    expect(granted.checks.filter((item) => item.need !== 'apply' && item.ok === false)).toEqual([]);
    const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
    expect((await collectSnapshot(session)).limits).toEqual([]);
    await session.close();

    expect(check(granted, 'apply_settings').ok).toBe(false);
    await admin.query(await readFile(sqlPath('roles', 'applier.sql'), 'utf8'));
    const applying = await diagnoseTarget(dsn);
    expect(check(applying, 'apply_settings')).toMatchObject({ ok: true, remedy: null });
    expect(check(applying, 'apply_settings_rollback').ok).toBe(true);
    expect(check(applying, 'apply_tables').ok).toBe(false);
    // The table is the superuser's: to grant that role would be to grant everything.
    expect(check(applying, 'apply_tables').remedy).not.toContain('GRANT');
    expect(check(applying, 'apply_scoped_settings')).toMatchObject({ ok: false });
    expect(check(applying, 'apply_scoped_settings').remedy).not.toContain('GRANT');
    await clean('pgluthier_collector');
  });
});

it('grants in applier.sql exactly the settings that advice is given on', async () => {
  const sql = await readFile(sqlPath('roles', 'applier.sql'), 'utf8');
  const names =
    /ON PARAMETER ([\w\s,]+)\s+TO/
      .exec(sql)?.[1]
      ?.split(/[\s,]+/)
      .filter(Boolean) ?? [];
  expect(names.sort()).toEqual([...advisedSettings].sort());
});

it('says what counts no statements although the extension is there', async () => {
  const server = await testServer({ preload: [], settings: { compute_query_id: 'off' } });
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  const diagnosis = await diagnoseTarget(database.dsn);
  const missing = check(diagnosis, 'pg_stat_statements_preloaded');
  expect(missing.ok).toBe(false);
  expect(missing.remedy).toContain('ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements;');
  await database.drop();
});

it('says that counting is switched off, and that entries are evicted', async () => {
  const server = await testServer({
    settings: {
      compute_query_id: 'off',
      'pg_stat_statements.track': 'none',
      'pg_stat_statements.max': '100',
    },
  });
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  expect(check(await diagnoseTarget(database.dsn), 'statements_counted')).toMatchObject({
    ok: false,
    remedy:
      'ALTER SYSTEM SET compute_query_id = auto; ALTER SYSTEM SET pg_stat_statements.track = top; SELECT pg_reload_conf();',
  });
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  await client.query("SET compute_query_id = 'on'; SET pg_stat_statements.track = 'top'");
  // Each with another number of columns: names alone make no other statement.
  for (let i = 1; i <= 300; i += 1) await client.query(`SELECT ${Array(i).fill('1').join(', ')}`);
  await client.end();
  const evictions = check(await diagnoseTarget(database.dsn), 'pg_stat_statements_evictions');
  expect(evictions.ok).toBe(false);
  expect(evictions.remedy).toContain('pg_stat_statements.max = 200');
  await database.drop();
});

it('sees that settings are not made by ALTER SYSTEM where it is forbidden', async () => {
  const server = await testServer({ major: 17, settings: { allow_alter_system: 'off' } });
  const found = check(await diagnoseTarget(server.dsn()), 'apply_settings');
  expect(found.ok).toBe(false);
  expect(found.detail).toContain('allow_alter_system');
});

it('knows a managed service by the role of its administrators', async () => {
  const server = await testServer({ settings: { cluster_name: 'managed' } });
  const admin = new pg.Client({ connectionString: server.dsn() });
  await admin.connect();
  await admin.query('CREATE ROLE azure_pg_admin');
  await admin.end();
  const session = await openTarget(server.dsn(), { applicationName: 'pgluthier:test', readOnly: true });
  expect((await detectCapabilities(session)).managed_service).toBe('azure');
  await session.close();
});
