/** Who may be in the way of a change. */
import { type Change, isScopedSetting } from '../../src/domain/index.ts';
import { besideOurs, shopperOf } from './setting-changes.ts';
import { connect } from './traffic.ts';

export interface Obstacle {
  name: string;
  /** False: it can be in the way of no such change. Absent: all are played with it. */
  meets?(change: Change): boolean;
  /** Puts it in the way; the returned function takes it away. */
  place(dsn: string): Promise<() => Promise<void>>;
}

const isSetting = (change: Change) => change.kind === 'setting' || isScopedSetting(change);

async function holding(dsn: string, ...statements: string[]): Promise<() => Promise<void>> {
  const client = await connect(dsn);
  for (const statement of statements) await client.query(statement);
  return () => client.end();
}

/** Who wants a table for itself alone: not the traffic, but all of that is behind it. */
const MIGRATION = 'shop migration';

export const SETTINGS_IN_THE_WAY = 'a setting of somebody else, not committed';

/** Waits until a session of ours has its lock, then wants the same table for itself alone, until `stopped`. */
async function behindOurs(dsn: string, stopped: () => boolean): Promise<void> {
  const client = await connect(dsn, MIGRATION);
  try {
    while (!stopped()) {
      const { rows } = await client.query<{ name: string }>(
        `SELECT l.relation::regclass::text AS name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.granted AND l.mode = 'ShareUpdateExclusiveLock' AND a.application_name LIKE 'pgluthier:apply:%'
           AND l.relation IN ('items'::regclass, 'visits_1'::regclass, 'visits_2'::regclass)
           AND EXISTS (SELECT FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted)`,
      );
      const [found] = rows;
      if (!found) continue;
      await client.query(`BEGIN; LOCK TABLE ${found.name} IN ACCESS EXCLUSIVE MODE; COMMIT`);
      return;
    }
  } finally {
    await client.end();
  }
}

/** Wants to change the same setting as ours, once ours has come to wait. It has no limit of its own: ours is to end first. */
async function behindOurSetting(dsn: string, stopped: () => boolean): Promise<void> {
  const client = await connect(dsn);
  try {
    while (!stopped()) {
      const { rows } = await client.query<{ query: string }>(
        `SELECT a.query FROM pg_stat_activity a
         WHERE a.datname = current_database() AND a.application_name LIKE 'pgluthier:apply:%'
           AND a.query ~ '^ALTER (ROLE|DATABASE) ' AND cardinality(pg_blocking_pids(a.pid)) > 0`,
      );
      const [ours] = rows;
      if (!ours) continue;
      await client.query(ours.query).catch(() => {});
      return;
    }
  } finally {
    await client.end();
  }
}

export const obstacles: Obstacle[] = [
  { name: 'nobody in the way', place: () => Promise.resolve(() => Promise.resolve()) },
  {
    name: 'a long transaction',
    place: (dsn) => holding(dsn, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM other'),
  },
  {
    name: 'a writer idle in its transaction',
    place: (dsn) =>
      holding(
        dsn,
        'BEGIN',
        'UPDATE items SET n = n + 1 WHERE id = 0',
        'UPDATE visits SET id = id WHERE id = 0',
      ),
  },
  {
    name: 'a queue of lock waiters',
    meets: (change) => !isSetting(change),
    // The first holds the table, the others want it for themselves alone, a second at most.
    place: async (dsn) => {
      const release = await holding(dsn, 'BEGIN', 'LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE');
      const waiters = await Promise.all([1, 2, 3].map(() => connect(dsn, MIGRATION)));
      const waiting = waiters.map(async (client) => {
        await client.query("SET lock_timeout = '1s'");
        await client.query('LOCK TABLE items IN ROW EXCLUSIVE MODE').catch(() => {});
        await client.query('BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; COMMIT').catch(() => {});
      });
      return async () => {
        await Promise.all(waiting);
        for (const client of waiters) await client.end();
        await release();
      };
    },
  },
  {
    name: 'a migration behind ours',
    // A long transaction keeps ours waiting with its lock; the migration queues behind, and the traffic behind that.
    place: async (dsn) => {
      const release = await holding(
        dsn,
        'BEGIN ISOLATION LEVEL REPEATABLE READ',
        'SELECT count(*) FROM other',
      );
      let stopped = false;
      const migrating = behindOurs(dsn, () => stopped);
      return async () => {
        stopped = true;
        await migrating;
        await release();
      };
    },
  },
  {
    name: SETTINGS_IN_THE_WAY,
    meets: isSetting,
    // Ours waits for the row, and the application's own ALTER, of the same setting, behind ours.
    place: async (dsn) => {
      const database = decodeURIComponent(new URL(dsn).pathname.slice(1));
      const rows = besideOurs({ database, role: shopperOf(database) }, 6);
      const release = await holding(dsn, 'BEGIN', ...rows);
      let stopped = false;
      const behind = behindOurSetting(dsn, () => stopped);
      return async () => {
        stopped = true;
        await release();
        await behind;
      };
    },
  },
];
