/**
 * Applying: how long until a blocker is named, what an apply takes beside the bare statement, how long the application's
 * statements wait for a change at worst, how often a verdict is wrong and how much it sees; and, unless --quick, the
 * chaos suite on all majors.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildPlan, executePlan, preflight } from '../src/apply/index.ts';
import type { Change, Journal } from '../src/domain/index.ts';
import { availableMajors, startEmbedded } from '../src/embedded/index.ts';
import { packageRoot } from '../src/package-root.ts';
import { openTarget } from '../src/target/index.ts';
import { LOCK_WAIT_SETTINGS, readLog } from './apply/lock-waits.ts';
import { memoryJournal } from './apply/memory-journal.ts';
import { type Obstacle, obstacles } from './apply/obstacles.ts';
import { type Stage, stage } from './apply/stage.ts';
import { strongestLock } from './apply/strongest-lock.ts';
import {
  backendsOf,
  connect,
  SHOPPING_STATEMENTS,
  shopping,
  traffic,
  waitsOfTraffic,
} from './apply/traffic.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { judged, scenarios } from './verification/index.ts';

/** Longest wait for locks that the changes of the traffic part are given, ms. */
const LOCK_BUDGET_MS = 1_500;
/** So long others may wait for them there before they give way, ms. */
const YIELD_MS = 1_000;
/** A transaction younger than this is no blocker yet (blockers.ts), ms. */
const ORDINARY_MS = 2_100;

let applies = 0;
function apply(
  dsn: string,
  change: Change,
  options: { lockBudgetMs?: number; yieldAfterMs?: number; journal?: Journal } = {},
) {
  applies += 1;
  return executePlan(buildPlan(change), {
    dsn,
    apply_id: `bench_${applies}`,
    openSession: openTarget,
    journal: memoryJournal(),
    onProgress: () => {},
    ...options,
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** ms from the question to the blocker's name, of a change that this obstacle is in the way of. */
async function timeToName({ dsn, changes }: Stage, times: number): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  const { change } = changes[0] as (typeof changes)[number];
  for (const obstacle of obstacles.slice(1, 3)) {
    const remove = await obstacle.place(dsn);
    await sleep(ORDINARY_MS);
    const took: number[] = [];
    let named = 0;
    for (let time = 0; time < times; time += 1) {
      took.push(
        await timed(async () => {
          const session = await openTarget(dsn, { applicationName: 'pgluthier:preflight', readOnly: true });
          const { blockers } = await preflight(session, buildPlan(change));
          if (blockers.some(({ application_name }) => application_name === 'shop backend')) named += 1;
          await session.close();
        }),
      );
    }
    await remove();
    rows.push({ part: 'blocker named', case: obstacle.name, ms: median(took), named, of: times });
  }
  return rows;
}

/** Apply against bare statement in turn, each on the same state. */
async function overhead(on: Stage, times: number): Promise<Record<string, unknown>[]> {
  const { dsn } = on;
  const rows: Record<string, unknown>[] = [];
  const client = await connect(dsn, 'bench');
  for (const { name, change } of on.changes) {
    const [whole, bare]: [number[], number[]] = [[], []];
    for (let time = 0; time < times; time += 1) {
      await on.putBack();
      whole.push(
        await timed(async () => {
          const outcome = await apply(dsn, change);
          if (outcome?.outcome !== 'applied') throw new Error(JSON.stringify(outcome));
        }),
      );
      await on.putBack();
      bare.push(
        await timed(async () => {
          for (const statement of buildPlan(change).statements) await client.query(statement);
        }),
      );
    }
    const [ours, theirs] = [median(whole), median(bare)];
    rows.push({ part: 'overhead', case: name, ms: ours, bare_ms: theirs, ratio: ours / theirs });
  }
  await client.end();
  return rows;
}

/** Each change under load with each obstacle: by the server's log, how long the load's statements waited for it. */
async function waits(on: Stage): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const obstacle of obstacles) {
    for (const played of on.changes) {
      if (obstacle.meets?.(played.change) === false) continue;
      await on.putBack();
      rows.push(await underLoad(on, played, obstacle));
    }
  }
  return rows;
}

async function underLoad(
  on: Stage,
  { name, change }: Stage['changes'][number],
  obstacle: Obstacle,
): Promise<Record<string, unknown>> {
  const { dsn } = on;
  const { end: begun } = await readLog(dsn);
  const load = traffic(dsn, 4, shopping(on));
  const remove = await obstacle.place(dsn);
  const journal = memoryJournal();
  const applied = apply(dsn, change, { lockBudgetMs: LOCK_BUDGET_MS, yieldAfterMs: YIELD_MS, journal });
  const outcome = await applied;
  await remove();
  const { done, errors } = await load.stop();
  const found = await waitsOfTraffic(dsn, begun, await backendsOf(journal), strongestLock(change));
  return {
    part: 'traffic',
    case: `${name}, ${obstacle.name}`,
    worst_wait_ms: Math.max(0, ...found.map(({ ms }) => ms)),
    waits: found.length,
    outcome: outcome === null ? 'open' : 'code' in outcome ? outcome.code : outcome.outcome,
    statements: SHOPPING_STATEMENTS * done,
    errors: errors.length,
  };
}

function verdicts(draws: number): Record<string, unknown>[] {
  const count = (world: (typeof scenarios.noEffect)[number]['world'], word: string) => {
    let found = 0;
    for (let seed = 1; seed <= draws; seed += 1) if (judged(world, seed * 7_919) === word) found += 1;
    return found / draws;
  };
  return [
    ...[...scenarios.noEffect, ...scenarios.effects].map(({ name, world }) => ({
      part: 'verdicts',
      case: name,
      succeeded: count(world, 'succeeded'),
      regressed: count(world, 'regressed'),
    })),
    ...[0.05, 0.1, 0.15, 0.2, 0.3, 0.5].map((effect) => ({
      part: 'power',
      case: `${Math.round(100 * effect)} % faster`,
      succeeded: count(scenarios.power(effect), 'succeeded'),
    })),
  ];
}

/** The chaos suite as the tests run it, on all majors. */
function chaos(): { runs: number | null; violations: number | null } {
  const directory = mkdtempSync(join(tmpdir(), 'pgluthier-chaos-'));
  const file = join(directory, 'chaos.json');
  spawnSync('npx', ['vitest', 'run', 'test/apply/chaos.test.ts'], {
    cwd: packageRoot,
    env: { ...process.env, PGLUTHIER_CHAOS: 'full', PGLUTHIER_CHAOS_RESULT: file },
    stdio: 'ignore',
  });
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { runs: number; violations: number };
  } catch {
    return { runs: null, violations: null };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const applyBenchmark: Benchmark = async ({ quick }) => {
  const major = Math.max(...availableMajors());
  const server = await startEmbedded({ major, name: 'bench-apply', settings: LOCK_WAIT_SETTINGS });
  const rows: Record<string, unknown>[] = [];
  try {
    const on = await stage(server.dsn(), quick ? 100_000 : 500_000);
    rows.push(...(await timeToName(on, quick ? 5 : 20)));
    rows.push(...(await overhead(on, quick ? 3 : 9)));
    rows.push(...(await waits(on)));
  } finally {
    await server.stop('immediate');
  }
  rows.push(...verdicts(quick ? 300 : 3_000));
  const { runs, violations } = quick ? { runs: null, violations: null } : chaos();
  const of = (part: string) => rows.filter((row) => row.part === part);
  const worst = (part: string, key: string) => Math.max(...of(part).map((row) => Number(row[key])));
  const falseShare = Math.max(
    ...of('verdicts')
      .slice(0, scenarios.noEffect.length)
      .map((row) => Number(row.succeeded)),
  );
  const power = Number(of('power').find((row) => row.case === '10 % faster')?.succeeded);
  const ratio = Number(of('overhead').find((row) => row.case === 'index.create')?.ratio);
  const lower = (value: number | null, unit: string, aim: number | null): Figure => ({
    value,
    unit,
    aim,
    better: 'lower',
  });
  for (const part of ['blocker named', 'overhead', 'traffic', 'verdicts', 'power']) {
    console.log(`\n${part}`);
    console.table(of(part).map(({ part: _, ...row }) => row));
  }
  return {
    figures: {
      worst_traffic_wait_ms: lower(worst('traffic', 'worst_wait_ms'), 'ms', LOCK_BUDGET_MS),
      name_blocker_ms: lower(worst('blocker named', 'ms'), 'ms', 1_000),
      overhead_ratio: lower(ratio, 'ratio', 1.5),
      false_success_share: lower(falseShare, 'share', 0.01),
      power_at_10pct: { value: power, unit: 'share', aim: null, better: 'higher' },
      chaos_runs: { value: runs, unit: 'applies', aim: 200, better: 'higher' },
      chaos_violations: lower(violations, 'applies', 0),
    },
    rows,
  };
};
