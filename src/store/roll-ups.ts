/**
 * Roll-ups: of older days, the snapshots between the hours go (later those between the days), and their samples of
 * sessions become distributions. Nothing is written anew but these: what stays is what was saved, to the bit. A target
 * and day is one transaction: a crash leaves it done or untouched.
 */
import { sql } from 'kysely';
import { activityHours } from './activity-hours.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { compactPartition, dayBounds, dayOf, partitionDays } from './partitions.ts';
import { keptOf, type RollUpLevel } from './roll-up-plan.ts';

const DAY_MS = 86_400_000;

export interface RollUpStore {
  /**
   * Rolls up what is old enough and was not yet; days are UTC, and counted in whole ones. Safe to run at any time, by
   * several, and again after a crash.
   * @param options.now default: the present.
   * @returns how many days of targets were rolled up, and how many snapshots went.
   */
  run(options: {
    hourlyAfterDays: number;
    dailyAfterDays: number;
    now?: Date;
    /** Stops between two days of a target. */
    signal?: AbortSignal;
  }): Promise<{ days: number; snapshots: number }>;
}

/** Targets with snapshots of this day that are not yet rolled up to the level. */
async function waiting(db: Database, day: string, level: RollUpLevel): Promise<string[]> {
  const { from, to } = dayBounds(day);
  const { rows } = await sql<{ target_id: string }>`
    SELECT t.target_id FROM pgluthier.target t
    WHERE EXISTS (
      SELECT FROM pgluthier.snapshot s
      WHERE s.target_id = t.target_id AND s.collected_at >= ${from} AND s.collected_at < ${to}
    ) AND NOT EXISTS (
      SELECT FROM pgluthier.roll_up r
      WHERE r.target_id = t.target_id AND r.day = ${day}::date AND (r.level = 'daily' OR r.level = ${level})
    ) ORDER BY 1`.execute(db);
  return rows.map((row) => row.target_id);
}

/** Snapshots that went. */
async function rollUp(
  transaction: DatabaseTransaction,
  targetId: string,
  day: string,
  level: RollUpLevel,
): Promise<number> {
  await holdTarget(transaction, targetId, 'write');
  const { from, to } = dayBounds(day);
  const rows = await transaction
    .selectFrom('pgluthier.snapshot')
    .select(['snapshot_id', 'collected_at', 'status', 'cadence', 'epoch', 'dealloc'])
    .select(['base_snapshot_id', 'full_snapshot_id', 'activity', 'activity_hours'])
    .where('target_id', '=', targetId)
    .where('collected_at', '>=', from)
    .where('collected_at', '<', to)
    .orderBy('collected_at')
    .orderBy('snapshot_id')
    .execute();
  const applies = await transaction
    .selectFrom('pgluthier.apply')
    .select(['before_snapshot_id', 'after_snapshot_id'])
    .where('target_id', '=', targetId)
    .execute();
  const needed = applies.flatMap((row) => [row.before_snapshot_id, row.after_snapshot_id ?? '']);
  const kept = keptOf(rows, level, new Set(needed));
  const [first] = rows;
  // Once: what is left later are not all samples.
  if (first && !rows.some((row) => row.activity_hours)) {
    const hours = activityHours(
      rows.flatMap(({ collected_at, activity }) => (activity ? [{ collected_at, activity }] : [])),
    );
    const carrier = rows.find((row) => kept.has(row.snapshot_id)) ?? first;
    await transaction
      .updateTable('pgluthier.snapshot')
      .set({ activity_hours: jsonText(hours) })
      .where('target_id', '=', targetId)
      .where('collected_at', '=', carrier.collected_at)
      .where('snapshot_id', '=', carrier.snapshot_id)
      .execute();
  } else {
    for (const row of rows) if (row.activity_hours) kept.add(row.snapshot_id);
  }
  const going = rows.filter((row) => !kept.has(row.snapshot_id)).map((row) => row.snapshot_id);
  await sql`DELETE FROM pgluthier.snapshot
    WHERE target_id = ${targetId} AND collected_at >= ${from} AND collected_at < ${to}
      AND snapshot_id = ANY (${going}::text[])`.execute(transaction);
  await sql`INSERT INTO pgluthier.roll_up (target_id, day, level) VALUES (${targetId}, ${day}::date, ${level})
    ON CONFLICT (target_id, day) DO UPDATE SET level = excluded.level`.execute(transaction);
  return going.length;
}

export function rollUpStore(db: Database): RollUpStore {
  return {
    run: async ({ hourlyAfterDays, dailyAfterDays, now = new Date(), signal }) => {
      const firstOf = (days: number) => dayOf(new Date(now.getTime() - days * DAY_MS));
      const [fine, hourly] = [firstOf(hourlyAfterDays), firstOf(Math.max(hourlyAfterDays, dailyAfterDays))];
      const result = { days: 0, snapshots: 0 };
      for (const day of await partitionDays(db)) {
        if (day >= fine) continue;
        const level: RollUpLevel = day < hourly ? 'daily' : 'hourly';
        let gone = 0;
        for (const targetId of await waiting(db, day, level)) {
          if (signal?.aborted) return result;
          gone += await db.transaction().execute((transaction) => rollUp(transaction, targetId, day, level));
          result.days += 1;
        }
        result.snapshots += gone;
        if (gone > 0) await compactPartition(db, day);
      }
      return result;
    },
  };
}
