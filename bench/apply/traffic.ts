/** An application's statements while a table is changed, and how long any of them waited for the change. */
import pg from 'pg';
import type { Journal } from '../../src/domain/index.ts';
import { type LockWait, lockWaits, readLog, waitsOn } from './lock-waits.ts';

export const APPLICATION = 'shop backend';
/** Until a session has read its settings, those of its role and database among them, the log has no name for it. */
const CONNECTING = '[unknown]';

export async function connect(
  dsn: string,
  application_name = APPLICATION,
  role: string | null = null,
): Promise<pg.Client> {
  const url = new URL(dsn);
  if (role !== null) url.searchParams.set('user', role);
  const client = new pg.Client({ connectionString: url.href, application_name });
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

/** Each so many rounds a new session connects: that is what reads the settings of roles and databases. */
const CONNECT_EACH = 10;

/** What an application does with the tables of changes.ts, over and over, and who connects meanwhile, as `role`. */
export function shopping({ dsn, role }: { dsn: string; role: string }) {
  return async (client: pg.Client, number: number): Promise<void> => {
    const id = 1 + (number % 5_000);
    await client.query('UPDATE items SET n = n + 1 WHERE id = $1', [id]);
    await client.query('SELECT count(*) FROM items WHERE id BETWEEN $1 AND $1 + 20', [id]);
    await client.query('INSERT INTO visits VALUES ($1, $2)', [number, number % 200]);
    if (number % CONNECT_EACH !== 0) return;
    const shopper = await connect(dsn, APPLICATION, role);
    await shopper.query('SHOW work_mem');
    await shopper.end();
  };
}

/** Statements of each round of `shopping`. */
export const SHOPPING_STATEMENTS = 3;

/**
 * What the traffic's statements waited for ours, in the server's log since `begun` (an offset from `readLog`).
 * @param ours backends of ours.
 * @param mode the strongest lock that they take.
 */
export async function waitsOfTraffic(
  dsn: string,
  begun: number,
  ours: ReadonlySet<number>,
  mode: string,
): Promise<LockWait[]> {
  const { text } = await readLog(dsn, begun);
  return waitsOn(lockWaits(text), (pid) => (ours.has(pid) ? mode : null)).filter(
    ({ application }) => application === APPLICATION || application === CONNECTING,
  );
}

/** The backends that a journal names. */
export async function backendsOf(journal: Journal): Promise<Set<number>> {
  return new Set((await journal.entries()).flatMap(({ backend_pid }) => backend_pid ?? []));
}
