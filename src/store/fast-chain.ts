/**
 * Where fast snapshots stand: each is a difference from the fast one before it with the same full one, the first of
 * an hour from the full one itself. A chain is never longer than an hour and never leaves its day, so that dropping a
 * day's partition breaks no other.
 */
import { sql } from 'kysely';
import type { Limit } from '../domain/index.ts';
import type { Database } from './database.ts';
import { decodeFast, type FastState, stateOfFull } from './fast-codec.ts';
import { dayBounds, dayOf } from './partitions.ts';
import { decodeBody, type SnapshotMeta, type SnapshotRows } from './snapshot-codec.ts';

/** A full snapshot as it is kept, without its parts and texts. */
export interface KeptFull {
  snapshot_id: string;
  meta: SnapshotMeta;
  rows: SnapshotRows;
  limits: Limit[];
}

export interface Link {
  snapshot_id: string;
  taken_at: string;
  cadence: 'full' | 'fast';
  full_snapshot_id: string | null;
  base_snapshot_id: string | null;
  limits: unknown[];
  body: Buffer | null;
}

/** A snapshot with all that it is a difference from, itself last: one query, one partition. */
async function linksTo(db: Database, targetId: string, id: string, takenAt: string): Promise<Link[]> {
  const { from, to } = dayBounds(dayOf(new Date(takenAt)));
  const { rows } = await sql<Link>`
    WITH RECURSIVE link AS (
      SELECT s.*, 0 AS distance FROM pgluthier.snapshot s
      WHERE target_id = ${targetId} AND snapshot_id = ${id} AND taken_at >= ${from} AND taken_at < ${to}
      UNION ALL
      SELECT s.*, link.distance + 1 FROM link JOIN pgluthier.snapshot s
        ON s.target_id = ${targetId} AND s.snapshot_id = link.base_snapshot_id
       AND s.taken_at >= ${from} AND s.taken_at < ${to}
    )
    SELECT snapshot_id, taken_at, cadence, full_snapshot_id, base_snapshot_id, limits, body
    FROM link ORDER BY distance DESC`.execute(db);
  const [first] = rows;
  if (!first || first.base_snapshot_id !== null) {
    throw new Error(`base snapshot ${first?.base_snapshot_id ?? id} is missing from the store`);
  }
  return rows;
}

export interface Loaded {
  full: KeptFull;
  /** Null: the full one was asked for. */
  fast: { state: FastState; limits: Limit[] } | null;
}

/** A snapshot that holds something, decoded. */
export async function loadLinks(
  db: Database,
  targetId: string,
  id: string,
  takenAt: string,
): Promise<Loaded> {
  let full: KeptFull | null = null;
  let fast: Loaded['fast'] = null;
  for (const link of await linksTo(db, targetId, id, takenAt)) {
    if (!link.body) throw new Error(`snapshot ${link.snapshot_id} holds nothing`);
    const limits = link.limits as Limit[];
    if (link.cadence === 'full') {
      const base: SnapshotRows | null = (full as KeptFull | null)?.rows ?? null;
      full = {
        snapshot_id: link.snapshot_id,
        limits,
        ...(await decodeBody(link.body, base)),
      };
    } else {
      if (!full) throw new Error(`snapshot ${link.snapshot_id} has no full one`);
      const before: FastState = (fast as Loaded['fast'])?.state ?? stateOfFull(full.rows);
      fast = { state: await decodeFast(link.body, before), limits };
    }
  }
  if (!full) throw new Error(`snapshot ${id} has no full one`);
  return { full, fast };
}
