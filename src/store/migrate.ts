/** Numbered, forward-only SQL files, applied once each, whatever number of processes start at the same time. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import { sqlPath } from '../package-root.ts';
import { storeError } from './errors.ts';
import { advisoryLocks } from './locks.ts';

export interface Migration {
  name: string;
  checksum: string;
  sql: string;
}

/** The files, in the order of their numbers. */
export async function readMigrations(directory: string = sqlPath('migrations')): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(directory, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Applies what is missing, each file in a transaction of its own, which holds an advisory lock: behind a pooler in
 * transaction mode too.
 * @returns names of the files applied now.
 * @throws PgLuthierError `migration_changed`, `store_too_new`, `store_encoding`, `store_migration_failed`,
 * `store_unreachable`.
 */
export async function migrate(client: pg.ClientBase, migrations: Migration[]): Promise<string[]> {
  const applied: string[] = [];
  for (;;) {
    const name = await applyNext(client, migrations);
    if (name === null) return applied;
    applied.push(name);
  }
}

/** The name of the one that was applied; null: none is missing. */
async function applyNext(client: pg.ClientBase, migrations: Migration[]): Promise<string | null> {
  let current: Migration | undefined;
  try {
    await client.query('BEGIN');
    // A role's own timeouts are for its queries; a migration takes as long as it takes.
    await client.query('SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0');
    await client.query('SELECT pg_advisory_xact_lock($1)', [advisoryLocks.migrations]);
    await prepare(client);
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM pgluthier.migration ORDER BY name',
    );
    checkApplied(rows, migrations);
    const done = new Set(rows.map((row) => row.name));
    current = migrations.find((migration) => !done.has(migration.name));
    if (current) {
      await client.query('INSERT INTO pgluthier.migration (name, checksum) VALUES ($1, $2)', [
        current.name,
        current.checksum,
      ]);
      await client.query(current.sql);
    }
    await client.query('COMMIT');
    return current?.name ?? null;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw migrationError(error, current);
  }
}

/** The schema and the list of what was applied. An operator may have made the schema for a role without CREATE. */
async function prepare(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ has_schema: boolean; has_list: boolean; encoding: string }>(
    // Queries, not to_regclass(): that answers from a cache which waiting for an advisory lock does not refresh.
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'pgluthier') AS has_schema,
            EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'pgluthier' AND c.relname = 'migration') AS has_list,
            current_setting('server_encoding') AS encoding`,
  );
  if (rows[0]?.encoding !== 'UTF8') {
    throw new PgLuthierError({
      code: 'store_encoding',
      status: 500,
      message: `The store's database has the encoding ${rows[0]?.encoding}; it has to hold any text, so it must be UTF8.`,
      remedy: "Create it anew: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'.",
    });
  }
  if (!rows[0].has_schema) await client.query('CREATE SCHEMA pgluthier');
  if (rows[0].has_list) return;
  await client.query(
    `CREATE TABLE pgluthier.migration (
       name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
}

function checkApplied(applied: { name: string; checksum: string }[], migrations: Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.name, migration.checksum]));
  for (const { name, checksum } of applied) {
    const expected = known.get(name);
    if (expected === undefined) {
      throw new PgLuthierError({
        code: 'store_too_new',
        status: 500,
        message: `The store holds migration ${name}, which this version does not know.`,
        remedy: 'Run the version that made it, or a newer one.',
      });
    }
    if (expected !== checksum) {
      throw new PgLuthierError({
        code: 'migration_changed',
        status: 500,
        message: `Migration ${name} is not the file that was applied to this store.`,
        remedy: 'Restore the file; changes go into a new migration.',
      });
    }
  }
}

function migrationError(error: unknown, current: Migration | undefined): unknown {
  const known = storeError(error);
  if (known instanceof PgLuthierError && known.code !== 'store_permission_missing') {
    // Inside a migration a missing table is a mistake of the file, not of the operator.
    if (known.code !== 'store_not_migrated') return known;
  }
  const what = current ? `Migration ${current.name}` : "Preparing the store's schema";
  return new PgLuthierError({
    code: 'store_migration_failed',
    status: 500,
    message: `${what} failed: ${error instanceof Error ? error.message : String(error)}.`,
    remedy:
      'Nothing of it was applied. The role needs CREATE on the database, or a schema pgluthier that it owns.',
    cause: error,
  });
}
