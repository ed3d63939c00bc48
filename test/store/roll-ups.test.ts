import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Activity,
  type ActivityPoint,
  fastPart,
  noActivity,
  type Snapshot,
} from '../../src/domain/index.ts';
import { type ActivityHour, activityHours, samplesOfHour } from '../../src/store/activity-hours.ts';
import { keptOf, type RollUpRow } from '../../src/store/roll-up-plan.ts';
import { concurrencyOf } from '../../src/workload/index.ts';
import { addTarget, type FreshStore, freshStore, hostileSnapshot, storeMajors } from './fixtures.ts';

const DAY = '2026-10-05';
const now = new Date('2026-11-01T05:00:00Z');
const at = (minute: number) => new Date(Date.parse(`${DAY}T00:00:00Z`) + minute * 60_000).toISOString();

function activityOf(active: number): Activity {
  const group = {
    backend_type: 'client backend',
    database: null,
    user: null,
    application_name: null,
    state: 'active',
    wait_event_type: null,
    wait_event: null,
    query_id: null,
    sessions: active,
  };
  return { ...noActivity, groups: [group] };
}

function snapshotAt(minute: number, restartedAt: number | null): Snapshot {
  const one = hostileSnapshot(at(minute), minute + 1);
  const restarted = restartedAt !== null && minute >= restartedAt;
  return {
    ...one,
    collected_at: at(minute),
    server: { ...one.server, started_at: restarted ? at(restartedAt) : one.server.started_at },
    activity: activityOf((minute * 7) % 23),
  };
}

/** Four hours of a day: a full one each half an hour, a fast one each five minutes. */
async function history(fresh: FreshStore, name: string, restartedAt: number | null = null) {
  const id = await addTarget(fresh.store, name);
  const ids = new Map<number, string>();
  for (let minute = 0; minute < 240; minute += 5) {
    const one = snapshotAt(minute, restartedAt);
    const { snapshots } = fresh.store;
    const saved = minute % 30 === 0 ? snapshots.save(id, one) : snapshots.saveFast(id, fastPart(one));
    ids.set(minute, (await saved).id);
  }
  return { id, ids };
}

const run = (fresh: FreshStore, daily = 300) =>
  fresh.store.rollUps.run({ hourlyAfterDays: 7, dailyAfterDays: daily, now });

describe('what is kept of a day', () => {
  const row = fc.record({
    gap: fc.integer({ min: 1, max: 90 }),
    full: fc.boolean(),
    epoch: fc.constantFrom('a', 'a', 'a', 'b'),
    evicts: fc.boolean(),
    failed: fc.constantFrom(false, false, false, true),
  });

  it('is all that it is a difference from, both sides of each reset, and something of each hour', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 40 }),
        fc.constantFrom('hourly', 'daily'),
        (given, level) => {
          let minute = 0;
          let full: string | null = null;
          let fast: string | null = null;
          let dealloc = 0;
          const rows = given.flatMap((one, index): RollUpRow[] => {
            minute += one.gap;
            if (minute >= 1440) return [];
            const isFull = one.full || full === null;
            if (one.evicts) dealloc += 1;
            const made: RollUpRow = {
              snapshot_id: `s${index}`,
              collected_at: at(minute),
              status: one.failed ? 'failed' : 'complete',
              cadence: one.failed || isFull ? 'full' : 'fast',
              epoch: one.epoch,
              dealloc,
              base_snapshot_id: one.failed || isFull ? null : (fast ?? full),
              full_snapshot_id: one.failed || isFull ? null : full,
            };
            if (one.failed) return [made];
            if (isFull) [full, fast] = [made.snapshot_id, null];
            else fast = made.snapshot_id;
            return [made];
          });
          const kept = keptOf(rows, level as 'hourly' | 'daily', new Set(['s3']));
          const held = rows.filter((one) => one.status !== 'failed');
          for (const one of rows) {
            if (one.status === 'failed' || one.snapshot_id === 's3') expect(kept).toContain(one.snapshot_id);
            if (!kept.has(one.snapshot_id)) continue;
            for (const needed of [one.base_snapshot_id, one.full_snapshot_id]) {
              if (needed) expect(kept).toContain(needed);
            }
          }
          held.forEach((one, index) => {
            const before = held[index - 1];
            if (!before || index === held.length - 1) expect(kept).toContain(one.snapshot_id);
            if (before && before.epoch !== one.epoch) {
              expect(kept).toContain(before.snapshot_id);
              expect(kept).toContain(one.snapshot_id);
            }
          });
          const hours = (some: RollUpRow[]) => new Set(some.map((one) => one.collected_at.slice(0, 13)));
          if (level === 'hourly') {
            expect(hours(held.filter((one) => kept.has(one.snapshot_id)))).toEqual(hours(held));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of samples of sessions, answers percentiles as all of them did', () => {
    const figure = fc.nat(9);
    const sample = fc.record({
      taken_at: fc.constant(''),
      total: figure,
      active: figure,
      idle: figure,
      idle_in_transaction: figure,
      active_here: figure,
      waiting_for_lock: figure,
      oldest_xmin_age: fc.option(figure),
    });
    const names = fc.uniqueArray(fc.constantFrom('app', 'reports', '__proto__', 'ä "b"'));
    const byRole = fc.option(
      fc.record(
        {
          roles: names.chain((given) =>
            fc.tuple(...given.map((role) => fc.tuple(fc.constant(role), figure, figure))),
          ),
          roles_left_out: fc.tuple(figure, figure),
        },
        { requiredKeys: ['roles'] },
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(sample, byRole), { minLength: 1, maxLength: 150 }), (given) => {
        // Samples of before roles were counted have none.
        const points = given.map(([one, roles]): ActivityPoint => ({ ...one, ...roles }));
        const taken = points.map((activity, minute) => ({ collected_at: at(minute), activity }));
        const kept = JSON.parse(JSON.stringify(activityHours(taken))) as ActivityHour[];
        const rolledUp = kept.flatMap(samplesOfHour);
        expect(concurrencyOf(rolledUp)).toEqual(concurrencyOf(points));
        expect(rolledUp.every((point) => point.rolled_up)).toBe(true);
      }),
    );
  });
});

describe.each(storeMajors)('roll-ups on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  beforeAll(async () => {
    fresh = await freshStore(major);
  });
  afterAll(() => fresh.close());

  const all = async (id: string) =>
    (await fresh.store.snapshots.list(id, { limit: 1000 })).map((header) => header.collected_at).reverse();

  it('leave each hour’s full one and both sides of a restart, as they were saved', async () => {
    const { id, ids } = await history(fresh, 'restarted', 100);
    const { snapshots } = fresh.store;
    const [first, last] = [ids.get(0) ?? '', ids.get(235) ?? ''];
    const cuts = (await snapshots.cutPoints(id, first, last)).map((header) => header.id);
    const before = await Promise.all(cuts.map((cut) => snapshots.get(id, cut)));
    const [from, to] = [new Date(at(0)), new Date(at(239))];
    const concurrency = concurrencyOf(await snapshots.activityBetween(id, from, to));
    expect(await run(fresh)).toMatchObject({ days: 1 });
    // What a fast one is a difference from stays too.
    expect(await all(id)).toEqual([0, 60, 90, 95, 100, 120, 180, 210, 215, 220, 225, 230, 235].map(at));
    expect((await snapshots.cutPoints(id, first, last)).map((header) => header.id)).toEqual(cuts);
    expect(await Promise.all(cuts.map((cut) => snapshots.get(id, cut)))).toEqual(before);
    const points = await snapshots.activityBetween(id, from, to);
    expect(concurrencyOf(points)).toEqual(concurrency);
    expect(points.every((point) => point.rolled_up)).toBe(true);
    // The third hour alone.
    expect(await snapshots.activityBetween(id, new Date(at(130)), new Date(at(140)))).toHaveLength(12);
    // Nothing more to do.
    expect(await run(fresh)).toEqual({ days: 0, snapshots: 0 });
  });

  it('go on to days, and are given back to the disk; retention takes them with their day', async () => {
    const { id } = await history(fresh, 'daily');
    const size = async () =>
      (
        await fresh.query<{ bytes: string }>(
          "SELECT pg_total_relation_size('pgluthier.snapshot_20261005') AS bytes",
        )
      )[0];
    await fresh.store.rollUps.run({ hourlyAfterDays: 7, dailyAfterDays: 300, now });
    const hourly = await all(id);
    const before = Number((await size())?.bytes);
    const points = await fresh.store.snapshots.activityBetween(id, new Date(at(0)), new Date(at(239)));
    expect(await run(fresh, 20)).toMatchObject({ snapshots: expect.any(Number) });
    const daily = await all(id);
    expect(daily.length).toBeLessThan(hourly.length);
    expect([daily[0], daily.at(-1)]).toEqual([at(0), at(235)]);
    expect(await fresh.store.snapshots.activityBetween(id, new Date(at(0)), new Date(at(239)))).toEqual(
      points,
    );
    expect(Number((await size())?.bytes)).toBeLessThanOrEqual(before);
    expect(await run(fresh, 20)).toEqual({ days: 0, snapshots: 0 });
    await fresh.store.retention.drop({ snapshotsOlderThanDays: 1 });
    expect(await all(id)).toEqual([]);
    expect(await fresh.query('SELECT FROM pgluthier.roll_up')).toEqual([]);
  });

  it('that are killed half-way leave everything, and are done the next time', async () => {
    const { id } = await history(fresh, 'killed');
    const before = await all(id);
    await fresh.query(`
      CREATE FUNCTION pgluthier.die() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END';
      CREATE TRIGGER die BEFORE INSERT ON pgluthier.roll_up FOR EACH ROW EXECUTE FUNCTION pgluthier.die()`);
    await expect(run(fresh)).rejects.toThrow();
    expect(await all(id)).toEqual(before);
    expect(await fresh.query('SELECT FROM pgluthier.snapshot WHERE activity_hours IS NOT NULL')).toEqual([]);
    await fresh.query('DROP FUNCTION pgluthier.die() CASCADE');
    expect(await run(fresh)).toMatchObject({ days: 1 });
    expect((await all(id)).length).toBeLessThan(before.length);
  });

  it('do not disturb readers: each gets a snapshot as it was, or that it is not there', async () => {
    const { id, ids } = await history(fresh, 'read');
    const other = await addTarget(fresh.store, 'young');
    const young = await fresh.store.snapshots.save(other, hostileSnapshot(now.toISOString(), 1));
    const reading = [...ids].map(async ([minute, one]) => {
      try {
        const { statements } = await fresh.store.snapshots.get(id, one);
        expect(statements[0]?.calls).toBe(minute + 1);
        return 'read';
      } catch (error) {
        expect(error).toMatchObject({ code: 'snapshot_not_found' });
        return 'gone';
      }
    });
    const twice = await Promise.all([run(fresh), run(fresh), ...reading]);
    expect(twice.slice(2)).toContain('read');
    expect(await fresh.store.snapshots.get(other, young.id)).toMatchObject({ taken_at: now.toISOString() });
    for (const header of await fresh.store.snapshots.list(id, { limit: 100 })) {
      await fresh.store.snapshots.get(id, header.id);
    }
  });
});
