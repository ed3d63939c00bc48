/** How much pg_stat_statements forgot: an estimate of the calls that its evictions hide. */
import type { Snapshot } from '../domain/index.ts';

/** Compiled in: pg_stat_statements.max where the setting is not visible. */
const DEFAULT_MAX = 5000;

/** What evictions may have cost. Estimates: nobody counted what was forgotten. */
export interface Missed {
  /** Entries dropped, of all databases. */
  entries: number;
  /** Calls that they stood for at most once each was seen. */
  calls: number;
  /** Share of the window's calls that were missed, 0..1. */
  share: number;
}

/**
 * Each eviction drops the least used 5% of the entries, ten at least (entry_dealloc in pg_stat_statements.c), and
 * usage is the number of calls, decaying. The entries that would be dropped next are taken to be like those that were.
 * @param seenCalls calls that the window counted.
 */
export function estimateMissed(to: Snapshot, evictions: number, seenCalls: number): Missed {
  const setting = to.settings.find((each) => each.name === 'pg_stat_statements.max');
  const max = Number(setting?.setting ?? DEFAULT_MAX);
  const victims = Math.max(10, Math.floor(max * 0.05));
  const next = to.statements.map((row) => row.calls).sort((a, b) => a - b);
  const least = next.slice(0, victims);
  const each = least.length > 0 ? least.reduce((sum, calls) => sum + calls, 0) / least.length : 1;
  const entries = evictions * victims;
  const calls = Math.round(entries * Math.max(1, each));
  return { entries, calls, share: calls / Math.max(1, calls + seenCalls) };
}
