/**
 * What collecting costs a target with 5,000 statements, 2,000 tables and 10,000 indexes, and what it takes in the
 * store. Server time is the CPU time of the backend that serves the collector (/proc/<pid>/schedstat).
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { collectFastSnapshot, collectSnapshot } from '../src/collect/index.ts';
import { statementKey } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { loadWindow } from '../src/pipeline/index.ts';
import { openStore } from '../src/store/index.ts';
import { openTarget, type TargetSession } from '../src/target/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import { startLoad } from './collect-load.ts';
import { type BenchTarget, CALLS_PER_MINUTE, startBenchTarget } from './collect-target.ts';
import { cpuOf } from './cpu-time.ts';

const MINUTES_A_MONTH = 30 * 24 * 60;
/** The service's default. */
const FULL_EVERY_MINUTES = 30;

interface Cost {
  server_ms: number;
  wall_ms: number;
  own_ms: number;
}

/** One session and what the work in it cost the server and us. */
async function measured<T>(
  dsn: string,
  work: (session: TargetSession) => Promise<T>,
): Promise<{ result: T; cost: Cost }> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:bench', readOnly: true });
  try {
    const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = row?.pid ?? 0;
    const [before, started, own] = [await cpuOf(pid), performance.now(), process.cpuUsage()];
    const result = await work(session);
    const spent = process.cpuUsage(own);
    return {
      result,
      cost: {
        server_ms: (await cpuOf(pid)) - before,
        wall_ms: performance.now() - started,
        own_ms: (spent.user + spent.system) / 1000,
      },
    };
  } finally {
    await session.close();
  }
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const rounded = (value: number, digits = 1) => Number(value.toFixed(digits));

function medianCost(costs: Cost[]): Cost {
  const of = (key: keyof Cost) => rounded(median(costs.map((cost) => cost[key])));
  return { server_ms: of('server_ms'), wall_ms: of('wall_ms'), own_ms: of('own_ms') };
}

interface Loss {
  /** Per cent of a minute's throughput; negative: noise. */
  pct: number;
  /** Standard error of the mean over the pairs of slots. */
  standard_error_pct: number;
  load: string;
}

/** What one fast snapshot a minute takes of a load's throughput: slots with and without, taking turns. */
async function loss(target: BenchTarget, known: ReadonlySet<string>, quick: boolean): Promise<Loss> {
  const [pairs, slotSeconds] = quick ? [4, 3] : [16, 10];
  const throughput = await startLoad(target);
  const shares: number[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const alone = () => throughput.forSeconds(slotSeconds);
    const beside = async () => {
      const [calls] = await Promise.all([
        throughput.forSeconds(slotSeconds),
        measured(target.dsn, (session) => collectFastSnapshot(session, { known_statements: known })),
      ]);
      return calls;
    };
    // Each goes first as often as the other: the machine's drift is in both.
    const first = pair % 2 === 0 ? await alone() : await beside();
    const second = pair % 2 === 0 ? await beside() : await alone();
    const [without, withIt] = pair % 2 === 0 ? [first, second] : [second, first];
    // A shorter slot holds its snapshot all the same: the loss of a minute is so much smaller.
    shares.push((1 - withIt / without) * 100 * (slotSeconds / 60));
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / pairs;
  const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (pairs - 1);
  return { pct: mean, standard_error_pct: Math.sqrt(variance / pairs), load: throughput.name };
}

export async function collectBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const target = await startBenchTarget();
  const storeServer = await startEmbedded({ name: 'bench-store' });
  const store = await openStore({ dsn: storeServer.dsn('postgres'), secretKey: randomBytes(32) });
  const client = new pg.Client({ connectionString: storeServer.dsn('postgres') });
  try {
    await store.migrate();
    await client.connect();
    const { id } = await store.targets.add(
      { name: 'bench', dsn: 'env:X', address: 'bench', host_overrides: {} },
      'bench',
    );
    await target.load(CALLS_PER_MINUTE);
    const full = [];
    for (let run = 0; run < 3; run += 1) {
      full.push(await measured(target.dsn, (session) => collectSnapshot(session)));
    }
    const snapshot = full.at(-1)?.result;
    if (!snapshot) throw new Error('no snapshot');
    const known = new Set(snapshot.statements.map(statementKey));
    const fast = [];
    for (let run = 0; run < 5; run += 1) {
      fast.push(
        await measured(target.dsn, (session) => collectFastSnapshot(session, { known_statements: known })),
      );
    }
    const lost = await loss(target, known, quick);

    // Minutes of load, one after the other without the waiting: the store sees a minute between them.
    const begin = Date.parse('2026-11-23T10:00:00Z');
    const at = (minute: number) => new Date(begin + minute * 60_000).toISOString();
    const first = await store.snapshots.save(id, { ...snapshot, taken_at: at(0), collected_at: at(0) });
    let last = first;
    const minutes = quick ? 5 : 59;
    const saving: Omit<Cost, 'server_ms'>[] = [];
    for (let minute = 1; minute <= minutes; minute += 1) {
      await target.load(CALLS_PER_MINUTE);
      const { result } = await measured(target.dsn, (session) =>
        collectFastSnapshot(session, { known_statements: known }),
      );
      const [started, own] = [performance.now(), process.cpuUsage()];
      await store.snapshots.knownStatements(id);
      last = await store.snapshots.saveFast(id, {
        ...result,
        taken_at: at(minute),
        collected_at: at(minute),
      });
      const spent = process.cpuUsage(own);
      saving.push({ wall_ms: performance.now() - started, own_ms: (spent.user + spent.system) / 1000 });
    }
    await store.snapshots.save(id, {
      ...(await measured(target.dsn, (session) => collectSnapshot(session))).result,
      taken_at: at(minutes + 1),
      collected_at: at(minutes + 1),
    });
    const { rows: bodies } = await client.query<{ base: boolean; cadence: string; bytes: number }>(
      `SELECT base_snapshot_id IS NULL AS base, cadence, octet_length(body) AS bytes FROM pgluthier.snapshot`,
    );
    const { rows: once } = await client.query<{ bytes: string }>(
      `SELECT pg_total_relation_size('pgluthier.snapshot_part') + pg_total_relation_size('pgluthier.query_text') AS bytes`,
    );
    const mean = (values: number[]) =>
      values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    const fastBytes = mean(bodies.filter((row) => row.cadence === 'fast').map((row) => row.bytes));
    const fullBytes = mean(
      bodies.filter((row) => row.cadence === 'full' && !row.base).map((row) => row.bytes),
    );
    const baseBytes = mean(bodies.filter((row) => row.base).map((row) => row.bytes));
    const monthly =
      fastBytes * MINUTES_A_MONTH +
      (fullBytes * MINUTES_A_MONTH) / FULL_EVERY_MINUTES +
      baseBytes * 30 +
      Number(once[0]?.bytes ?? 0);

    const reads: number[] = [];
    for (let run = 0; run < 3; run += 1) {
      const started = performance.now();
      await loadWindow({ store }, id, first.id, last.id);
      reads.push(performance.now() - started);
    }
    const rows = [
      { what: 'fast snapshot', ...medianCost(fast.map(({ cost }) => cost)) },
      { what: 'full snapshot', ...medianCost(full.map(({ cost }) => cost)) },
      {
        what: 'keeping a fast one',
        ...medianCost(saving.map((cost) => ({ ...cost, server_ms: 0 }))),
        server_ms: null,
      },
    ];
    console.table(rows);
    const stored = {
      fast_bytes: Math.round(fastBytes),
      full_bytes: Math.round(fullBytes),
      base_bytes: Math.round(baseBytes),
      once_bytes: Number(once[0]?.bytes ?? 0),
    };
    console.table([stored]);
    console.log(`load: ${lost.load}; standard error of its loss ${rounded(lost.standard_error_pct, 2)} %`);
    const figures = {
      snapshot_fast_server_ms: {
        value: rows[0]?.server_ms ?? null,
        unit: 'ms',
        aim: 300,
        better: 'lower' as const,
      },
      snapshot_full_server_ms: {
        value: rows[1]?.server_ms ?? null,
        unit: 'ms',
        aim: null,
        better: 'lower' as const,
      },
      pgbench_loss_pct: { value: rounded(lost.pct, 2), unit: '%', aim: 1, better: 'lower' as const },
      store_mb_per_month: {
        value: rounded(monthly / 2 ** 20),
        unit: 'MB',
        aim: 1024,
        better: 'lower' as const,
      },
      window_read_ms: { value: rounded(median(reads)), unit: 'ms', aim: 2000, better: 'lower' as const },
    };
    console.table(figures);
    return {
      figures,
      rows: [
        ...rows,
        stored,
        { load: lost.load, loss_standard_error_pct: rounded(lost.standard_error_pct, 2) },
      ],
    };
  } finally {
    await client.end();
    await store.close();
    await storeServer.stop('immediate');
    await target.stop();
  }
}
