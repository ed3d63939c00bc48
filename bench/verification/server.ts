/** A server over days: what each of its statements did from minute to minute, as snapshots of its counters. */
import type { Snapshot } from '../../src/domain/index.ts';
import { noActivity } from '../../src/domain/index.ts';
import { snapshot, statementRow, tableRow } from '../../test/workload/snapshots.ts';
import { type Draw, lognormalPool, normal, type Pool, paretoPool, poisson } from './chance.ts';
import { built } from './measured-index.ts';

export const HOUR = 3600;
/** A random walk that comes back: standard deviation of a logarithm, and the hours after which a third of it is left. */
export interface Drift {
  deviation: number;
  hours: number;
}
/** A daily cycle of a logarithm. */
export interface Cycle {
  amplitude: number;
  /** Radians at the time of the change. */
  phase: number;
}
/** From `at` (seconds from the change) on, until `until`, times `factor`; with `fades` it dies away (seconds). */
export interface Step {
  at: number;
  until?: number;
  factor: number;
  fades?: number;
}

/** Those that the change was made for. */
export const isTreated = ({ id }: Pick<SimulatedStatement, 'id'>): boolean => id.startsWith('q');

export interface SimulatedStatement {
  id: string;
  query: string;
  /** Calls per hour. */
  rate: number;
  rate_cycle: Cycle;
  mean_ms: number;
  /** Of single calls' times: sigma of a log-normal, or the index of a Pareto. */
  calls: { sigma: number } | { pareto: number };
  /** Share of the common load that it feels, as an exponent. */
  sensitivity: number;
  /** Of its time alone: waits, caches, the plan. */
  own: Drift;
  own_cycle: Cycle;
  /** Of its time and its blocks: parameters, rows. */
  work: Drift;
  work_cycle: Cycle;
  /** Logarithm of its work, per day. */
  growth: number;
  /** What the change does to its time and blocks. */
  effect: number;
  time_steps: Step[];
  work_steps: Step[];
  /** It feels what the others with the same word feel together, e.g. locks of a table. */
  shares: string | null;
}

export interface SimulatedServer {
  statements: SimulatedStatement[];
  common: Drift;
  common_cycle: Cycle;
  common_steps: Step[];
  /** What the statements that share something feel together. */
  shared: Drift;
  /** Hours of history before the change, at most a day. */
  history_hours: number;
  /** Spans without a snapshot, seconds from the change. */
  gaps: [number, number][];
  /** pg_stat_statements_reset(), seconds from the change. */
  resets: number[];
  /** A statement's row was evicted, and came back after so many seconds. */
  evictions: { id: string; at: number; seconds: number }[];
  /** The target's clock was set by so many seconds. */
  clock_steps: { at: number; seconds: number }[];
}

const orders = tableRow({ oid: 1, name: 'orders' });

const BLOCKS = 500;
const BLOCKS_SIGMA = 0.3;
const STEP_S = 600;
/** From here on half an hour is enough. */
const FINE_UNTIL_S = 4 * HOUR;
/** Verification ends then. */
export const LAST_S = 72 * HOUR;
const EPOCH = Date.parse('2025-06-01T12:00:00Z');

/** One statement's counters at each tick. */
interface Track {
  calls: Float64Array;
  total: Float64Array;
  squares: Float64Array;
  blocks: Float64Array;
}

const sine = ({ amplitude, phase }: Cycle, at: number) =>
  amplitude * Math.sin((2 * Math.PI * at) / (24 * HOUR) + phase);

function stepsAt(steps: readonly Step[], at: number): number {
  let log = 0;
  for (const { at: from, until, factor, fades } of steps) {
    if (at < from || (until !== undefined && at >= until)) continue;
    log += Math.log(factor) * (fades === undefined ? 1 : Math.exp(-(at - from) / fades));
  }
  return log;
}

/** What is asked of a store of snapshots; ids are ticks. */
export class History {
  readonly ticks: number[];
  private readonly server: SimulatedServer;
  private readonly tracks = new Map<string, Track>();
  private readonly present: boolean[];

  constructor(server: SimulatedServer, draw: Draw) {
    this.server = server;
    this.ticks = [];
    for (
      let at = -server.history_hours * HOUR;
      at <= 1e-9 + LAST_S;
      at += at < FINE_UNTIL_S ? STEP_S : 3 * STEP_S
    ) {
      this.ticks.push(Math.round(at));
    }
    this.present = this.ticks.map((at) => !server.gaps.some(([from, to]) => at > from && at < to));
    const common = this.walk(draw, server.common);
    const shared = new Map<string, number[]>();
    for (const statement of server.statements) {
      const word = statement.shares;
      if (word !== null && !shared.has(word)) shared.set(word, this.walk(draw, server.shared));
    }
    for (const statement of server.statements) {
      const felt = statement.shares === null ? null : (shared.get(statement.shares) ?? null);
      this.tracks.set(statement.id, this.track(draw, statement, common, felt));
    }
  }

  private walk(draw: Draw, { deviation, hours }: Drift): number[] {
    if (deviation === 0) return this.ticks.map(() => 0);
    let now = normal(draw) * deviation;
    return this.ticks.map((at, index) => {
      const rho = Math.exp(-(at - (this.ticks[index - 1] ?? at)) / (hours * HOUR));
      now = rho * now + Math.sqrt(1 - rho ** 2) * deviation * normal(draw);
      return now;
    });
  }

  private track(draw: Draw, statement: SimulatedStatement, common: number[], felt: number[] | null): Track {
    const { server, ticks } = this;
    const own = this.walk(draw, statement.own);
    const work = this.walk(draw, statement.work);
    const pool: Pool =
      'sigma' in statement.calls ? lognormalPool(statement.calls.sigma) : paretoPool(statement.calls.pareto);
    const size = ticks.length;
    const track: Track = {
      calls: new Float64Array(size),
      total: new Float64Array(size),
      squares: new Float64Array(size),
      blocks: new Float64Array(size),
    };
    for (let index = 1; index < size; index += 1) {
      const at = ticks[index] as number;
      const from = ticks[index - 1] as number;
      const middle = (at + from) / 2;
      const expected = ((at - from) / HOUR) * statement.rate * Math.exp(sine(statement.rate_cycle, middle));
      const calls = Math.min(100_000, poisson(draw, expected));
      const after = from >= 0;
      const load =
        (common[index] ?? 0) + sine(server.common_cycle, middle) + stepsAt(server.common_steps, middle);
      const done =
        (work[index] ?? 0) +
        sine(statement.work_cycle, middle) +
        (statement.growth * middle) / (24 * HOUR) +
        stepsAt(statement.work_steps, middle) +
        (after ? Math.log(statement.effect) : 0);
      const time =
        done +
        statement.sensitivity * load +
        (own[index] ?? 0) +
        (felt?.[index] ?? 0) +
        sine(statement.own_cycle, middle) +
        stepsAt(statement.time_steps, middle);
      const mean = statement.mean_ms * Math.exp(time);
      const times = calls > 0 ? pool.sample(draw, calls) : { sum: 0, squares: 0 };
      const blocks = calls > 0 ? lognormalPool(BLOCKS_SIGMA).sample(draw, calls).sum : 0;
      track.calls[index] = (track.calls[index - 1] ?? 0) + calls;
      track.total[index] = (track.total[index - 1] ?? 0) + times.sum * mean;
      track.squares[index] = (track.squares[index - 1] ?? 0) + times.squares * mean ** 2;
      track.blocks[index] = (track.blocks[index - 1] ?? 0) + blocks * BLOCKS * Math.exp(done);
    }
    return track;
  }

  /** The last tick not after this time that has a snapshot, or the first at all. */
  lastUntil(at: number): number {
    for (let index = this.ticks.length - 1; index > 0; index -= 1) {
      if ((this.ticks[index] as number) <= at && this.present[index]) return index;
    }
    return this.present.indexOf(true);
  }

  /** The first tick from this time on that has a snapshot; null: none. */
  firstFrom(at: number): number | null {
    const found = this.ticks.findIndex((tick, index) => tick >= at && this.present[index]);
    return found === -1 ? null : found;
  }

  timeOf(index: number): Date {
    return new Date(EPOCH + (this.ticks[index] as number) * 1000);
  }

  /** Ticks with a snapshot, both ends included. */
  between(from: number, to: number): number[] {
    const found: number[] = [];
    for (let index = from; index <= to; index += 1) if (this.present[index]) found.push(index);
    return found;
  }

  epoch(index: number): string {
    const at = this.ticks[index] as number;
    return String(this.server.resets.filter((reset) => reset <= at).length);
  }

  dealloc(index: number): number {
    const at = this.ticks[index] as number;
    return this.server.evictions.filter((one) => one.at <= at).length;
  }

  private row(statement: SimulatedStatement, index: number) {
    const at = this.ticks[index] as number;
    const { server } = this;
    const begun = server.resets.filter((reset) => reset <= at);
    for (const eviction of server.evictions) {
      if (eviction.id !== statement.id || at < eviction.at) continue;
      if (at < eviction.at + eviction.seconds) return null;
      begun.push(eviction.at + eviction.seconds);
    }
    const since = begun.length === 0 ? 0 : this.ticks.findLastIndex((tick) => tick <= Math.max(...begun));
    const track = this.tracks.get(statement.id) as Track;
    const of = (values: Float64Array) => (values[index] ?? 0) - (values[Math.max(0, since)] ?? 0);
    const calls = of(track.calls);
    if (calls === 0) return null;
    const mean = of(track.total) / calls;
    return statementRow({
      queryid: statement.id,
      query: statement.query,
      calls,
      total_exec_time_ms: of(track.total),
      mean_exec_time_ms: mean,
      stddev_exec_time_ms: Math.sqrt(Math.max(0, of(track.squares) / calls - mean ** 2)),
      shared_blks_hit: Math.round(of(track.blocks)),
    });
  }

  /** Of the new index: each call of the statements that it was made for reads it once. */
  private scans(index: number): number {
    const start = Math.max(
      0,
      this.ticks.findLastIndex((tick) => tick <= 0),
    );
    return this.server.statements.filter(isTreated).reduce((sum, { id }) => {
      const { calls } = this.tracks.get(id) as Track;
      return sum + (calls[index] ?? 0) - (calls[start] ?? 0);
    }, 0);
  }

  snapshot(index: number): Snapshot {
    const at = this.ticks[index] as number;
    const set = this.server.clock_steps.reduce((sum, one) => (one.at <= at ? sum + one.seconds : sum), 0);
    const indexes =
      at >= 0 ? [{ ...built, idx_scan: this.scans(index), idx_tup_read: 0, idx_tup_fetch: 0 }] : [];
    return snapshot({
      taken_at: new Date(EPOCH + (at + set) * 1000).toISOString(),
      collected_at: this.timeOf(index).toISOString(),
      statements: this.server.statements.flatMap((statement) => this.row(statement, index) ?? []),
      statements_info: {
        dealloc: this.dealloc(index),
        stats_reset: new Date(EPOCH - 3e8 + 1000 * Number(this.epoch(index))).toISOString(),
      },
      tables: [orders],
      indexes,
      activity: noActivity,
    });
  }
}
