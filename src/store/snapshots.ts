/**
 * Snapshots. The first of a day is kept whole, the others of that day as their difference from it; what rarely
 * changes is kept once per content, statements' texts once each.
 */
import { sql } from 'kysely';
import { type Limit, PgLuthierError, type Snapshot } from '../domain/index.ts';
import { keepParts, keepTexts, loadParts, loadTexts } from './content.ts';
import { type Database, type DatabaseTransaction, newId } from './database.ts';
import { notFound } from './errors.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { dayBounds, dayOf, ensurePartition } from './partitions.ts';
import { decodeBody, encodeBody, putTogether, referredTo, takeApart } from './snapshot-codec.ts';

export interface SnapshotHeader {
  id: string;
  target_id: string;
  taken_at: string;
  /** partial: some noun could not be seen; `limits` says which. failed: it holds nothing. */
  status: 'complete' | 'partial' | 'failed';
  duration_ms: number | null;
  /** Rows of each noun. */
  counts: Record<string, number>;
  limits: Limit[];
}

export interface SnapshotStore {
  /** @throws PgLuthierError `target_not_found`. */
  save(targetId: string, snapshot: Snapshot): Promise<SnapshotHeader>;
  /** A snapshot that did not come about, with its reason: a gap that is explained. */
  recordFailure(targetId: string, code: string, message: string): Promise<void>;
  /** Newest first; `before` (ISO time) goes on where a page ended. */
  list(targetId: string, options: { limit: number; before?: string }): Promise<SnapshotHeader[]>;
  /** @throws PgLuthierError `snapshot_not_found`; `snapshot_failed` for one that holds nothing. */
  get(targetId: string, snapshotId: string): Promise<Snapshot>;
  /** The newest that holds something. */
  latest(targetId: string): Promise<SnapshotHeader | null>;
  /** The oldest that holds something and is not older than `since`. */
  oldestSince(targetId: string, since: Date): Promise<SnapshotHeader | null>;
  /**
   * Two to make the window `from`..`to` of: the last not after `from` and the first not before `to`, or where there is
   * none, the nearest on the other side. Null while there are not two.
   */
  around(
    targetId: string,
    from: Date,
    to: Date,
  ): Promise<{ from: SnapshotHeader; to: SnapshotHeader } | null>;
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

type Rows = ReturnType<typeof takeApart>['rows'];

interface Base {
  snapshot_id: string;
  rows: Rows;
}

/**
 * The snapshot of this day to write a difference from, or null where a new one should begin. Differences grow with
 * the distance from their base: when what they took beyond the smallest of them adds up to what a whole snapshot
 * takes, a new base pays.
 */
async function baseOf(transaction: DatabaseTransaction, targetId: string, day: string): Promise<Base | null> {
  const { from, to } = dayBounds(day);
  const ofDay = transaction
    .selectFrom('pgluthier.snapshot')
    .where('target_id', '=', targetId)
    .where('taken_at', '>=', from)
    .where('taken_at', '<', to)
    .where('status', '!=', 'failed');
  const base = await ofDay
    .select(['snapshot_id', 'body'])
    .where('base_snapshot_id', 'is', null)
    .orderBy('taken_at', 'desc')
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!base?.body) return null;
  const { excess } = await ofDay
    .select(
      sql<number>`coalesce(sum(octet_length(body)) - count(*) * min(octet_length(body)), 0)::bigint`.as(
        'excess',
      ),
    )
    .where('base_snapshot_id', '=', base.snapshot_id)
    .executeTakeFirstOrThrow();
  if (excess >= base.body.length) return null;
  return { snapshot_id: base.snapshot_id, rows: (await decodeBody(base.body, null)).rows };
}

function countRows({ statements, tables, indexes, columns, settings }: Snapshot): Record<string, number> {
  return {
    statements: statements.length,
    tables: tables.length,
    indexes: indexes.length,
    columns: columns.length,
    settings: settings.length,
  };
}

export function snapshotStore(db: Database): SnapshotStore {
  const holdingSomething = (targetId: string) =>
    db
      .selectFrom('pgluthier.snapshot')
      .select(headerColumns)
      .where('target_id', '=', targetId)
      .where('status', '!=', 'failed')
      .limit(1);
  /** The one nearest to a time, on one side of it. */
  const nearest = async (targetId: string, side: '<=' | '>=', at: Date): Promise<SnapshotHeader | null> => {
    const order = side === '<=' ? 'desc' : 'asc';
    const row = await holdingSomething(targetId)
      .where('taken_at', side, at.toISOString())
      .orderBy('taken_at', order)
      .orderBy('snapshot_id', order)
      .executeTakeFirst();
    return row ? toHeader(row) : null;
  };

  return {
    save: async (targetId, snapshot) => {
      const { rows, parts, texts } = takeApart(snapshot);
      const day = dayOf(new Date(snapshot.taken_at));
      await ensurePartition(db, day);
      return db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        await keepParts(transaction, targetId, day, parts);
        await keepTexts(transaction, targetId, day, texts);
        const base = await baseOf(transaction, targetId, day);
        const saved = await transaction
          .insertInto('pgluthier.snapshot')
          .values({
            target_id: targetId,
            taken_at: snapshot.taken_at,
            snapshot_id: newId('snp'),
            status: snapshot.limits.length === 0 ? 'complete' : 'partial',
            duration_ms: snapshot.duration_ms,
            counts: jsonText(countRows(snapshot)),
            limits: jsonText(snapshot.limits),
            base_snapshot_id: base?.snapshot_id ?? null,
            body: await encodeBody(snapshot, rows, base?.rows ?? null),
          })
          .returning(headerColumns)
          .executeTakeFirstOrThrow();
        return toHeader(saved);
      });
    },
    recordFailure: async (targetId, code, message) => {
      const limit: Limit = { scope: 'snapshot', code, message, remedy: null };
      const now = new Date();
      await ensurePartition(db, dayOf(now));
      await db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        await transaction
          .insertInto('pgluthier.snapshot')
          .values({
            target_id: targetId,
            taken_at: now,
            snapshot_id: newId('snp'),
            status: 'failed',
            counts: '{}',
            limits: jsonText([limit]),
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
        .orderBy('snapshot_id', 'desc')
        .limit(limit);
      if (before !== undefined) query = query.where('taken_at', '<', before);
      return (await query.execute()).map(toHeader);
    },
    get: async (targetId, snapshotId) => {
      const row = await db
        .selectFrom('pgluthier.snapshot')
        .select(['taken_at', 'limits', 'base_snapshot_id', 'body'])
        .where('target_id', '=', targetId)
        .where('snapshot_id', '=', snapshotId)
        .executeTakeFirst();
      if (!row) throw notFound('snapshot', snapshotId);
      if (!row.body) {
        throw new PgLuthierError({
          code: 'snapshot_failed',
          status: 409,
          message: `Snapshot ${snapshotId} did not come about; it holds nothing.`,
          remedy: 'Choose another one; its limits say why this one failed.',
        });
      }
      const base = row.base_snapshot_id
        ? await loadBase(db, targetId, row.taken_at, row.base_snapshot_id)
        : null;
      const { meta, rows } = await decodeBody(row.body, base);
      const referred = referredTo(rows);
      const [parts, texts] = await Promise.all([
        loadParts(db, targetId, referred.parts),
        loadTexts(db, targetId, referred.texts),
      ]);
      return putTogether({ ...meta, limits: row.limits as Limit[] }, rows, parts, texts);
    },
    latest: async (targetId) => {
      const row = await holdingSomething(targetId)
        .orderBy('taken_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .executeTakeFirst();
      return row ? toHeader(row) : null;
    },
    oldestSince: (targetId, since) => nearest(targetId, '>=', since),
    around: async (targetId, from, to) => {
      const first = (await nearest(targetId, '<=', from)) ?? (await nearest(targetId, '>=', from));
      const last = (await nearest(targetId, '>=', to)) ?? (await nearest(targetId, '<=', to));
      return first && last && first.taken_at < last.taken_at ? { from: first, to: last } : null;
    },
  };
}

/** A base is of the same day: with the times, only one partition is looked into. */
async function loadBase(db: Database, targetId: string, takenAt: string, baseId: string): Promise<Rows> {
  const { from, to } = dayBounds(dayOf(new Date(takenAt)));
  const base = await db
    .selectFrom('pgluthier.snapshot')
    .select('body')
    .where('target_id', '=', targetId)
    .where('taken_at', '>=', from)
    .where('taken_at', '<', to)
    .where('snapshot_id', '=', baseId)
    .executeTakeFirst();
  if (!base?.body) throw new Error(`base snapshot ${baseId} is missing from the store`);
  return (await decodeBody(base.body, null)).rows;
}
