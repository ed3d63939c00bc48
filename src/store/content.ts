/**
 * Content kept once per target under its hash: parts of snapshots and statements' texts. `last_seen` is the day of the
 * newest snapshot that refers to it; callers hold the target's row, so that retention cannot take what is being saved.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from './database.ts';
import type { LruCache } from './lru-cache.ts';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Rows in one INSERT. */
const BATCH = 1000;

/** Marks what is there already as seen on `day` (UTC) and returns the hashes that are not. */
async function touch(
  transaction: DatabaseTransaction,
  table: 'pgluthier.snapshot_part' | 'pgluthier.query_text',
  targetId: string,
  day: string,
  hashes: string[],
): Promise<string[]> {
  const { rows } = await sql<{ hash: string }>`
    WITH given AS (SELECT unnest(${hashes}::text[]) AS hash),
    touched AS (
      UPDATE ${sql.table(table)} AS kept SET last_seen = ${day}::date FROM given
      WHERE kept.target_id = ${targetId} AND kept.hash = given.hash AND kept.last_seen < ${day}::date
    )
    SELECT hash FROM given WHERE NOT EXISTS (
      SELECT FROM ${sql.table(table)} AS kept WHERE kept.target_id = ${targetId} AND kept.hash = given.hash
    )`.execute(transaction);
  return rows.map((row) => row.hash);
}

function* batches<T>(items: T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += BATCH) yield items.slice(start, start + BATCH);
}

export async function keepParts(
  transaction: DatabaseTransaction,
  targetId: string,
  day: string,
  parts: ReadonlyMap<string, string>,
): Promise<void> {
  const missing = await touch(transaction, 'pgluthier.snapshot_part', targetId, day, [...parts.keys()]);
  for (const hashes of batches(missing)) {
    const bodies = await Promise.all(hashes.map((hash) => deflate(parts.get(hash) ?? '')));
    await sql`INSERT INTO pgluthier.snapshot_part (target_id, hash, last_seen, body)
      SELECT ${targetId}, hash, ${day}::date, body
      FROM unnest(${hashes}::text[], ${bodies}::bytea[]) AS given (hash, body)`.execute(transaction);
  }
}

export async function keepTexts(
  transaction: DatabaseTransaction,
  targetId: string,
  day: string,
  texts: ReadonlyMap<string, string>,
): Promise<void> {
  const missing = await touch(transaction, 'pgluthier.query_text', targetId, day, [...texts.keys()]);
  for (const hashes of batches(missing)) {
    const queries = hashes.map((hash) => texts.get(hash));
    await sql`INSERT INTO pgluthier.query_text (target_id, hash, last_seen, query)
      SELECT ${targetId}, hash, ${day}::date, query
      FROM unnest(${hashes}::text[], ${queries}::text[]) AS given (hash, query)`.execute(transaction);
  }
}

/** What is in the cache, and the rest out of the store: content under a hash never changes. */
async function throughCache<T>(
  cache: LruCache,
  prefix: string,
  hashes: readonly string[],
  load: (missing: string[]) => Promise<{ hash: string; value: T; bytes: number }[]>,
): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  const missing: string[] = [];
  for (const hash of hashes) {
    const value = cache.get<T>(`${prefix} ${hash}`);
    if (value === undefined) missing.push(hash);
    else found.set(hash, value);
  }
  if (missing.length === 0) return found;
  for (const { hash, value, bytes } of await load(missing)) {
    found.set(hash, value);
    cache.put(`${prefix} ${hash}`, value, bytes);
  }
  return found;
}

/** Parsed parts by hash; shared with other readers, so nobody may write to them. */
export function loadParts(
  db: Database,
  cache: LruCache,
  targetId: string,
  hashes: readonly string[],
): Promise<Map<string, unknown>> {
  return throughCache(cache, `part ${targetId}`, hashes, async (missing) => {
    const { rows } = await sql<{ hash: string; body: Buffer }>`
      SELECT hash, body FROM pgluthier.snapshot_part
      WHERE target_id = ${targetId} AND hash = ANY (${missing}::text[])`.execute(db);
    return Promise.all(
      rows.map(async ({ hash, body }) => {
        const text = (await inflate(body)).toString('utf8');
        // Objects take several times their text.
        return { hash, value: JSON.parse(text) as unknown, bytes: 100 + text.length * 4 };
      }),
    );
  });
}

/** Statements' texts by hash. */
export function loadTexts(
  db: Database,
  cache: LruCache,
  targetId: string,
  hashes: readonly string[],
): Promise<Map<string, string>> {
  return throughCache(cache, `text ${targetId}`, hashes, async (missing) => {
    const { rows } = await sql<{ hash: string; query: string }>`
      SELECT hash, query FROM pgluthier.query_text
      WHERE target_id = ${targetId} AND hash = ANY (${missing}::text[])`.execute(db);
    return rows.map(({ hash, query }) => ({ hash, value: query, bytes: 100 + query.length * 2 }));
  });
}

/** Removes what no kept day refers to. The caller holds the target's row. */
export async function dropContent(
  transaction: DatabaseTransaction,
  targetId: string,
  firstKeptDay: string,
): Promise<{ parts: number; texts: number }> {
  const drop = async (table: 'pgluthier.snapshot_part' | 'pgluthier.query_text') => {
    const result = await transaction
      .deleteFrom(table)
      .where('target_id', '=', targetId)
      .where('last_seen', '<', firstKeptDay)
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  };
  return {
    parts: await drop('pgluthier.snapshot_part'),
    texts: await drop('pgluthier.query_text'),
  };
}
