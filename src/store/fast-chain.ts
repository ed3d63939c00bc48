/**
 * Where fast snapshots stand. Those of one hour that go with the same full one are in blocks of fifteen: the first is a
 * difference from the full one, the first of each further block from the first of the block before, the others from
 * the one before them. With a full one each half an hour none of one a minute is further than 15 differences from it
 * (18 without, within the hour), and a chain never leaves its day: dropping a day's partition breaks no other.
 */
import { sql } from 'kysely';
import type { Limit } from '../domain/index.ts';
import { isOldBody } from './body-frame.ts';
import type { Database } from './database.ts';
import { notFound } from './errors.ts';
import { decodeFast } from './fast-codec.ts';
import { decodeOldFast, type OldFastState, oldStateOfFull } from './fast-codec-v1.ts';
import { type FastState, stateBytes, stateOfFull, stateOfOld } from './fast-state.ts';
import { decodeFull } from './full-codec.ts';
import type { LruCache } from './lru-cache.ts';
import { dayBounds, dayOf } from './partitions.ts';
import type { SnapshotMeta, SnapshotRows } from './snapshot-codec.ts';

/** Fast snapshots in a block. */
export const BLOCK = 15;

/** A full snapshot as it is kept, without its parts and texts. */
export interface KeptFull {
  snapshot_id: string;
  meta: SnapshotMeta;
  rows: SnapshotRows;
  limits: Limit[];
}

export interface KeptFast {
  state: FastState | OldFastState;
  limits: Limit[];
}

export interface Loaded {
  full: KeptFull;
  /** Null: the full one was asked for. */
  fast: KeptFast | null;
}

interface Link {
  snapshot_id: string;
  cadence: 'full' | 'fast';
  base_snapshot_id: string | null;
}

/** A snapshot with all that it is a difference from, itself last: one query, one partition, no body. */
async function linksTo(db: Database, targetId: string, id: string, at: string): Promise<Link[]> {
  const { from, to } = dayBounds(dayOf(new Date(at)));
  const { rows } = await sql<Link>`
    WITH RECURSIVE link AS (
      SELECT s.snapshot_id, s.cadence, s.base_snapshot_id, 0 AS distance FROM pgluthier.snapshot s
      WHERE target_id = ${targetId} AND snapshot_id = ${id} AND collected_at >= ${from} AND collected_at < ${to}
      UNION ALL
      SELECT s.snapshot_id, s.cadence, s.base_snapshot_id, link.distance + 1 FROM link
      JOIN pgluthier.snapshot s
        ON s.target_id = ${targetId} AND s.snapshot_id = link.base_snapshot_id
       AND s.collected_at >= ${from} AND s.collected_at < ${to}
    )
    SELECT snapshot_id, cadence, base_snapshot_id FROM link ORDER BY distance DESC`.execute(db);
  const [first] = rows;
  if (!first) throw notFound('snapshot', id);
  if (first.base_snapshot_id !== null) {
    throw new Error(`base snapshot ${first.base_snapshot_id} is missing from the store`);
  }
  return rows;
}

interface Body {
  body: Buffer;
  limits: Limit[];
}

async function bodiesOf(
  db: Database,
  targetId: string,
  ids: string[],
  at: string,
): Promise<Map<string, Body>> {
  if (ids.length === 0) return new Map();
  const { from, to } = dayBounds(dayOf(new Date(at)));
  const rows = await db
    .selectFrom('pgluthier.snapshot')
    .select(['snapshot_id', 'body', 'limits'])
    .where('target_id', '=', targetId)
    .where('snapshot_id', 'in', ids)
    .where('collected_at', '>=', from)
    .where('collected_at', '<', to)
    .execute();
  return new Map(
    rows.flatMap(({ snapshot_id, body, limits }) =>
      body ? [[snapshot_id, { body, limits: limits as Limit[] }]] : [],
    ),
  );
}

const cacheKey = (targetId: string, id: string) => `snapshot ${targetId} ${id}`;

/** Decoded JSON takes several times what it took compressed. */
const fullBytes = (body: Buffer) => body.length * 25;

function keepFast(cache: LruCache, targetId: string, id: string, kept: KeptFast): void {
  if ('at_ms' in kept.state) cache.put(cacheKey(targetId, id), kept, stateBytes(kept.state));
}

/** Puts in the cache what was just saved: the next difference is taken from it. */
export function rememberFast(
  cache: LruCache,
  targetId: string,
  id: string,
  state: FastState,
  limits: Limit[],
): void {
  keepFast(cache, targetId, id, { state, limits });
}

/** The state in today's format, to take a difference from. */
export function currentState(full: KeptFull, fast: KeptFast | null): FastState {
  if (!fast) return stateOfFull(full.rows, full.meta.collected_at);
  return 'at_ms' in fast.state ? fast.state : stateOfOld(fast.state);
}

/**
 * A snapshot that holds something, decoded, from the nearest that is in the cache.
 * @param at its place in time, which says the partition.
 */
export async function loadLinks(
  db: Database,
  cache: LruCache,
  targetId: string,
  id: string,
  at: string,
): Promise<Loaded> {
  const links = await linksTo(db, targetId, id, at);
  const fulls = links.filter((link) => link.cadence === 'full');
  const fasts = links.filter((link) => link.cadence === 'fast');
  /** What follows the last one that is in the cache, and that one's value. */
  const rest = <T>(of: Link[]): { todo: Link[]; known: T | null } => {
    for (let index = of.length - 1; index >= 0; index -= 1) {
      const known = cache.get<T>(cacheKey(targetId, (of[index] as Link).snapshot_id));
      if (known) return { todo: of.slice(index + 1), known };
    }
    return { todo: of, known: null };
  };
  const full = rest<KeptFull>(fulls);
  const fast = rest<KeptFast>(fasts);
  const ids = [...full.todo, ...fast.todo].map((link) => link.snapshot_id);
  const bodies = await bodiesOf(db, targetId, ids, at);
  const bodyOf = ({ snapshot_id }: Link): Body => {
    const body = bodies.get(snapshot_id);
    if (!body) throw new Error(`snapshot ${snapshot_id} holds nothing`);
    return body;
  };

  let keptFull = full.known;
  for (const link of full.todo) {
    const { body, limits } = bodyOf(link);
    const decoded = await decodeFull(body, keptFull);
    keptFull = { snapshot_id: link.snapshot_id, limits, ...decoded };
    cache.put(cacheKey(targetId, link.snapshot_id), keptFull, fullBytes(body));
  }
  if (!keptFull) throw new Error(`snapshot ${id} has no full one`);
  let keptFast = fast.known;
  for (const link of fast.todo) {
    const { body, limits } = bodyOf(link);
    keptFast = { state: await decodeLink(body, keptFull, keptFast), limits };
    // What others are differences from, and what was asked for.
    keepFast(cache, targetId, link.snapshot_id, keptFast);
  }
  return { full: keptFull, fast: keptFast };
}

async function decodeLink(
  body: Buffer,
  full: KeptFull,
  before: KeptFast | null,
): Promise<FastState | OldFastState> {
  if (!isOldBody(body)) return decodeFast(body, currentState(full, before));
  const state = before?.state ?? oldStateOfFull(full.rows);
  if ('at_ms' in state) throw new Error('an old difference follows a new one');
  return decodeOldFast(body, state);
}
