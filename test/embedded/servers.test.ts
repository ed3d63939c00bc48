import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { testMajors, testServer } from '../support/servers.ts';

async function one(dsn: string, sql: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    return (await client.query(sql)).rows[0];
  } finally {
    await client.end();
  }
}

describe('the test servers', () => {
  it.each(testMajors)('PostgreSQL %i answers with pg_stat_statements', async (major) => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: 'create extension pg_stat_statements' });
    const row = await one(
      database.dsn,
      `select current_setting('server_version_num')::int / 10000 as major, current_database() as name,
         current_setting('track_io_timing') as timing, (select count(*) > 0 from pg_stat_statements) as seen`,
    );
    expect(row).toEqual({ major, name: database.name, timing: 'on', seen: true });
    await database.drop();
  });

  it('gives the same server for the same settings, and another for others', async () => {
    const pid =
      "select (pg_read_file('postmaster.pid')::text) as file, current_setting('work_mem') as work_mem";
    const first = await one((await testServer()).dsn(), pid);
    const again = await one((await testServer()).dsn(), pid);
    const other = await one((await testServer({ settings: { work_mem: '1MB' } })).dsn(), pid);
    expect(again.file).toBe(first.file);
    expect(other.file).not.toBe(first.file);
    expect(other.work_mem).toBe('1MB');
  });

  it('copies a template database', async () => {
    const server = await testServer();
    const template = await server.createDatabase({ sql: 'create table "Fön" as select 7 as n' });
    const copy = await server.createDatabase({ template: template.name });
    expect(await one(copy.dsn, 'select n from "Fön"')).toEqual({ n: 7 });
    await copy.drop();
    await template.drop();
  });
});
