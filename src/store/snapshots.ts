/**
 * Snapshots. The first full one of a day is kept whole, the others of that day as their difference from it; what
 * rarely changes is kept once per content, statements' texts once each. Fast ones are chains of differences that
 * begin at a full one (fast-chain.ts).
 */
import { sql } from 'kysely';
import {
  type ActivityPoint,
  activityPoint,
  composeSnapshot,
  type FastSnapshot,
  type Limit,
  PgLuthierError,
  type Snapshot,
  type StatementRow,
  statementKey,
} from '../domain/index.ts';
import { hourOf, overlaps, samplesOfHour } from './activity-hours.ts';
import { keepParts, keepTexts, loadParts, loadTexts } from './content.ts';
import { chooseCutPoints, epochOf, serverKeyOf } from './cut-points.ts';
import { type Database, type DatabaseTransaction, newId } from './database.ts';
import { notFound } from './errors.ts';
import { BLOCK, currentState, type KeptFast, type KeptFull, loadLinks, rememberFast } from './fast-chain.ts';
import { encodeFast } from './fast-codec.ts';
import { fastFromOldState } from './fast-codec-v1.ts';
import { fastFromState } from './fast-state.ts';
import { encodeFull } from './full-codec.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { LruCache } from './lru-cache.ts';
import { dayBounds, dayOf, ensurePartition } from './partitions.ts';
import type { Row } from './row-delta.ts';
import { putTogether, referredTo, takeApart } from './snapshot-codec.ts';

export interface SnapshotHeader {
  id: string;
  target_id: string;
  /** On the target's clock. */
  taken_at: string;
  /** On our clock: what snapshots are ordered by. */
  collected_at: string;
  /** partial: some noun could not be seen; `limits` says which. failed: it holds nothing. */
  status: 'complete' | 'partial' | 'failed';
  duration_ms: number | null;
  /** Rows of each noun. */
  counts: Record<string, number>;
  limits: Limit[];
  /** fast: counters and activity only; the rest is that of the last full one before it. */
  cadence: 'full' | 'fast';
  /** The sample of sessions in figures; null: not seen. */
  activity: ActivityPoint | null;
}

export interface SnapshotStore {
  /** A full one, exact but for the bounds named in full-codec.ts. @throws PgLuthierError `target_not_found`. */
  save(targetId: string, snapshot: Snapshot): Promise<SnapshotHeader>;
  /**
   * A fast one, exact but for the bounds named in fast-codec.ts.
   * @throws PgLuthierError `target_not_found`; `full_snapshot_missing` without a full one of the same day (UTC).
   */
  saveFast(targetId: string, fast: FastSnapshot): Promise<SnapshotHeader>;
  /** The newest full one, and which server it was of: see `serverKey`. */
  lastFull(targetId: string): Promise<(SnapshotHeader & { server_key: string | null }) | null>;
  /** The full one right before this one; null: there is none. */
  fullBefore(targetId: string, header: Pick<SnapshotHeader, 'collected_at'>): Promise<SnapshotHeader | null>;
  /** Keys (`statementKey`) of the statements whose texts the newest snapshot holds. */
  knownStatements(targetId: string): Promise<Set<string>>;
  /**
   * Samples of sessions in from..to (our clock), both included, oldest first. Of hours that were rolled up and overlap
   * with it: all of the hour, as `rolled_up` samples.
   */
  activityBetween(targetId: string, from: Date, to: Date): Promise<ActivityPoint[]>;
  /**
   * The snapshots that the window between two must be composed of, oldest first: see cut-points.ts.
   * @throws PgLuthierError `snapshot_not_found`.
   */
  cutPoints(targetId: string, fromId: string, toId: string): Promise<SnapshotHeader[]>;
  /** A snapshot that did not come about, with its reason: a gap that is explained. */
  recordFailure(targetId: string, code: string, message: string): Promise<void>;
  /** Newest first; `before` (ISO time) goes on where a page ended. */
  list(targetId: string, options: { limit: number; before?: string }): Promise<SnapshotHeader[]>;
  /**
   * What rarely changes is shared with other snapshots: nobody may write to it.
   * @throws PgLuthierError `snapshot_not_found`; `snapshot_failed` for one that holds nothing.
   */
  get(targetId: string, snapshotId: string): Promise<Snapshot>;
  /** The newest that holds something. */
  latest(targetId: string): Promise<SnapshotHeader | null>;
  /** The oldest that holds something and is not older than `since`. */
  oldestSince(targetId: string, since: Date): Promise<SnapshotHeader | null>;
  /** The newest not after this time (our clock); null: there is none. */
  newestUntil(targetId: string, until: Date): Promise<SnapshotHeader | null>;
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
  'collected_at',
  'status',
  'duration_ms',
  'counts',
  'limits',
  'cadence',
  'activity',
] as const;

type HeaderRow = Omit<SnapshotHeader, 'id' | 'limits' | 'taken_at'> & {
  snapshot_id: string;
  taken_at: string | null;
  limits: unknown[];
};

function toHeader({ snapshot_id, limits, taken_at, ...row }: HeaderRow): SnapshotHeader {
  return { id: snapshot_id, ...row, taken_at: taken_at ?? row.collected_at, limits: limits as Limit[] };
}

/** Decoded snapshots and parts that are kept in memory, bytes. */
const CACHE_BYTES = 128 * 2 ** 20;

/**
 * The snapshot of this day to write a difference from, or null where a new one should begin. Differences grow with
 * the distance from their base: when what they took beyond the smallest of them adds up to what a whole snapshot
 * takes, a new base pays.
 */
async function baseOf(
  transaction: DatabaseTransaction,
  cache: LruCache,
  targetId: string,
  day: string,
): Promise<KeptFull | null> {
  const { from, to } = dayBounds(day);
  const ofDay = transaction
    .selectFrom('pgluthier.snapshot')
    .where('target_id', '=', targetId)
    .where('collected_at', '>=', from)
    .where('collected_at', '<', to)
    .where('cadence', '=', 'full')
    .where('status', '!=', 'failed');
  const base = await ofDay
    .select(['snapshot_id', 'collected_at'])
    .select(sql<number>`octet_length(body)`.as('bytes'))
    .where('base_snapshot_id', 'is', null)
    .orderBy('collected_at', 'desc')
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!base) return null;
  const { excess } = await ofDay
    .select(
      sql<number>`coalesce(sum(octet_length(body)) - count(*) * min(octet_length(body)), 0)::bigint`.as(
        'excess',
      ),
    )
    .where('base_snapshot_id', '=', base.snapshot_id)
    .executeTakeFirstOrThrow();
  if (excess >= base.bytes) return null;
  return (await loadLinks(transaction, cache, targetId, base.snapshot_id, base.collected_at)).full;
}

/** Rows of each noun that is a list. */
function countRows(snapshot: Snapshot | FastSnapshot): Record<string, number> {
  const nouns = ['statements', 'tables', 'indexes', 'columns', 'settings'] as const;
  return Object.fromEntries(
    nouns.flatMap((noun) => {
      const rows = noun in snapshot ? (snapshot as Snapshot)[noun] : null;
      return rows ? [[noun, rows.length]] : [];
    }),
  );
}

/** What the header says of a snapshot of either cadence. */
function headerValues(targetId: string, snapshot: Snapshot | FastSnapshot) {
  const point = activityPoint(snapshot);
  return {
    target_id: targetId,
    collected_at: snapshot.collected_at,
    taken_at: snapshot.taken_at,
    snapshot_id: newId('snp'),
    status: snapshot.limits.length === 0 ? ('complete' as const) : ('partial' as const),
    duration_ms: snapshot.duration_ms,
    counts: jsonText(countRows(snapshot)),
    limits: jsonText(snapshot.limits),
    activity: point && jsonText(point),
    epoch: epochOf(snapshot),
    dealloc: snapshot.statements_info?.dealloc ?? null,
  };
}

/** Where a fast snapshot of this moment stands: see fast-chain.ts. */
interface Stand {
  /** The full one of the day that it goes with. */
  fullId: string;
  /** What it is a difference from. */
  baseId: string;
  /** The newest of the two cadences before it. */
  newestId: string;
}

async function standOf(
  transaction: DatabaseTransaction,
  targetId: string,
  at: string,
): Promise<Stand | null> {
  const before = transaction
    .selectFrom('pgluthier.snapshot')
    .select('snapshot_id')
    .where('target_id', '=', targetId)
    .where('collected_at', '<=', at)
    .where('status', '!=', 'failed')
    .orderBy('collected_at', 'desc')
    .orderBy('snapshot_id', 'desc');
  const ofDay = before.where('collected_at', '>=', dayBounds(dayOf(new Date(at))).from);
  const full = await ofDay.where('cadence', '=', 'full').limit(1).executeTakeFirst();
  if (!full) return null;
  const fullId = full.snapshot_id;
  const fast = ofDay.where('full_snapshot_id', '=', fullId);
  const newest = await fast.limit(1).executeTakeFirst();
  const hour = `${new Date(at).toISOString().slice(0, 13)}:00:00Z`;
  // Newest first: the last one, and with it the blocks of this hour.
  const ofHour = (await fast.where('collected_at', '>=', hour).execute()).map((row) => row.snapshot_id);
  const back = ofHour.length % BLOCK === 0 ? BLOCK : 1;
  return { fullId, baseId: ofHour[back - 1] ?? fullId, newestId: newest?.snapshot_id ?? fullId };
}

export function snapshotStore(db: Database, cache: LruCache = new LruCache(CACHE_BYTES)): SnapshotStore {
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
      .where('collected_at', side, at.toISOString())
      .orderBy('collected_at', order)
      .orderBy('snapshot_id', order)
      .executeTakeFirst();
    return row ? toHeader(row) : null;
  };

  return {
    save: async (targetId, snapshot) => {
      const { meta, rows, parts, texts } = takeApart(snapshot);
      const day = dayOf(new Date(snapshot.collected_at));
      await ensurePartition(db, day);
      return db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        await keepParts(transaction, targetId, day, parts);
        await keepTexts(transaction, targetId, day, texts);
        const base = await baseOf(transaction, cache, targetId, day);
        const saved = await transaction
          .insertInto('pgluthier.snapshot')
          .values({
            ...headerValues(targetId, snapshot),
            base_snapshot_id: base?.snapshot_id ?? null,
            body: await encodeFull(meta, rows, base),
          })
          .returning(headerColumns)
          .executeTakeFirstOrThrow();
        return toHeader(saved);
      });
    },
    saveFast: async (targetId, fast) => {
      const at = fast.collected_at;
      const day = dayOf(new Date(at));
      await ensurePartition(db, day);
      const { header, state } = await db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        const stand = await standOf(transaction, targetId, at);
        if (!stand) throw fullMissing(day);
        const stateAt = async (id: string) => {
          const { full, fast: kept } = await loadLinks(transaction, cache, targetId, id, at);
          return currentState(full, kept);
        };
        const base = await stateAt(stand.baseId);
        const newest = stand.newestId === stand.baseId ? base : await stateAt(stand.newestId);
        const { body, texts, state } = await encodeFast(fast, base, newest);
        await keepTexts(transaction, targetId, day, texts);
        const saved = await transaction
          .insertInto('pgluthier.snapshot')
          .values({
            ...headerValues(targetId, fast),
            cadence: 'fast',
            full_snapshot_id: stand.fullId,
            base_snapshot_id: stand.baseId,
            body,
          })
          .returning(headerColumns)
          .executeTakeFirstOrThrow();
        return { header: toHeader(saved), state };
      });
      rememberFast(cache, targetId, header.id, state, header.limits);
      return header;
    },
    lastFull: async (targetId) => {
      const row = await holdingSomething(targetId)
        .select('epoch')
        .where('cadence', '=', 'full')
        .orderBy('collected_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .executeTakeFirst();
      if (!row) return null;
      const { epoch, ...header } = row;
      return { ...toHeader(header), server_key: epoch === null ? null : serverKeyOf(epoch) };
    },
    fullBefore: async (targetId, { collected_at }) => {
      const row = await holdingSomething(targetId)
        .where('cadence', '=', 'full')
        .where('collected_at', '<', collected_at)
        .orderBy('collected_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .executeTakeFirst();
      return row ? toHeader(row) : null;
    },
    knownStatements: async (targetId) => {
      const last = await holdingSomething(targetId)
        .orderBy('collected_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .executeTakeFirst();
      if (!last) return new Set();
      const { full, fast } = await loadLinks(db, cache, targetId, last.snapshot_id, last.collected_at);
      const rows: Row[] = fast ? statementsOf(fast.state) : full.rows.statements;
      return new Set(
        rows
          .filter((row) => row.query_hash !== null)
          .map((row) => statementKey(row as unknown as StatementRow)),
      );
    },
    activityBetween: (targetId, from, to) => readActivity(db, targetId, from, to),
    cutPoints: async (targetId, fromId, toId) => {
      const end = async (id: string) => {
        const row = await holdingSomething(targetId).where('snapshot_id', '=', id).executeTakeFirst();
        if (!row) throw notFound('snapshot', id);
        return row;
      };
      const [from, to] = [await end(fromId), await end(toId)];
      const rows = await db
        .selectFrom('pgluthier.snapshot')
        .select([...headerColumns, 'epoch', 'dealloc'])
        .where('target_id', '=', targetId)
        .where('collected_at', '>=', from.collected_at)
        .where('collected_at', '<=', to.collected_at)
        .where('status', '!=', 'failed')
        .orderBy('collected_at')
        .orderBy('snapshot_id')
        .execute();
      // Others of the very same moments are not part of the window.
      const inside = rows.filter(
        ({ snapshot_id: id, collected_at: at }) =>
          id === fromId || id === toId || (at !== from.collected_at && at !== to.collected_at),
      );
      return chooseCutPoints(inside).flatMap((index) => {
        const row = inside[index];
        if (!row) return [];
        const { epoch: _e, dealloc: _d, ...header } = row;
        return [toHeader(header)];
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
            collected_at: now,
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
        .orderBy('collected_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .limit(limit);
      if (before !== undefined) query = query.where('collected_at', '<', before);
      return (await query.execute()).map(toHeader);
    },
    get: async (targetId, snapshotId) => {
      const row = await db
        .selectFrom('pgluthier.snapshot')
        .select(['collected_at', 'status'])
        .where('target_id', '=', targetId)
        .where('snapshot_id', '=', snapshotId)
        .executeTakeFirst();
      if (!row) throw notFound('snapshot', snapshotId);
      if (row.status === 'failed') {
        throw new PgLuthierError({
          code: 'snapshot_failed',
          status: 409,
          message: `Snapshot ${snapshotId} did not come about; it holds nothing.`,
          remedy: 'Choose another one; its limits say why this one failed.',
        });
      }
      return readSnapshot(db, cache, targetId, snapshotId, row.collected_at);
    },
    latest: async (targetId) => {
      const row = await holdingSomething(targetId)
        .orderBy('collected_at', 'desc')
        .orderBy('snapshot_id', 'desc')
        .executeTakeFirst();
      return row ? toHeader(row) : null;
    },
    oldestSince: (targetId, since) => nearest(targetId, '>=', since),
    newestUntil: (targetId, until) => nearest(targetId, '<=', until),
    around: async (targetId, from, to) => {
      const first = (await nearest(targetId, '<=', from)) ?? (await nearest(targetId, '>=', from));
      const last = (await nearest(targetId, '>=', to)) ?? (await nearest(targetId, '<=', to));
      return first && last && first.collected_at < last.collected_at ? { from: first, to: last } : null;
    },
  };
}

function statementsOf(state: KeptFast['state']): Row[] {
  return 'at_ms' in state ? state.statements.rows : state.statements;
}

function textsOfFast({ state }: KeptFast): string[] {
  return statementsOf(state).flatMap(({ query_hash: hash }) => (typeof hash === 'string' ? [hash] : []));
}

function readFast({ state, limits }: KeptFast, texts: ReadonlyMap<string, string>): FastSnapshot {
  return 'at_ms' in state ? fastFromState(state, limits, texts) : fastFromOldState(state, limits, texts);
}

async function readActivity(db: Database, targetId: string, from: Date, to: Date): Promise<ActivityPoint[]> {
  const rows = await db
    .selectFrom('pgluthier.snapshot')
    .select(['collected_at', 'activity', 'activity_hours'])
    .where('target_id', '=', targetId)
    // A day's hours are with its first.
    .where('collected_at', '>=', dayBounds(dayOf(from)).from)
    .where('collected_at', '<=', to.toISOString())
    .where((row) => row.or([row('activity', 'is not', null), row('activity_hours', 'is not', null)]))
    .orderBy('collected_at')
    .execute();
  const hours = rows.flatMap(({ activity_hours }) => activity_hours ?? []);
  const inHours = new Set(hours.map(({ hour }) => hour));
  const points = rows.flatMap(({ collected_at, activity }) =>
    activity && Date.parse(collected_at) >= from.getTime() && !inHours.has(hourOf(collected_at))
      ? [activity]
      : [],
  );
  const rolledUp = hours.filter((hour) => overlaps(hour, from, to)).flatMap(samplesOfHour);
  // Days are rolled up whole, the oldest first.
  return [...rolledUp, ...points];
}

/** All of it as of one moment: a roll-up may be at work on the same day. */
function readSnapshot(
  db: Database,
  cache: LruCache,
  targetId: string,
  id: string,
  at: string,
): Promise<Snapshot> {
  const atOnce = db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only');
  return atOnce.execute(async (transaction) => {
    const { full, fast } = await loadLinks(transaction, cache, targetId, id, at);
    const referred = referredTo(full.rows);
    const hashes = [...new Set([...referred.texts, ...(fast ? textsOfFast(fast) : [])])];
    const parts = await loadParts(transaction, cache, targetId, referred.parts);
    const texts = await loadTexts(transaction, cache, targetId, hashes);
    const snapshot = putTogether({ ...full.meta, limits: full.limits }, full.rows, parts, texts);
    return fast ? composeSnapshot(snapshot, readFast(fast, texts)) : snapshot;
  });
}

function fullMissing(day: string): PgLuthierError {
  return new PgLuthierError({
    code: 'full_snapshot_missing',
    status: 409,
    message: `There is no full snapshot of this target on ${day} (UTC) that a fast one could go with.`,
    remedy: 'Take a full snapshot first.',
  });
}
