/** Real PostgreSQL servers for tests, shared by all test files of a run. */
import pg from 'pg';
import { inject } from 'vitest';
import { quoteIdentifier } from '../../src/domain/index.ts';
import type { PoolAnswer } from './pool.ts';
import { testMajors } from './provider.ts';

export { testMajors };

interface TestDatabase {
  name: string;
  dsn: string;
  drop(): Promise<void>;
}

export interface TestServer {
  major: number;
  superuser: string;
  dsn(database?: string): string;
  /** A new database, of template0 unless another is named; `sql` (several statements) is run in it. */
  createDatabase(options?: { template?: string; sql?: string }): Promise<TestDatabase>;
}

export interface TestServerOptions {
  major?: number;
  settings?: Record<string, string>;
  /** Instead of pg_stat_statements alone. */
  preload?: string[];
}

async function run(dsn: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: dsn, application_name: 'pgluthier-test' });
  await client.connect();
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}

/**
 * What ran in a database stays in pg_stat_statements when that is dropped: thousands of long texts by the end of a run,
 * which each collection on this server would read. Where the module is loaded, its extension is in `postgres`.
 */
const FORGET = `do $$ begin
  if to_regprocedure('pg_stat_statements_info()') is not null then
    perform pg_stat_statements_reset(0, oid, 0) from pg_database where datname = 'NAME';
  end if;
end $$`;

/** Copied as files: without fsync that takes a third of the time that writing each page to WAL does (15's default). */
export function createDatabaseSql(database: { name: string; template: string; major: number }): string {
  const strategy = database.major >= 15 ? ' strategy file_copy' : '';
  const { name, template } = database;
  return `create database ${quoteIdentifier(name)} template ${quoteIdentifier(template)}${strategy}`;
}

let created = 0;

/**
 * The server of this major and these settings. It is shared: make a database of your own, and change nothing that
 * others see (roles and settings of the server are common to all).
 */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const major = options.major ?? Math.max(...testMajors);
  const settings = { ...options.settings };
  if (options.preload) settings.shared_preload_libraries = options.preload.join(',');
  const response = await fetch(inject('serverPool'), {
    method: 'POST',
    body: JSON.stringify({ major, settings }),
  });
  const answer = (await response.json()) as PoolAnswer;
  if (!('server' in answer)) {
    throw new Error(`No test server of PostgreSQL ${major}: ${JSON.stringify(answer)}`);
  }
  const dsn = (database = 'postgres'): string => {
    const url = new URL(answer.server.dsn);
    url.pathname = `/${encodeURIComponent(database)}`;
    return url.href;
  };
  return {
    major,
    superuser: answer.server.superuser,
    dsn,
    async createDatabase({ template = 'template0', sql } = {}) {
      created += 1;
      const name = `test_${process.pid}_${created}_${Math.random().toString(36).slice(2, 8)}`;
      await run(dsn(), createDatabaseSql({ name, template, major }));
      if (sql !== undefined) await run(dsn(name), sql);
      return {
        name,
        dsn: dsn(name),
        drop: () =>
          run(dsn(), FORGET.replace('NAME', name), `drop database ${quoteIdentifier(name)} with (force)`),
      };
    },
  };
}
