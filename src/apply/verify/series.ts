/** One side's window cut into intervals: what a statement or a measure did in each, and how sure its mean is by that. */
import type { StatementDelta, WorkloadQuery } from '../../domain/index.ts';
import type { Side } from './judgement.ts';
import type { VarianceOfMean } from './welch.ts';

/** Fewer intervals than this say nothing about how a mean varies between them. */
export const MIN_INTERVALS = 4;
/** Autocorrelation of neighbours is taken for no more than this: beyond it the mean is as good as unknown. */
const MAX_AUTOCORRELATION = 0.8;

/** A statement in one interval. */
export interface Sample {
  /** Which one, from 0. */
  interval: number;
  calls: number;
  mean_ms: number;
  /** Shared blocks that each call asked for, found in the cache or read. */
  blocks_per_call: number;
  wal_bytes_per_call: number;
}

/** A measure over one side's window. */
export interface Series {
  /** One an interval, in their order, with their weights (calls; 1 where all count alike). */
  samples: readonly { weight: number; value: number }[];
  /** Variance of one interval's value that is counting noise, as of its calls; 0: not known apart. */
  noise?: number;
  /** Length of the whole window, and of one interval on average, s. */
  seconds: number;
  interval_seconds: number;
}

type Sums = Pick<StatementDelta, 'calls' | 'total_exec_time_ms' | 'wal_bytes'> & { blocks: number };

const indexed = new WeakMap<Side, Map<string, Map<number, Sums>>>();

/** By queryid and interval, over users and databases. */
function sumsOf(side: Side): Map<string, Map<number, Sums>> {
  const known = indexed.get(side);
  if (known) return known;
  const sums = new Map<string, Map<number, Sums>>();
  for (const [interval, { window }] of (side.intervals ?? []).entries()) {
    for (const row of window.statements) {
      if (row.queryid === null) continue;
      const ofStatement = sums.get(row.queryid) ?? new Map<number, Sums>();
      const sum = ofStatement.get(interval) ?? { calls: 0, total_exec_time_ms: 0, wal_bytes: 0, blocks: 0 };
      sum.calls += row.calls;
      sum.total_exec_time_ms += row.total_exec_time_ms;
      sum.wal_bytes += row.wal_bytes;
      sum.blocks += row.shared_blks_hit + row.shared_blks_read;
      ofStatement.set(interval, sum);
      sums.set(row.queryid, ofStatement);
    }
  }
  indexed.set(side, sums);
  return sums;
}

/** What the statement did in each interval in which it ran, in their order. */
export function samplesOf(side: Side, query: Pick<WorkloadQuery, 'queryids'>): Sample[] {
  const sums = sumsOf(side);
  const parts = query.queryids.flatMap((id) => sums.get(id) ?? []);
  return (side.intervals ?? []).flatMap((_, interval) => {
    const here = parts.flatMap((part) => part.get(interval) ?? []);
    const calls = here.reduce((sum, one) => sum + one.calls, 0);
    if (calls === 0) return [];
    const per = (pick: (one: Sums) => number) => here.reduce((sum, one) => sum + pick(one), 0) / calls;
    return [
      {
        interval,
        calls,
        mean_ms: per((one) => one.total_exec_time_ms),
        blocks_per_call: per((one) => one.blocks),
        wal_bytes_per_call: per((one) => one.wal_bytes),
      },
    ];
  });
}

/** Length of a side's window and of its intervals, s. */
export function lengthsOf(side: Side): Pick<Series, 'seconds' | 'interval_seconds'> {
  const { seconds } = side.window;
  return { seconds, interval_seconds: seconds / Math.max(1, side.intervals?.length ?? 1) };
}

/** One value of each interval that has one, all of the same weight. */
export function evenly(
  side: Side,
  measured: (interval: NonNullable<Side['intervals']>[number]) => number | null,
): Series {
  const values = (side.intervals ?? []).flatMap((interval) => measured(interval) ?? []);
  return { ...lengthsOf(side), samples: values.map((value) => ({ weight: 1, value })) };
}

interface Moments {
  mean: number;
  /** Variance of a single interval's value. */
  ofOne: number;
  /** Variance of the weighted mean as if neighbours had nothing in common. */
  ofMean: number;
  /** (1+ρ)/(1−ρ). */
  inflation: number;
  degrees: number;
}

function momentsOf(samples: Series['samples']): Moments | null {
  const k = samples.length;
  if (k < MIN_INTERVALS) return null;
  const weight = samples.reduce((sum, one) => sum + one.weight, 0);
  const mean = samples.reduce((sum, one) => sum + one.weight * one.value, 0) / weight;
  const residuals = samples.map(({ value }) => value - mean);
  const ofMean =
    (k / (k - 1)) *
    samples.reduce((sum, one, at) => sum + ((one.weight / weight) * (residuals[at] ?? 0)) ** 2, 0);
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, 0);
  if (squares === 0) return { mean, ofOne: 0, ofMean: 0, inflation: 1, degrees: k - 1 };
  const lagged = residuals.slice(1).reduce((sum, residual, at) => sum + residual * (residuals[at] ?? 0), 0);
  const raw = lagged / squares;
  const rho = Math.min(MAX_AUTOCORRELATION, Math.max(0, raw + (1 + 3 * raw) / k));
  return {
    mean,
    ofOne: squares / (k - 1),
    ofMean,
    inflation: (1 + rho) / (1 - rho),
    degrees: Math.max(2, (k * (1 - rho ** 2)) / (1 + rho ** 2) - 1),
  };
}

/**
 * Variance of a weighted mean by the method of batch means (Law, Simulation Modeling and Analysis, 5th ed., §9.5.3): the
 * intervals' own means are the sample, so that whatever moves them together within an interval counts. Neighbours
 * that resemble each other make it larger, by (1+ρ)/(1−ρ) with the lag-1 autocorrelation ρ, corrected for the bias of
 * short series by (1+3ρ)/k (Kendall, Biometrika 41, 1954), and its degrees of freedom fewer, as of k·(1−ρ²)/(1+ρ²)
 * independent ones (Bayley & Hammersley, J. Roy. Stat. Soc. Suppl. 8, 1946). Null with fewer than four intervals.
 */
export function varianceBetween(samples: Series['samples']): VarianceOfMean | null {
  const moments = momentsOf(samples);
  return moments && { variance: moments.ofMean * moments.inflation, degrees: moments.degrees };
}

/**
 * Variance of the mean `mean` over `seconds` of a process that varies, in relation to its mean, as the other side did:
 * ten minutes cannot show how a day goes up and down, but the day before can. Let V be the variance of one interval of
 * length ℓ beyond its noise. Of shorter windows the mean varies by V·ℓ/T at most, of longer ones by no more than V
 * (T·Var grows with T where what is near resembles, and Var falls), and by V·(1+ρ)/(1−ρ)·ℓ/T where that is less.
 * Null with fewer than four intervals there.
 */
export function varianceAsOf(other: Series, mean: number, seconds: number): VarianceOfMean | null {
  const moments = momentsOf(other.samples);
  if (!moments || moments.mean === 0 || !(seconds > 0)) return null;
  const beyond = Math.max(0, moments.ofOne - (other.noise ?? 0)) / moments.mean ** 2;
  const lengths = other.interval_seconds / seconds;
  const share = lengths >= 1 ? lengths : Math.min(1, moments.inflation * lengths);
  return { variance: beyond * share * mean ** 2, degrees: moments.degrees };
}

/** The larger of what a series shows of itself and of what the other side's does; null where neither shows anything. */
export function varianceWith(own: Series, other: Series, mean: number): VarianceOfMean | null {
  const [itself, borrowed] = [varianceBetween(own.samples), varianceAsOf(other, mean, own.seconds)];
  if (!itself || !borrowed) return null;
  return borrowed.variance > itself.variance ? borrowed : itself;
}
