/** Numbered, forward-only SQL files, applied once each, whatever number of processes start at the same time. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import { sqlPath } from '../package-root.ts';

/** Any number does, as long as no other tool takes it: this is 'PGLU' in ASCII. */
const MIGRATION_LOCK = 0x50474c55;

interface Migration {
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
 * Applies what is missing, each file in a transaction of its own, under one advisory lock.
 * @returns names of the files applied now.
 * @throws PgLuthierError `migration_changed`, `store_too_new`, `store_migration_failed`.
 */
export async function migrate(client: pg.ClientBase, migrations: Migration[]): Promise<string[]> {
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS pgluthier');
    await client.query(
      `CREATE TABLE IF NOT EXISTS pgluthier.migration (
         name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM pgluthier.migration ORDER BY name',
    );
    checkApplied(rows, migrations);
    const applied = new Set(rows.map((row) => row.name));
    const missing = migrations.filter((migration) => !applied.has(migration.name));
    for (const migration of missing) await applyOne(client, migration);
    return missing.map((migration) => migration.name);
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  }
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

async function applyOne(client: pg.ClientBase, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    // The row first: a second migrator that got past the lock would fail here, before it did anything.
    await client.query('INSERT INTO pgluthier.migration (name, checksum) VALUES ($1, $2)', [
      migration.name,
      migration.checksum,
    ]);
    await client.query(migration.sql);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {});
    throw new PgLuthierError({
      code: 'store_migration_failed',
      status: 500,
      message: `Migration ${migration.name} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      remedy: 'Nothing of it was applied. The role needs CREATE on the database.',
      cause,
    });
  }
}
