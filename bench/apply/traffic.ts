/** An application's statements while a table is changed, and how long any of them waited for the change. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export const APPLICATION = 'shop backend';
const SAMPLE_MS = 5;

export async function connect(dsn: string, application_name = APPLICATION): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: dsn, application_name });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Runs `one` over and over in so many sessions; `stop` says how many were done and what failed. */
export function traffic(
  dsn: string,
  sessions: number,
  one: (client: pg.Client, number: number) => Promise<unknown>,
): { stop(): Promise<{ done: number; errors: string[] }> } {
  let [stopped, done, number] = [false, 0, 0];
  const errors: string[] = [];
  const work = async () => {
    const client = await connect(dsn);
    while (!stopped) {
      number += 1;
      try {
        await one(client, number);
        done += 1;
      } catch (error) {
        errors.push(String(error));
      }
    }
    await client.end();
  };
  const working = Array.from({ length: sessions }, work);
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(working);
      return { done, errors };
    },
  };
}

/**
 * Looks every few milliseconds which statements of the application wait for a session of an apply, by
 * pg_blocking_pids (holders of a conflicting lock, and those that queue before it), and for how long by then.
 */
export async function watchWaits(
  dsn: string,
): Promise<{ stop(): Promise<{ worst_ms: number; samples: number }> }> {
  const client = await connect(dsn, 'bench watcher');
  let [stopped, worst, samples] = [false, 0, 0];
  const watching = (async () => {
    while (!stopped) {
      const { rows } = await client.query<{ ms: number | null }>(
        `SELECT max(extract(epoch FROM clock_timestamp() - l.waitstart) * 1000)::float8 AS ms
         FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE NOT l.granted AND a.application_name = $1 AND EXISTS (
           SELECT FROM unnest(pg_blocking_pids(l.pid)) AS b(pid) JOIN pg_stat_activity o ON o.pid = b.pid
           WHERE o.application_name LIKE 'pgluthier:apply:%')`,
        [APPLICATION],
      );
      worst = Math.max(worst, rows[0]?.ms ?? 0);
      samples += 1;
      await sleep(SAMPLE_MS);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await watching;
      await client.end();
      return { worst_ms: worst, samples };
    },
  };
}
