/** What statements cost by the server's own planner, and what they really take. */
import type pg from 'pg';
import { cpuOf } from '../cpu-time.ts';

interface NamedStatement {
  name: string;
  text: string;
}

/** Total cost of each plan, by statement. */
export async function planCosts(
  client: pg.Client,
  statements: readonly NamedStatement[],
): Promise<Map<string, number>> {
  const costs = new Map<string, number>();
  for (const { name, text } of statements) {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`);
    costs.set(name, rows[0]['QUERY PLAN'][0].Plan['Total Cost'] as number);
  }
  return costs;
}

const TIMEOUT_MS = 120_000;
/** What takes longer than this is run once: the noise is small beside it. */
const ONCE_MS = 1000;

/**
 * Milliseconds of the processor that the server spends on each statement, in a database that memory holds: of the short
 * ones the lesser of two runs. One that is cancelled after 120 s counts as 120 s.
 */
export async function runTimes(
  client: pg.Client,
  statements: readonly NamedStatement[],
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  await client.query(`SET statement_timeout = ${TIMEOUT_MS}`);
  try {
    for (const { name, text } of statements) {
      let best = TIMEOUT_MS;
      for (let run = 0; run < 2; run += 1) {
        const started = await cpuOf(pid);
        try {
          await client.query(text);
          best = Math.min(best, (await cpuOf(pid)) - started);
          if (best > ONCE_MS) break;
        } catch (error) {
          if ((error as { code?: string }).code !== '57014') throw error;
          break;
        }
      }
      times.set(name, best);
    }
  } finally {
    await client.query('RESET statement_timeout');
  }
  return times;
}

/** Scans of each index since counters began, by its name. */
export async function indexScans(client: pg.Client): Promise<Map<string, number>> {
  // The session's own counts are told to the statistics once it has been idle for a second.
  await client.query('SELECT pg_sleep(1.1)');
  const { rows } = await client.query<{ name: string; scans: number }>(
    'SELECT indexrelname AS name, idx_scan::float8 AS scans FROM pg_stat_user_indexes',
  );
  return new Map(rows.map((row) => [row.name, row.scans]));
}
