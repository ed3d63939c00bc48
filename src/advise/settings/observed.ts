/**
 * What the server's counters counted, and over how long: within the window where it has them, otherwise since they
 * began, which blurs peaks and holds one-time work such as a first load.
 */
import type { Counters, CountersDelta, RuleContext } from '../../domain/index.ts';

export interface Observed<T> {
  counted: T;
  /** Null: nobody knows when counting began, so no rates. */
  seconds: number | null;
  /** In words, for evidence: `over a window of 300 s`. */
  period: string;
  source: 'window' | 'cumulative';
}

type Part = 'database' | 'checkpoints' | 'wal';

/** One view's counters; null where neither the window nor the snapshot has them. */
export function observed<P extends Part>(
  context: RuleContext,
  part: P,
): Observed<NonNullable<CountersDelta[P]>> | null {
  const window = context.window?.counters?.[part];
  if (window && context.window) {
    const { seconds } = context.window;
    return {
      counted: window,
      seconds,
      period: `over a window of ${Math.round(seconds)} s`,
      source: 'window',
    };
  }
  return cumulative(context, part);
}

/** The same since counting began, whether or not there is a window. */
export function cumulative<P extends Part>(
  context: RuleContext,
  part: P,
): Observed<NonNullable<CountersDelta[P]>> | null {
  const { counters, taken_at } = context.snapshot;
  const row: Counters[P] = counters[part];
  if (row === null) return null;
  const since = row.stats_reset ?? (part === 'database' ? statisticsBegan(context) : null);
  const seconds = since === null ? null : (Date.parse(taken_at) - Date.parse(since)) / 1000;
  return {
    counted: row as NonNullable<CountersDelta[P]>,
    seconds: seconds !== null && seconds > 0 ? seconds : null,
    period: since === null ? 'since an unknown time' : `since ${since}`,
    source: 'cumulative',
  };
}

/**
 * When the database's and its tables' counters began. pg_stat_database.stats_reset is null until someone resets
 * them; then they began with the cluster, or with the crash that discarded all statistics, and that time stands in
 * pg_stat_wal and pg_stat_bgwriter or pg_stat_checkpointer (verified on 15 and 18).
 */
export function statisticsBegan({ snapshot }: Pick<RuleContext, 'snapshot'>): string | null {
  const own = snapshot.counters.database?.stats_reset ?? snapshot.server.stats_reset;
  if (own !== null) return own;
  const shared = [snapshot.counters.wal?.stats_reset, snapshot.counters.checkpoints?.stats_reset].filter(
    (time): time is string => typeof time === 'string',
  );
  return shared.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null;
}

/** Enough blocks asked for that their hit ratio means something. */
const ENOUGH_BLOCKS = 100_000;

/** Share of this database's blocks that were found in shared_buffers, 0..1; null: too few were asked for. */
export function hitRatio(context: RuleContext): { ratio: number; blocks: number; period: string } | null {
  for (const seen of [observed(context, 'database'), cumulative(context, 'database')]) {
    if (seen === null) continue;
    const blocks = seen.counted.blks_hit + seen.counted.blks_read;
    if (blocks >= ENOUGH_BLOCKS)
      return { ratio: seen.counted.blks_hit / blocks, blocks, period: seen.period };
  }
  return null;
}
