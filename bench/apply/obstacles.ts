/** Who may be in the way of a change. */
import { connect } from './traffic.ts';

interface Obstacle {
  name: string;
  /** Puts it in the way; the returned function takes it away. */
  place(dsn: string): Promise<() => Promise<void>>;
}

async function holding(dsn: string, ...statements: string[]): Promise<() => Promise<void>> {
  const client = await connect(dsn);
  for (const statement of statements) await client.query(statement);
  return () => client.end();
}

export const obstacles: Obstacle[] = [
  { name: 'nobody in the way', place: () => Promise.resolve(() => Promise.resolve()) },
  {
    name: 'a long transaction',
    place: (dsn) => holding(dsn, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM other'),
  },
  {
    name: 'a writer idle in its transaction',
    place: (dsn) => holding(dsn, 'BEGIN', 'UPDATE items SET n = n + 1 WHERE id = 0'),
  },
  {
    name: 'a queue of lock waiters',
    // The first holds the table, the others want it for themselves alone, a second at most.
    place: async (dsn) => {
      const release = await holding(dsn, 'BEGIN', 'LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE');
      const waiters = await Promise.all([1, 2, 3].map(() => connect(dsn)));
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
];
