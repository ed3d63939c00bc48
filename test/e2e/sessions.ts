/** Sessions that are really there, and samples of them as the service takes them. */
import pg from 'pg';
import { readActivity } from '../../src/collect/activity.ts';
import { type ActivityPoint, activityPoint, type Concurrency, type Limit } from '../../src/domain/index.ts';
import { detectCapabilities, openTarget } from '../../src/target/index.ts';
import { concurrencyOf } from '../../src/workload/index.ts';

export type Doing = 'idle' | 'working' | 'holding a cursor';

/** Opens sessions of a role on a server, and ends them all. */
export function sessionsOn(dsn: string) {
  const open = new Map<pg.Client, Doing>();
  const url = (user: string) => {
    const at = new URL(dsn);
    at.searchParams.set('user', user);
    return at.href;
  };

  async function begin(client: pg.Client, doing: Doing): Promise<void> {
    open.set(client, doing);
    if (doing === 'working') {
      // It ends with the session.
      client.query('SELECT pg_sleep(600)').catch(() => {});
    } else if (doing === 'holding a cursor') {
      await client.query('BEGIN');
      await client.query('DECLARE c CURSOR FOR SELECT note FROM big ORDER BY note');
      await client.query('FETCH 1 FROM c');
    }
  }

  return {
    async connect(user: string, count: number, doing: Doing): Promise<void> {
      const connectOne = async () => {
        const client = new pg.Client({ connectionString: url(user) });
        client.on('error', () => {});
        await client.connect();
        await begin(client, doing);
      };
      await Promise.all(Array.from({ length: count }, connectOne));
    },
    /** So many of the idle ones begin to work. */
    async work(count: number): Promise<void> {
      const idle = [...open].filter(([, doing]) => doing === 'idle').slice(0, count);
      for (const [client] of idle) await begin(client, 'working');
    },
    async endAll(): Promise<void> {
      const admin = new pg.Client({ connectionString: dsn });
      await admin.connect();
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('app', 'reports')",
      );
      await admin.end();
      await Promise.all([...open.keys()].map((client) => client.end().catch(() => {})));
      open.clear();
    },
  };
}

/** So many samples, one after the other, in place of one a minute; of what is there while they are taken. */
export async function sample(dsn: string, count: number): Promise<ActivityPoint[]> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier-test', readOnly: true });
  try {
    const capabilities = await detectCapabilities(session);
    const points: ActivityPoint[] = [];
    for (let taken = 0; taken < count; taken += 1) {
      const limits: Limit[] = [];
      const reader = { session, limits, deadline: Number.POSITIVE_INFINITY, busy: new Map() };
      const activity = await readActivity(reader, capabilities);
      const taken_at = new Date().toISOString();
      const point = activityPoint({ taken_at, activity, server: { database: 'postgres' }, limits });
      if (!point || limits.length > 0) throw new Error(`no sample: ${JSON.stringify(limits)}`);
      points.push(point);
    }
    return points;
  } finally {
    await session.close();
  }
}

export function concurrency(points: readonly ActivityPoint[]): Concurrency {
  const found = concurrencyOf(points);
  if (!found) throw new Error('no samples');
  return found;
}
