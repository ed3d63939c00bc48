/** What a scorecard is made of, and how long its counters have counted. */
import type {
  HostUsage,
  Rule,
  ScorecardThresholds,
  Severity,
  Snapshot,
  Window,
  Workload,
} from '../../domain/index.ts';

/** What the last analysis left: the checklist's questions on indexes are answered from it. */
export interface KnownAdvice {
  analysed_at: string;
  /** Share of the database time in statements that were planned, 0..1. */
  analysed_share_of_time: number;
  open: { rule: string; title: string; severity: Severity }[];
}

/** What the values are worked out from. */
export interface MetricsInput {
  /** The newest snapshot. */
  snapshot: Snapshot;
  /** Null: only one snapshot, so what was counted since the resets. */
  window: Window | null;
  workload: Workload;
  /** Host usage at the window's beginning; null: there is no window, or it was not read. */
  usage_before: HostUsage | null;
  thresholds: ScorecardThresholds;
}

export interface ScorecardInput extends MetricsInput {
  target: { id: string | null; name: string };
  /** Those that the checklist may ask; rules that want a planner are not run. */
  rules: readonly Rule[];
  /** Null: no analysis is known. */
  advice: KnownAdvice | null;
  /** Names of the baselines that are kept; null: nobody knows here. */
  baselines: readonly string[] | null;
  now: Date;
}

/** Over what a counter's value was counted. */
export interface Span {
  /** Null: since a reset that nobody noted, which may be older than the server's start. */
  seconds: number | null;
  words: string;
}

/** The window, or the time since the counters' reset. */
export function spanOf({ window, snapshot }: MetricsInput, stats_reset: string | null): Span {
  if (window) return { seconds: window.seconds, words: 'over the window' };
  if (stats_reset === null) return { seconds: null, words: 'since a reset whose time is not known' };
  const seconds = Math.max(0, (Date.parse(snapshot.taken_at) - Date.parse(stats_reset)) / 1000);
  return { seconds, words: `since the reset at ${stats_reset}` };
}
