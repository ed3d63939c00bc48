/** Counters are sums since somebody reset them: what they say depends on since when, and that is said. */
import type { Evidence, RuleContext, Severity, Snapshot } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';
import { statisticsBegan } from '../settings/observed.ts';
import type { Found, Seen } from './check.ts';

/** A shorter window is no day: what happened in it, made out as a rate, says less than the sum since the reset. */
const MINIMUM_WINDOW_SECONDS = 86_400;
/** Below this nothing at all is concluded. */
const MINIMUM_DAYS = 1 / 24;

export interface Counted {
  value: number;
  /** What the counting covers, days. */
  days: number;
  per_day: number;
  /** Where it was read, with the span. */
  source: string;
}

/**
 * Since when cumulative counters count, days. Where no reset is recorded they began with the cluster, or with the crash
 * that discarded them: a restart in order keeps them, so the server's start alone would make a year's sum a day's.
 */
export function daysCounted(snapshot: Snapshot, stats_reset: string | null): number {
  const since = stats_reset ?? countedSince(snapshot);
  return Math.max(0, (Date.parse(snapshot.taken_at) - Date.parse(since)) / 86_400_000);
}

/** The earlier of what the shared views tell (statisticsBegan) and the server's start, before which a crash was. */
function countedSince(snapshot: Snapshot): string {
  const began = statisticsBegan({ snapshot });
  const { started_at } = snapshot.server;
  return began !== null && Date.parse(began) < Date.parse(started_at) ? began : started_at;
}

/**
 * A counter over the window where that is long enough, otherwise since its reset.
 * @param in_window its difference in the window; null or absent: not seen at both ends.
 * @returns null where what it covers is less than an hour.
 */
export function counted(
  context: RuleContext,
  counter: {
    total: number;
    in_window: number | null | undefined;
    stats_reset: string | null;
    source: string;
  },
): Counted | null {
  const { window, snapshot } = context;
  if (window && window.seconds >= MINIMUM_WINDOW_SECONDS && typeof counter.in_window === 'number') {
    return rate(counter.in_window, window.seconds / 86_400, `${counter.source}, over the window`);
  }
  const days = daysCounted(snapshot, counter.stats_reset);
  if (days < MINIMUM_DAYS) return null;
  return rate(
    counter.total,
    days,
    `${counter.source}, since ${counter.stats_reset ?? countedSince(snapshot)}`,
  );
}

function rate(value: number, days: number, source: string): Counted {
  return { value, days, per_day: value / days, source };
}

/** The rejection where counters began less than an hour ago. */
export function tooYoung(candidate: string): Seen {
  return {
    rejections: [
      {
        candidate,
        code: 'statistics_too_young',
        reason: 'its counters were reset less than an hour ago: nothing can be concluded from them yet',
      },
    ],
  };
}

const LOWERED: Record<Severity, Severity> = {
  critical: 'low',
  high: 'low',
  medium: 'low',
  low: 'info',
  info: 'info',
};

/**
 * A finding with the age of its statistics; where they are younger than wanted it says so, is less sure and less severe.
 * @param days what they cover.
 * @param wanted days that show a habit.
 */
export function aged(found: Found, days: number, wanted: number): Found {
  const age: Evidence = measured('age of the statistics', days, 'days', 'window, or stats_reset to now');
  const evidence = [...found.evidence, age];
  if (days >= wanted) return { ...found, evidence };
  return {
    ...found,
    evidence,
    severity: LOWERED[found.severity],
    confidence: 0.5,
    rationale: `${found.rationale} Statistics too young: they cover ${days.toFixed(1)} days, ${wanted} are wanted to tell a habit from an accident.`,
  };
}
