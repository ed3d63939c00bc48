import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyStates, journalStates, recommendationStates, severitySchema } from '../../src/domain/index.ts';
import { openStore } from '../../src/store/index.ts';
import { migrate, readMigrations } from '../../src/store/migrate.ts';
import { testServer } from '../support/servers.ts';
import { type FreshStore, freshStore, storeMajors } from './fixtures.ts';

describe.each(storeMajors)('migrations on PostgreSQL %i', (major) => {
  it('apply each file once when twenty processes start at the same time', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase();
    const stores = await Promise.all(
      Array.from({ length: 20 }, () =>
        openStore({ dsn: database.dsn, secretKey: randomBytes(32), poolSize: 1 }),
      ),
    );
    const applied = await Promise.all(stores.map((one) => one.migrate()));
    expect(applied.flat().sort()).toEqual((await readMigrations()).map((migration) => migration.name));
    expect(await stores[0]?.migrate()).toEqual([]);
    await Promise.all(stores.map((one) => one.close()));
    await database.drop();
  });

  it('refuse a store whose migration is not the file here, and one that is newer', async () => {
    const fresh = await freshStore(major);
    await fresh.query("UPDATE pgluthier.migration SET checksum = 'x' WHERE name LIKE '0001%'");
    await expect(fresh.store.migrate()).rejects.toMatchObject({ code: 'migration_changed' });
    await fresh.query('DELETE FROM pgluthier.migration');
    await fresh.query("INSERT INTO pgluthier.migration (name, checksum) VALUES ('9999_later.sql', 'x')");
    await expect(fresh.store.migrate()).rejects.toMatchObject({ code: 'store_too_new' });
    await fresh.close();
  });

  it('leave nothing of a file that fails, and keep those before it', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase();
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    const files = [
      { name: '0001_good.sql', checksum: 'a', sql: 'CREATE TABLE pgluthier.good ()' },
      {
        name: '0002_bad.sql',
        checksum: 'b',
        sql: 'CREATE TABLE pgluthier.half (); SELECT * FROM pgluthier.no',
      },
    ];
    await expect(migrate(client, files)).rejects.toMatchObject({
      code: 'store_migration_failed',
      message: expect.stringContaining('0002_bad.sql'),
    });
    const { rows } = await client.query(
      "SELECT name, to_regclass('pgluthier.good') IS NULL AS no_good, to_regclass('pgluthier.half') IS NULL AS no_half FROM pgluthier.migration",
    );
    expect(rows).toEqual([{ name: '0001_good.sql', no_good: false, no_half: true }]);
    await client.end();
    await database.drop();
  });

  it('work for a role that may not create schemas, in one that it owns', async () => {
    const server = await testServer({ major });
    const role = `store_${process.pid}_${major}`;
    const database = await server.createDatabase({
      sql: `CREATE ROLE ${role}; CREATE SCHEMA pgluthier AUTHORIZATION ${role}`,
    });
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    await client.query(`SET ROLE ${role}`);
    expect(await migrate(client, await readMigrations())).not.toEqual([]);
    await client.query(`RESET ROLE; DROP SCHEMA pgluthier CASCADE; SET ROLE ${role}`);
    await expect(migrate(client, await readMigrations())).rejects.toMatchObject({
      code: 'store_migration_failed',
      remedy: expect.stringContaining('CREATE'),
    });
    await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await client.end();
    await database.drop();
  });

  it('refuse a database that cannot hold every text', async () => {
    const server = await testServer({ major });
    const name = `latin_${process.pid}_${major}`;
    const admin = new pg.Client({ connectionString: server.dsn() });
    await admin.connect();
    await admin.query(
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'${major >= 15 ? ' LOCALE_PROVIDER libc' : ''}`,
    );
    const store = await openStore({ dsn: server.dsn(name), secretKey: randomBytes(32) });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'store_encoding' });
    await store.close();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
});

describe('the schema', () => {
  let fresh: FreshStore;
  beforeAll(async () => {
    fresh = await freshStore();
  });
  afterAll(() => fresh.close());

  it.each([
    ['recommendation_state_check', recommendationStates],
    ['recommendation_severity_check', severitySchema.options],
    ['apply_state_check', applyStates],
    ['journal_state_check', journalStates],
  ])("has the domain's words in %s", async (name, words) => {
    const [constraint] = await fresh.query<{ definition: string }>(
      'SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conname = $1',
      [name],
    );
    const inStore = [...(constraint?.definition.matchAll(/'([a-z_]+)'::text/g) ?? [])].map(
      (match) => match[1],
    );
    expect(inStore.toSorted()).toEqual([...words].sort());
  });

  it('has target_id first in the primary key of every table of a target', async () => {
    const rows = await fresh.query<{ name: string; first: string }>(
      `SELECT c.relname AS name, (
         SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = c.oid AND i.indisprimary) AS first
       FROM pg_class c
       WHERE c.relnamespace = 'pgluthier'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'audit'
         AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'target_id')`,
    );
    expect(rows.length).toBeGreaterThan(7);
    expect(rows.filter((row) => row.first !== 'target_id')).toEqual([]);
  });
});
