/**
 * Snapshots. Nouns whose counters always move are compressed into the snapshot's own row; those that rarely change
 * are kept once per content; statement texts are kept once each.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { sql } from 'kysely';
import {
  type Limit,
  PgLuthierError,
  type Snapshot,
  type SnapshotNoun,
  type StatementRow,
} from '../domain/index.ts';
import { type Database, type DatabaseTransaction, newId, notFound } from './database.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Differ in every snapshot: dropped with the snapshot's partition. */
const countedNouns = [
  'statements',
  'statements_info',
  'tables',
  'indexes',
  'counters',
] as const satisfies SnapshotNoun[];
/** Rarely change: kept once per content. */
const stableNouns = [
  'server',
  'host',
  'columns',
  'settings',
  'setting_overrides',
  'schema',
] as const satisfies SnapshotNoun[];

export interface SnapshotHeader {
  id: string;
  target_id: string;
  taken_at: string;
  /** partial: some noun could not be seen; `limits` says which. */
  status: 'complete' | 'partial' | 'failed';
  duration_ms: number | null;
  /** Rows of each noun. */
  counts: Record<string, number>;
  limits: Limit[];
}

export interface SnapshotStore {
  save(targetId: string, snapshot: Snapshot): Promise<SnapshotHeader>;
  /** A snapshot that did not come about, with its reason: a gap that is explained. */
  recordFailure(targetId: string, code: string, message: string): Promise<void>;
  /** Newest first. */
  list(targetId: string, options: { limit: number; before?: string }): Promise<SnapshotHeader[]>;
  /** @throws PgLuthierError `snapshot_not_found`; `snapshot_failed` for one that holds nothing. */
  get(targetId: string, snapshotId: string): Promise<Snapshot>;
  /** The newest that holds something. */
  latest(targetId: string): Promise<SnapshotHeader | null>;
  /** The oldest that holds something and is not older than `since`. */
  oldestSince(targetId: string, since: Date): Promise<SnapshotHeader | null>;
}

const headerColumns = [
  'snapshot_id',
  'target_id',
  'taken_at',
  'status',
  'duration_ms',
  'counts',
  'limits',
] as const;

function toHeader({
  snapshot_id,
  limits,
  ...row
}: Omit<SnapshotHeader, 'id' | 'limits'> & { snapshot_id: string; limits: unknown[] }): SnapshotHeader {
  return { id: snapshot_id, ...row, limits: limits as Limit[] };
}

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

export function snapshotStore(db: Database): SnapshotStore {
  return {
    save: async (targetId, snapshot) => {
      const { statements, texts } = withoutTexts(snapshot.statements);
      const counted = Object.fromEntries(countedNouns.map((noun) => [noun, snapshot[noun]]));
      const counters = await compress(
        JSON.stringify({ ...counted, statements, taken_at: snapshot.taken_at }),
      );
      const parts: Record<string, string> = {};
      const bodies = new Map<string, Buffer>();
      for (const noun of stableNouns) {
        const text = JSON.stringify(snapshot[noun]);
        const hash = sha256(text);
        parts[noun] = hash;
        bodies.set(hash, await compress(text));
      }
      const row = {
        target_id: targetId,
        taken_at: snapshot.taken_at,
        snapshot_id: newId('snp'),
        status: snapshot.limits.length === 0 ? ('complete' as const) : ('partial' as const),
        duration_ms: snapshot.duration_ms,
        counts: JSON.stringify(countRows(snapshot)),
        limits: JSON.stringify(snapshot.limits),
        counters,
        parts: JSON.stringify(parts),
      };
      return db.transaction().execute(async (transaction) => {
        await ensurePartition(transaction, new Date(snapshot.taken_at));
        await saveParts(transaction, targetId, bodies);
        await saveTexts(transaction, targetId, texts);
        const saved = await transaction
          .insertInto('pgluthier.snapshot')
          .values(row)
          .returning(headerColumns)
          .executeTakeFirstOrThrow();
        return toHeader(saved);
      });
    },
    recordFailure: async (targetId, code, message) => {
      const limit: Limit = { scope: 'snapshot', code, message, remedy: null };
      await db.transaction().execute(async (transaction) => {
        const now = new Date();
        await ensurePartition(transaction, now);
        await transaction
          .insertInto('pgluthier.snapshot')
          .values({
            target_id: targetId,
            taken_at: now,
            snapshot_id: newId('snp'),
            status: 'failed',
            duration_ms: null,
            counts: '{}',
            limits: JSON.stringify([limit]),
            counters: null,
            parts: '{}',
          })
          .execute();
      });
    },
    list: async (targetId, { limit, before }) => {
      let query = db
        .selectFrom('pgluthier.snapshot')
        .select(headerColumns)
        .where('target_id', '=', targetId)
        .orderBy('taken_at', 'desc')
        .limit(limit);
      if (before !== undefined) query = query.where('taken_at', '<', before);
      return (await query.execute()).map(toHeader);
    },
    get: async (targetId, snapshotId) => {
      const row = await db
        .selectFrom('pgluthier.snapshot')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('snapshot_id', '=', snapshotId)
        .executeTakeFirst();
      if (!row) throw notFound('snapshot', snapshotId);
      if (!row.counters) {
        throw new PgLuthierError({
          code: 'snapshot_failed',
          status: 409,
          message: `Snapshot ${snapshotId} did not come about; it holds nothing.`,
          remedy: 'Choose another one; its limits say why this one failed.',
        });
      }
      const counted = JSON.parse((await decompress(row.counters)).toString('utf8')) as Record<
        string,
        unknown
      >;
      const stable = await loadParts(db, targetId, row.parts);
      const statements = await withTexts(db, targetId, counted.statements as StoredStatement[]);
      return {
        format_version: 1,
        duration_ms: row.duration_ms ?? 0,
        limits: row.limits as Limit[],
        ...stable,
        ...counted,
        statements,
      } as Snapshot;
    },
    latest: async (targetId) => {
      const row = await db
        .selectFrom('pgluthier.snapshot')
        .select(headerColumns)
        .where('target_id', '=', targetId)
        .where('status', '!=', 'failed')
        .orderBy('taken_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? toHeader(row) : null;
    },
    oldestSince: async (targetId, since) => {
      const row = await db
        .selectFrom('pgluthier.snapshot')
        .select(headerColumns)
        .where('target_id', '=', targetId)
        .where('status', '!=', 'failed')
        .where('taken_at', '>=', since.toISOString())
        .orderBy('taken_at')
        .limit(1)
        .executeTakeFirst();
      return row ? toHeader(row) : null;
    },
  };
}

function countRows(snapshot: Snapshot): Record<string, number> {
  return {
    statements: snapshot.statements.length,
    tables: snapshot.tables.length,
    indexes: snapshot.indexes.length,
    columns: snapshot.columns.length,
    settings: snapshot.settings.length,
  };
}

/** A statement whose text is kept elsewhere; null stays null. */
type StoredStatement = Omit<StatementRow, 'query'> & { query_hash: string | null };

function withoutTexts(rows: StatementRow[]): { statements: StoredStatement[]; texts: Map<string, string> } {
  const texts = new Map<string, string>();
  const statements = rows.map(({ query, ...row }): StoredStatement => {
    if (query === null) return { ...row, query_hash: null };
    const hash = sha256(query);
    texts.set(hash, query);
    return { ...row, query_hash: hash };
  });
  return { statements, texts };
}

async function saveTexts(
  transaction: DatabaseTransaction,
  targetId: string,
  texts: Map<string, string>,
): Promise<void> {
  if (texts.size === 0) return;
  // A text is touched once a day at most: retention drops those that were not seen for as long as snapshots are kept.
  await sql`INSERT INTO pgluthier.query_text (target_id, text_hash, query, last_seen)
    SELECT ${targetId}, hash, query, current_date
    FROM unnest(${[...texts.keys()]}::text[], ${[...texts.values()]}::text[]) AS given (hash, query)
    ORDER BY hash
    ON CONFLICT (target_id, text_hash) DO UPDATE SET last_seen = current_date
    WHERE query_text.last_seen <> current_date`.execute(transaction);
}

async function withTexts(db: Database, targetId: string, rows: StoredStatement[]): Promise<StatementRow[]> {
  const hashes = [...new Set(rows.flatMap((row) => row.query_hash ?? []))];
  if (hashes.length === 0) return rows.map(({ query_hash: _, ...row }) => ({ ...row, query: null }));
  const { rows: found } = await sql<{ text_hash: string; query: string }>`
    SELECT text_hash, query FROM pgluthier.query_text
    WHERE target_id = ${targetId} AND text_hash = ANY (${hashes}::text[])`.execute(db);
  const texts = new Map(found.map((row) => [row.text_hash, row.query]));
  return rows.map(({ query_hash, ...row }) => ({
    ...row,
    query: query_hash === null ? null : (texts.get(query_hash) ?? null),
  }));
}

async function saveParts(
  transaction: DatabaseTransaction,
  targetId: string,
  bodies: Map<string, Buffer>,
): Promise<void> {
  await transaction
    .insertInto('pgluthier.snapshot_part')
    .values(
      [...bodies]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([part_hash, body]) => ({ target_id: targetId, part_hash, body })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function loadParts(
  db: Database,
  targetId: string,
  parts: Record<string, string>,
): Promise<Record<string, unknown>> {
  const rows = await db
    .selectFrom('pgluthier.snapshot_part')
    .select(['part_hash', 'body'])
    .where('target_id', '=', targetId)
    .where('part_hash', 'in', Object.values(parts))
    .execute();
  const bodies = new Map(rows.map((row) => [row.part_hash, row.body]));
  const loaded: Record<string, unknown> = {};
  for (const [noun, hash] of Object.entries(parts)) {
    const body = bodies.get(hash);
    if (!body) throw new Error(`snapshot part ${hash} of ${noun} is missing from the store`);
    loaded[noun] = JSON.parse((await decompress(body)).toString('utf8'));
  }
  return loaded;
}

/** One creator of partitions at a time. */
const PARTITION_LOCK = 0x50474c50;

/** The partition of a day (UTC), made when its first snapshot comes. */
async function ensurePartition(transaction: DatabaseTransaction, at: Date): Promise<void> {
  const day = at.toISOString().slice(0, 10);
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  const name = `pgluthier.snapshot_${day.replaceAll('-', '')}`;
  const { rows } = await sql<{ there: boolean }>`SELECT to_regclass(${name}) IS NOT NULL AS there`.execute(
    transaction,
  );
  if (rows[0]?.there) return;
  await sql`SELECT pg_advisory_xact_lock(${sql.lit(PARTITION_LOCK)})`.execute(transaction);
  await sql`CREATE TABLE IF NOT EXISTS ${sql.table(name)} PARTITION OF pgluthier.snapshot
    FOR VALUES FROM (${sql.lit(`${day} 00:00:00+00`)}) TO (${sql.lit(`${next} 00:00:00+00`)})`.execute(
    transaction,
  );
}
