/**
 * What a target with 5,000 statements, 2,000 tables and 10,000 indexes takes in the store at one snapshot a minute, and
 * how long a 24-hour window of it reads: `npx tsx bench/store-size.ts`. The load is imaginary (Zipf, 8,000 calls' worth
 * of activity a minute: about half of the statements run in each); bench/collect.ts measures a real target.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { fastPart, type Snapshot } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { loadWindow } from '../src/pipeline/index.ts';
import { openStore, type Store } from '../src/store/index.ts';
import { ImaginaryDatabase } from '../test/store/large-snapshot.ts';

const CALLS_A_MINUTE = 8000;
const FULL_EVERY = 30;
const MINUTES_A_MONTH = 30 * 24 * 60;
/** The generator's own clock begins here; the next midnight, so that a day lies in one partition. */
const BEGIN = 1.79e12;
const MIDNIGHT = Math.ceil(BEGIN / 86_400_000) * 86_400_000;

const at = (minute: number) => new Date(MIDNIGHT + minute * 60_000).toISOString();

interface Options {
  minutes: number;
  /** Minutes between two snapshots. */
  step: number;
  change?: (snapshot: Snapshot, minute: number) => Snapshot;
}

/** Saves a history of one target; its id and how long saving took, ms each. */
async function history(store: Store, name: string, { minutes, step, change = (one) => one }: Options) {
  const { id } = await store.targets.add({ name, dsn: 'env:X', address: name, host_overrides: {} }, 'bench');
  const database = new ImaginaryDatabase({ statements: 5000, tables: 2000, active: 0.3, indexesPerTable: 5 });
  const saving: number[] = [];
  for (let minute = 0; minute <= minutes; minute += step) {
    if (minute > 0) for (let done = 0; done < step; done += 1) database.workZipf(CALLS_A_MINUTE);
    const snapshot = change({ ...database.snapshot(at(minute)), collected_at: at(minute) }, minute);
    if (minute % FULL_EVERY === 0) {
      await store.snapshots.save(id, snapshot);
      continue;
    }
    const known = { ...fastPart(snapshot) };
    known.statements = known.statements.map((row) => ({ ...row, query: null }));
    const started = performance.now();
    await store.snapshots.saveFast(id, known);
    saving.push(performance.now() - started);
  }
  return { id, saving };
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Milliseconds that a window of all that is kept takes to read: in a process that knows nothing yet, and again. */
async function read(dsn: string, secretKey: Buffer, id: string) {
  const store = await openStore({ dsn, secretKey });
  try {
    const newest = await store.snapshots.latest(id);
    const oldest = await store.snapshots.oldestSince(id, new Date(0));
    if (!newest || !oldest) throw new Error('nothing was kept');
    const points = (await store.snapshots.cutPoints(id, oldest.id, newest.id)).length;
    const times: number[] = [];
    for (let run = 0; run < 3; run += 1) {
      const started = performance.now();
      await loadWindow({ store }, id, oldest.id, newest.id);
      times.push(Math.round(performance.now() - started));
    }
    return { cut_points: points, first_read_ms: times[0], next_read_ms: Math.min(...times.slice(1)) };
  } finally {
    await store.close();
  }
}

const server = await startEmbedded({ name: 'bench-store-size' });
const dsn = server.dsn('postgres');
const secretKey = randomBytes(32);
const store = await openStore({ dsn, secretKey });
const client = new pg.Client({ connectionString: dsn });
try {
  await store.migrate();
  await client.connect();
  const minutely = await history(store, 'minutely', { minutes: 120, step: 1 });
  const { rows } = await client.query<{ what: string; bytes: number; n: number }>(
    `SELECT CASE WHEN cadence = 'fast' THEN 'fast' WHEN base_snapshot_id IS NULL THEN 'base' ELSE 'full' END AS what,
       avg(octet_length(body))::float8 AS bytes, count(*)::int AS n
     FROM pgluthier.snapshot WHERE target_id = $1 GROUP BY 1`,
    [minutely.id],
  );
  const once = await client.query<{ bytes: string }>(
    `SELECT pg_total_relation_size('pgluthier.snapshot_part') + pg_total_relation_size('pgluthier.query_text') AS bytes`,
  );
  const bytesOf = (what: string) => rows.find((row) => row.what === what)?.bytes ?? 0;
  const month =
    bytesOf('fast') * MINUTES_A_MONTH * (1 - 1 / FULL_EVERY) +
    (bytesOf('full') * MINUTES_A_MONTH) / FULL_EVERY +
    bytesOf('base') * 30 +
    Number(once.rows[0]?.bytes ?? 0);
  console.table([
    {
      fast_bytes: Math.round(bytesOf('fast')),
      full_bytes: Math.round(bytesOf('full')),
      base_bytes: Math.round(bytesOf('base')),
      once_bytes: Number(once.rows[0]?.bytes ?? 0),
      mb_a_month: Math.round(month / 1e6),
      save_fast_ms: Math.round(mean(minutely.saving)),
    },
  ]);
  if (!process.argv.includes('--size-only')) {
    // Each tenth minute is enough: a window reads its cut points only.
    const day = { minutes: 1430, step: 10 };
    const evicting = await history(store, 'evicting', {
      ...day,
      change: (one, minute) => ({ ...one, statements_info: { dealloc: minute, stats_reset: null } }),
    });
    // Twelve restarts, none of them near a full snapshot.
    const restarted = await history(store, 'restarted', {
      ...day,
      change: (one, minute) => ({
        ...one,
        server: { ...one.server, started_at: at(Math.floor((minute + 70) / 120) * 120 - 70) },
      }),
    });
    const windows = [];
    for (const [what, { id }] of Object.entries({ evicting, restarted })) {
      windows.push({ window_of_24_h: what, ...(await read(dsn, secretKey, id)) });
    }
    console.table(windows);
  }
} finally {
  await client.end();
  await store.close();
  await server.stop('immediate');
}
