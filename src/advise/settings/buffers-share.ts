/** Whether a quarter of RAM was too little for shared_buffers: what buffers really serve, once they have that quarter. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { measured, setting } from './facts.ts';
import { hitRatio } from './observed.ts';
import { settingBytes } from './units.ts';

/** Below this share of blocks found in buffers, more of them would be of use. */
export const POOR_HIT_RATIO = 0.95;
/** "It is unlikely that more than 40 % of RAM works better" (PostgreSQL documentation, 19.4.1). */
export const MOST_BUFFERS_OF_RAM = 0.4;
/** The formula's quarter, rounded down as proposals are. */
const HAS_ITS_QUARTER = 0.22;
/** Fewer buffers taken from others say nothing: 80 MB of them. */
const ENOUGH_EVICTIONS = 10_000;

export interface Evictions {
  blocks: number;
  evidence: Evidence;
}

/**
 * Buffers that sessions had to take from other pages before they could read (pg_stat_io, 16 and newer). Scans of large
 * tables turn around in a ring of their own (context bulkread) and are not among them. Null: not told.
 */
export function evictionsOf({ window, snapshot }: RuleContext): Evictions | null {
  const rows = window?.counters?.io ?? snapshot.counters.io;
  if (!rows) return null;
  const blocks = rows
    .filter((row) => row.backend_type === 'client backend' && row.context === 'normal')
    .reduce((sum, row) => sum + (row.evictions ?? 0), 0);
  const period = window?.counters?.io
    ? `over a window of ${Math.round(window.seconds)} s`
    : 'since the reset';
  return {
    blocks,
    evidence: measured('buffers that sessions evicted', blocks, 'blocks', `pg_stat_io.evictions, ${period}`),
  };
}

/**
 * Two fifths of RAM where buffers have their quarter already, hold less than the database, find fewer than 95 % of the
 * blocks, and (16 and newer) sessions evict each other's pages; undefined: nothing asks for more than the formula.
 */
export function observedBuffersShare(context: RuleContext, ram_bytes: number): number | undefined {
  const row = setting(context, 'shared_buffers');
  const present = row ? settingBytes(row) : null;
  const hits = hitRatio(context);
  if (present === null || hits === null || present < HAS_ITS_QUARTER * ram_bytes) return undefined;
  const size = context.snapshot.server.database_size_bytes;
  if (hits.ratio >= POOR_HIT_RATIO || (size !== null && size <= present)) return undefined;
  const evicted = evictionsOf(context);
  return evicted !== null && evicted.blocks < ENOUGH_EVICTIONS ? undefined : MOST_BUFFERS_OF_RAM;
}
