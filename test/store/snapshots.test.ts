import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot, StatementRow } from '../../src/domain/index.ts';
import { diffSnapshots } from '../../src/workload/index.ts';
import { addTarget, type FreshStore, freshStore, hostileSnapshot, storeMajors } from './fixtures.ts';
import { ImaginaryDatabase } from './large-snapshot.ts';

const m2Of = (row: StatementRow) => row.calls * row.stddev_exec_time_ms ** 2;

/** The snapshot with the given one's times and spreads where it has them within the bounds that full-codec.ts names. */
function withinBounds(kept: Snapshot, given: Snapshot): Snapshot {
  const near = (a: number, b: number, bound: number) => (Math.abs(a - b) <= bound ? b : a);
  const minute = (a: string | null, b: string | null) =>
    a && b && Date.parse(a) === Math.floor(Date.parse(b) / 60_000) * 60_000 ? b : a;
  return {
    ...kept,
    statements: kept.statements.map((row, index) => {
      const exact = given.statements[index] as typeof row;
      return {
        ...row,
        total_exec_time_ms: near(row.total_exec_time_ms, exact.total_exec_time_ms, 0.000501),
        mean_exec_time_ms: near(row.mean_exec_time_ms, exact.mean_exec_time_ms, 0.000501),
        // A µs in the times of a call that is some ms off the mean makes some 10^-2 of the sum of squares.
        stddev_exec_time_ms:
          Math.abs(m2Of(row) - m2Of(exact)) < 1e-5 * m2Of(exact) + 0.05
            ? exact.stddev_exec_time_ms
            : row.stddev_exec_time_ms,
      };
    }),
    tables: kept.tables.map((row, index) => ({
      ...row,
      last_idx_scan: minute(row.last_idx_scan, given.tables[index]?.last_idx_scan ?? null),
    })),
    indexes: kept.indexes.map((row, index) => ({
      ...row,
      last_idx_scan: minute(row.last_idx_scan, given.indexes[index]?.last_idx_scan ?? null),
    })),
  };
}

describe.each(storeMajors)('snapshots on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  it('come back exactly as they were, texts and large numbers included', async () => {
    const { store } = fresh;
    const first = hostileSnapshot('2026-11-20T23:59:59.999999Z', 10);
    const second = hostileSnapshot('2026-11-21T00:00:00.5Z', 20);
    const a = await store.snapshots.save(targetId, first);
    const b = await store.snapshots.save(targetId, second);
    expect(await store.snapshots.get(targetId, a.id)).toEqual(first);
    expect(await store.snapshots.get(targetId, b.id)).toEqual(second);
    expect((await store.snapshots.latest(targetId))?.id).toBe(b.id);
    expect((await store.snapshots.oldestSince(targetId, new Date('2026-11-21T00:00:00Z')))?.id).toBe(b.id);
    const ids = (await store.snapshots.list(targetId, { limit: 10 })).map((header) => header.id);
    expect(ids).toEqual([b.id, a.id]);
    const older = await store.snapshots.list(targetId, { limit: 10, before: b.taken_at });
    expect(older.map((header) => header.id)).toEqual([a.id]);
  });

  it('of a large database, which forgets and learns, come back exactly, in little space', async () => {
    const { store, query } = fresh;
    const id = await addTarget(store, 'large');
    const database = new ImaginaryDatabase({ statements: 800, tables: 120, active: 0.05 });
    const taken: { id: string; content: ReturnType<ImaginaryDatabase['snapshot']> }[] = [];
    for (let minute = 0; minute < 8; minute += 1) {
      const content = database.snapshot(`2026-11-22T10:${String(minute).padStart(2, '0')}:00.25Z`);
      taken.push({ id: (await store.snapshots.save(id, content)).id, content });
      database.work();
      if (minute === 5) database.churn();
    }
    for (const [index, one] of taken.entries()) {
      const kept = await store.snapshots.get(id, one.id);
      // The first stands by itself, without loss.
      if (index === 0) expect(kept).toStrictEqual(one.content);
      expect(withinBounds(kept, one.content)).toStrictEqual(one.content);
    }
    const sizes = await query<{ bytes: number; is_base: boolean }>(
      `SELECT octet_length(body) AS bytes, base_snapshot_id IS NULL AS is_base FROM pgluthier.snapshot
       WHERE target_id = $1 ORDER BY taken_at LIMIT 5`,
      [id],
    );
    const [base, ...differences] = sizes;
    expect(base?.is_base).toBe(true);
    for (const one of differences) {
      expect(one.is_base).toBe(false);
      expect(one.bytes).toBeLessThan((base?.bytes ?? 0) / 4);
    }
  });

  it('begin a new base when the differences have grown', async () => {
    const { store, query } = fresh;
    const id = await addTarget(store, 'growing');
    const database = new ImaginaryDatabase({ statements: 200, tables: 5, active: 0.02 });
    const given: Snapshot[] = [];
    for (let minute = 0; minute < 40; minute += 1) {
      const one = database.snapshot(`2026-11-22T11:${String(minute).padStart(2, '0')}:00Z`);
      given.push(structuredClone(one));
      await store.snapshots.save(id, one);
      for (let times = 0; times < 3; times += 1) database.work();
    }
    const [row] = await query<{ bases: number }>(
      'SELECT count(*)::int AS bases FROM pgluthier.snapshot WHERE target_id = $1 AND base_snapshot_id IS NULL',
      [id],
    );
    expect(row?.bases).toBeGreaterThan(1);
    expect(row?.bases).toBeLessThan(20);
    const latest = await store.snapshots.latest(id);
    expect((await store.snapshots.get(id, latest?.id ?? '')).statements).toHaveLength(200);
    // Across bases, which are exact, and differences, whose times are rounded: what did not run does not begin anew.
    const headers = (await store.snapshots.list(id, { limit: 40 })).reverse();
    const kept: Snapshot[] = [];
    for (const header of headers) kept.push(await store.snapshots.get(id, header.id));
    const told = (snapshots: readonly Snapshot[]) =>
      snapshots.slice(1).map((after, position) => {
        const { statements, limits } = diffSnapshots(snapshots[position] as Snapshot, after);
        return { limits, calls: statements.map(({ queryid, calls }) => [queryid, calls]) };
      });
    expect(told(kept)).toEqual(told(given));
  });

  it('keep what does not change once', async () => {
    const { store, query } = fresh;
    const count = async () =>
      query(
        'SELECT (SELECT count(*) FROM pgluthier.snapshot_part), (SELECT count(*) FROM pgluthier.query_text)',
      );
    const before = await count();
    await store.snapshots.save(targetId, hostileSnapshot('2026-11-21T01:00:00Z', 30));
    expect(await count()).toEqual(before);
  });

  it('are saved at the same time by many, on a day that has no partition yet', async () => {
    const { store } = fresh;
    const other = await addTarget(store, 'at the same time');
    const saved = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        store.snapshots.save(
          index % 2 ? targetId : other,
          hostileSnapshot(`2026-11-23T00:00:${10 + index}Z`, index),
        ),
      ),
    );
    expect(new Set(saved.map((header) => header.id)).size).toBe(16);
    for (const header of saved) {
      const { statements, taken_at } = await store.snapshots.get(header.target_id, header.id);
      expect(`2026-11-23T00:00:${10 + (statements[0]?.calls ?? 0)}Z`).toBe(taken_at);
    }
  });

  it('are found for a window: those around it, or the nearest', async () => {
    const { store } = fresh;
    const id = await addTarget(store, 'windows');
    const at = (hour: number) => `2026-11-19T${String(hour).padStart(2, '0')}:00:00.000Z`;
    for (const hour of [2, 4, 6]) await store.snapshots.save(id, hostileSnapshot(at(hour), hour));
    const around = async (from: number, to: number) => {
      const pair = await store.snapshots.around(id, new Date(at(from)), new Date(at(to)));
      return pair && [pair.from.taken_at, pair.to.taken_at];
    };
    expect(await around(3, 5)).toEqual([at(2), at(6)]);
    expect(await around(4, 6)).toEqual([at(4), at(6)]);
    expect(await around(1, 9)).toEqual([at(2), at(6)]);
    expect(await around(7, 9)).toBeNull();
    expect(await store.snapshots.around(await addTarget(store, 'none'), new Date(0), new Date())).toBeNull();
  });

  it('that failed say why and hold nothing', async () => {
    const { store } = fresh;
    const id = await addTarget(store, 'failing');
    await store.snapshots.recordFailure(id, 'target_unreachable', 'nobody there');
    const [newest] = await store.snapshots.list(id, { limit: 1 });
    expect(newest).toMatchObject({ status: 'failed', limits: [{ code: 'target_unreachable' }] });
    await expect(store.snapshots.get(id, newest?.id ?? '')).rejects.toMatchObject({
      code: 'snapshot_failed',
    });
    expect(await store.snapshots.latest(id)).toBeNull();
    await expect(store.snapshots.get(id, 'snp_none')).rejects.toMatchObject({ code: 'snapshot_not_found' });
  });

  it('are refused with a number that JSON does not have, rather than kept with a null', async () => {
    const broken = hostileSnapshot('2026-11-21T02:00:00Z', Number.NaN);
    await expect(fresh.store.snapshots.save(targetId, broken)).rejects.toThrow(RangeError);
  });

  it('are not read without a part of them', async () => {
    const { store, query } = fresh;
    const id = await addTarget(store, 'missing text');
    const header = await store.snapshots.save(id, hostileSnapshot('2026-11-21T03:00:00Z', 1));
    await query('DELETE FROM pgluthier.query_text WHERE target_id = $1', [id]);
    await expect(store.snapshots.get(id, header.id)).rejects.toThrow(/missing from the store/);
  });
});

describe.each(storeMajors)('retention on PostgreSQL %i', (major) => {
  it('drops whole days, with the parts and texts that no kept day needs', async () => {
    const { store, query, close } = await freshStore(major);
    const id = await addTarget(store);
    const [statement] = hostileSnapshot('', 1).statements;
    const old = await store.snapshots.save(id, {
      ...hostileSnapshot('2020-01-01T10:00:00Z', 1),
      setting_overrides: [{ role: 'only', database: null, name: 'n', value: 'v' }],
      statements: statement ? [{ ...statement, query: 'only then' }] : [],
    });
    const today = new Date().toISOString();
    const kept = await store.snapshots.save(id, hostileSnapshot(today, 2));
    const dropped = await store.retention.drop({ snapshotsOlderThanDays: 30 });
    expect(dropped).toMatchObject({ partitions: ['snapshot_20200101'], parts: 1, texts: 1 });
    await expect(store.snapshots.get(id, old.id)).rejects.toMatchObject({ code: 'snapshot_not_found' });
    expect(await store.snapshots.get(id, kept.id)).toEqual(hostileSnapshot(today, 2));
    expect(await query("SELECT FROM pg_class WHERE relname = 'snapshot_20200101'")).toEqual([]);
    expect(await store.retention.drop({ snapshotsOlderThanDays: 30 })).toMatchObject({
      partitions: [],
      parts: 0,
    });
    await close();
  });

  it('takes nothing that a snapshot needs which is being saved', async () => {
    const { store, close } = await freshStore(major);
    const id = await addTarget(store);
    // Its parts are as old as can be when the next snapshot takes them up again.
    await store.snapshots.save(id, hostileSnapshot('2020-01-01T10:00:00Z', 1));
    const now = Date.now();
    const saves = Array.from({ length: 6 }, (_, index) =>
      store.snapshots.save(id, hostileSnapshot(new Date(now + index).toISOString(), index)),
    );
    const drops = Array.from({ length: 4 }, () => store.retention.drop({ snapshotsOlderThanDays: 30 }));
    await Promise.all(drops);
    for (const header of await Promise.all(saves)) await store.snapshots.get(id, header.id);
    await close();
  });

  it('keeps analyses unless it is told for how long', async () => {
    const { store, query, close } = await freshStore(major);
    const id = await addTarget(store);
    const done = await store.analyses.start(id, 'test');
    await store.analyses.recordFailure(id, done.id, 'x', 'y');
    await store.analyses.start(id, 'test');
    await query("UPDATE pgluthier.analysis SET finished_at = finished_at - interval '400 days'");
    expect(await store.retention.drop({ snapshotsOlderThanDays: 30 })).toMatchObject({ analyses: 0 });
    expect(
      await store.retention.drop({ snapshotsOlderThanDays: 30, analysesOlderThanDays: 365 }),
    ).toMatchObject({ analyses: 1 });
    expect(await store.analyses.list(id, { limit: 5 })).toMatchObject([{ state: 'running' }]);
    await close();
  });
});
