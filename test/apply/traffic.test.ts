/**
 * Changes while their tables are read and written, with others in the way. What a statement of the traffic waited for us
 * is told by the server's own log, each wait beyond a millisecond (bench/apply/lock-waits.ts); the controls show that it
 * tells.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMA } from '../../bench/apply/changes.ts';
import { LOCK_WAIT_SETTINGS, type LockWait, readLog } from '../../bench/apply/lock-waits.ts';
import { memoryJournal } from '../../bench/apply/memory-journal.ts';
import { obstacles, SETTINGS_IN_THE_WAY } from '../../bench/apply/obstacles.ts';
import { type Stage, stage } from '../../bench/apply/stage.ts';
import { strongestLock } from '../../bench/apply/strongest-lock.ts';
import { backendsOf, connect, shopping, traffic, waitsOfTraffic } from '../../bench/apply/traffic.ts';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import { stepsOf } from '../../src/apply/steps.ts';
import { APPLICABLE_KINDS, type Change, changeSchema, quoteIdentifier } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { newApplyId, rows, until } from './target.ts';

const majors = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];
const server = (major: number) => testServer({ major, settings: LOCK_WAIT_SETTINGS });

/** Longest that the changes here wait for locks in all, and that others may wait for them, ms. */
const LOCK_BUDGET_MS = 800;
const YIELD_MS = 300;

/** Longest single wait that this change may bring on others, ms: of those steps that block any reads or writes. */
function longestWait(change: Change): number {
  const blocking = stepsOf(buildPlan(change)).filter(({ blocks }) => !blocks.includes('no reads, no writes'));
  return Math.max(0, ...blocking.map(({ lock_timeout_ms }) => Math.min(lock_timeout_ms, LOCK_BUDGET_MS)));
}

async function underLoad(on: Stage, change: Change, place: (dsn: string) => Promise<() => Promise<void>>) {
  const { dsn } = on;
  const { end: begun } = await readLog(dsn);
  const load = traffic(dsn, 2, shopping(on));
  const remove = await place(dsn);
  const journal = memoryJournal();
  const outcome = await executePlan(buildPlan(change), {
    dsn,
    apply_id: newApplyId(),
    openSession: openTarget,
    journal,
    onProgress: () => {},
    lockBudgetMs: LOCK_BUDGET_MS,
    yieldAfterMs: YIELD_MS,
  });
  await remove();
  const { done, errors } = await load.stop();
  const waits = await waitsOfTraffic(dsn, begun, await backendsOf(journal), strongestLock(change));
  return { outcome, done, errors, waits };
}

describe.each(majors)('on PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ dsn, drop } = await (await server(major)).createDatabase({ sql: SCHEMA(6_000) }));
    await rows(dsn, 'CREATE EXTENSION amcheck');
  });
  afterAll(() => drop());

  /** The waits of an UPDATE that `blocker` keeps waiting for as long as the server sleeps, and their length by pg_locks. */
  async function control(blocking: (pid: number) => Promise<() => Promise<void>>) {
    const { end: begun } = await readLog(dsn);
    const [ours, victim] = [await connect(dsn, 'pgluthier:apply:control'), await connect(dsn)];
    const pidOf = async (client: typeof ours) =>
      (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
    const [pid, waiting] = [await pidOf(ours), await pidOf(victim)];
    await ours.query('BEGIN');
    const release = await blocking(pid);
    await ours.query('CREATE INDEX control ON items (v)');
    const update = victim.query('UPDATE items SET n = n + 1 WHERE id = 7');
    await until(
      async () =>
        (await rows(dsn, 'SELECT FROM pg_locks WHERE pid = $1 AND NOT granted', [waiting])).length > 0,
    );
    const { rows: told } = await ours.query<{ ms: number }>(
      `SELECT pg_sleep(0.2), extract(epoch FROM clock_timestamp() - waitstart)::float8 * 1000 AS ms
       FROM pg_locks WHERE pid = ${waiting} AND NOT granted`,
    );
    await ours.query('ROLLBACK');
    await update;
    await release();
    for (const client of [ours, victim]) await client.end();
    return {
      waits: await waitsOfTraffic(dsn, begun, new Set([pid]), 'ShareLock'),
      least: told[0]?.ms ?? NaN,
    };
  }

  it('control: a plain CREATE INDEX is seen as a wait, with its length', async () => {
    const { waits, least } = await control(async () => async () => {});
    expect(waits).toMatchObject([{ mode: 'RowExclusiveLock', granted: true }]);
    // The sleep is within it: what pg_locks told before the lock went is its lower bound.
    expect(waits[0]?.ms).toBeGreaterThanOrEqual(least);
    expect(least).toBeGreaterThanOrEqual(200);
  });

  it('control: who wants to change the same setting, and who connects, are seen too', async () => {
    const { end: begun } = await readLog(dsn);
    const [ours, victim] = [await connect(dsn, 'pgluthier:apply:control'), await connect(dsn)];
    const { rows: own } = await ours.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pids = new Set(own.map(({ pid }) => pid));
    const waiting = async (locktype: string, count: number) =>
      until(
        async () =>
          (await rows(dsn, 'SELECT FROM pg_locks WHERE locktype = $1 AND NOT granted', [locktype])).length ===
          count,
      );
    const base = quoteIdentifier(decodeURIComponent(new URL(dsn).pathname.slice(1)));
    await ours.query(`ALTER DATABASE ${base} SET geqo_effort = 5`);
    await ours.query(`BEGIN; ALTER DATABASE ${base} SET geqo_effort = 7`);
    const altered = victim.query(`ALTER DATABASE ${base} SET geqo_effort = 8`).catch(() => {});
    await waiting('transactionid', 1);
    await ours.query('ROLLBACK');
    await altered;
    expect(await waitsOfTraffic(dsn, begun, pids, 'ExclusiveLock')).toMatchObject([
      { mode: 'ShareLock', granted: true },
    ]);
    // No change of ours takes such a lock on a database. Who connects waits for it, before it has a name.
    const { end: connecting } = await readLog(dsn);
    const spare = await (await server(major)).createDatabase();
    await ours.query(`BEGIN; ALTER DATABASE ${quoteIdentifier(spare.name)} RENAME TO renamed_${major}`);
    const connected = connect(spare.dsn);
    await waiting('object', 1);
    await ours.query('ROLLBACK');
    await (await connected).end();
    expect(await waitsOfTraffic(dsn, connecting, pids, 'AccessExclusiveLock')).toMatchObject([
      { mode: 'RowExclusiveLock', granted: true },
    ]);
    await spare.drop();
    await victim.end();
    await ours.end();
  });

  it('control: what queues behind another who waits for us waits for us', async () => {
    const { end: begun } = await readLog(dsn);
    const [ours, migration, victim] = [
      await connect(dsn, 'ours'),
      await connect(dsn, 'm'),
      await connect(dsn),
    ];
    const { rows: own } = await ours.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await ours.query('BEGIN');
    // Nobody who reads waits for this lock itself.
    await ours.query('LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE');
    const queued = async (count: number) =>
      until(
        async () =>
          (await rows(dsn, `SELECT FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted`))
            .length === count,
      );
    const altered = migration.query(
      'ALTER TABLE items ALTER COLUMN v SET STATISTICS 90, ADD COLUMN more int',
    );
    await queued(1);
    const read = victim.query('SELECT count(*) FROM items');
    await queued(2);
    await ours.query('SELECT pg_sleep(0.1)');
    await ours.query('COMMIT');
    await Promise.all([altered, read]);
    const ms = new Set(own.map(({ pid }) => pid));
    const waits = await waitsOfTraffic(dsn, begun, ms, 'ShareUpdateExclusiveLock');
    expect(waits).toMatchObject([{ mode: 'AccessShareLock', granted: true }]);
    expect(waits[0]?.ms).toBeGreaterThanOrEqual(100);
    // And nobody's, where the one at the beginning is none of ours.
    expect(await waitsOfTraffic(dsn, begun, new Set(), 'ShareUpdateExclusiveLock')).toEqual([]);
    for (const client of [ours, migration, victim]) await client.end();
  });
});

/** A finding is nothing to apply. */
const toPlay = changeSchema.options.map(({ shape }) => shape.kind.value).filter((kind) => kind !== 'finding');
/** The longest wait of the traffic for us, ms, and in which case. */
const worst = { ms: 0, of: 'nothing' };
afterAll(() => {
  process.stdout.write(`longest wait of the traffic for us: ${worst.ms.toFixed(1)} ms (${worst.of})\n`);
});

describe.concurrent.each(obstacles.map((obstacle, number) => ({ ...obstacle, number })))(
  'with $name',
  ({ name, place, meets, number }) => {
    it('no statement of the traffic waits on any change for longer than its lock budget', {
      timeout: 120_000,
    }, async () => {
      const { dsn, drop } = await (await server(Math.max(...majors))).createDatabase({});
      const on = await stage(dsn, 6_000, number);
      await rows(dsn, 'CREATE EXTENSION amcheck');
      expect(new Set(on.changes.map(({ change }) => change.kind))).toEqual(new Set(toPlay));
      const waited: Record<string, number> = {};
      const yielded: string[] = [];
      const played = on.changes.filter(({ change }) => meets?.(change) !== false);
      for (const { name: kind, change } of played) {
        const { outcome, done, errors, waits } = await underLoad(on, change, place);
        expect(errors).toEqual([]);
        expect(done).toBeGreaterThan(0);
        expect(outcome).not.toBeNull();
        if (outcome && 'code' in outcome && outcome.code === 'yielded') yielded.push(kind);
        const ms = Math.max(0, ...waits.map((wait) => wait.ms));
        waited[kind] = ms;
        if (ms > worst.ms) Object.assign(worst, { ms, of: `${kind}, ${name}` });
        // Behind others who wait for us: as long as the policy lets others wait, and what the cancel takes then.
        const behind = name === 'a migration behind ours' || name === SETTINGS_IN_THE_WAY;
        const allowed = behind ? 3 * Math.max(YIELD_MS, longestWait(change)) : 2 * longestWait(change);
        const tooLong = waits.filter(({ ms }: LockWait) => ms > allowed);
        expect({ kind, tooLong }).toEqual({ kind, tooLong: [] });
        if (outcome?.outcome === 'applied' && kind === 'index.create') {
          // Each row of the table, also those written during the build, is in the index.
          await rows(dsn, `SELECT bt_index_check('items_v'::regclass, true)`);
        }
        if (name === 'nobody in the way')
          expect({ kind, outcome }).toMatchObject({ outcome: { outcome: 'applied' } });
        await on.putBack();
      }
      const longest = (...of: string[]) => Math.max(...of.map((kind) => waited[kind] ?? Number.NaN));
      const ofSettings = ['role.setting', 'database.setting', 'role.database.setting'];
      if (name === 'nobody in the way')
        expect(longest('index.create', 'vacuum', 'setting', ...ofSettings)).toBe(0);
      if (name === 'a migration behind ours') expect(yielded).not.toEqual([]);
      if (name === SETTINGS_IN_THE_WAY) {
        // It is seen that the application waited behind ours, of each; who writes the server's file waits for no row.
        expect(ofSettings.filter((kind) => (waited[kind] ?? 0) > 0)).toEqual(ofSettings);
        expect(waited.setting).toBe(0);
      }
      await on.end();
      await drop();
    });
  },
);

it('what is played is every kind that can be applied', () => {
  expect(new Set(toPlay)).toEqual(APPLICABLE_KINDS);
});
