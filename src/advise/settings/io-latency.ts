/**
 * How long reads took, where pg_stat_io was timed (16 and newer, track_io_timing): blocks read by sequential scans of
 * large tables (context bulkread, a ring of buffers) against all others of client backends (normal: index scans, bitmap
 * scans, small tables). Times are those of the read call, so the page cache counts as what it is to the planner.
 */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { computed, measured } from './facts.ts';

/** Fewer blocks of either kind say nothing. */
const ENOUGH_BLOCKS = 5_000;

export interface ReadLatency {
  /** Milliseconds a block. */
  random_ms: number;
  sequential_ms: number;
  ratio: number;
  period: string;
  evidence: Evidence[];
}

/** Null: not timed, before 16, or too few reads. */
export function readLatency(context: RuleContext): ReadLatency | null {
  const { window, snapshot } = context;
  const inWindow = window?.counters?.io ? timed(context, window.counters.io) : null;
  if (inWindow && window) return latency(inWindow, `over a window of ${Math.round(window.seconds)} s`);
  const rows = snapshot.counters.io;
  const all = rows ? timed(context, rows) : null;
  const since = rows?.find(({ stats_reset }) => stats_reset !== null)?.stats_reset;
  return all && latency(all, since ? `since ${since}` : 'since an unknown time');
}

interface Kind {
  blocks: number;
  ms: number;
}
type Rows = readonly Pick<
  NonNullable<RuleContext['snapshot']['counters']['io']>[number],
  'backend_type' | 'object' | 'context' | 'reads' | 'read_bytes' | 'read_time_ms'
>[];

function timed({ snapshot }: RuleContext, rows: Rows): { random: Kind; sequential: Kind } | null {
  const kinds = { normal: { blocks: 0, ms: 0 }, bulkread: { blocks: 0, ms: 0 } };
  for (const row of rows) {
    const isReader = row.backend_type === 'client backend' || row.backend_type === 'background worker';
    const kind = row.context === 'normal' || row.context === 'bulkread' ? kinds[row.context] : null;
    if (!isReader || row.object !== 'relation' || kind === null) continue;
    kind.blocks += (row.read_bytes ?? 0) / snapshot.server.block_size;
    kind.ms += row.read_time_ms ?? 0;
  }
  const { normal: random, bulkread: sequential } = kinds;
  const enough = ({ blocks, ms }: Kind) => blocks >= ENOUGH_BLOCKS && ms > 0;
  return enough(random) && enough(sequential) ? { random, sequential } : null;
}

function latency({ random, sequential }: { random: Kind; sequential: Kind }, period: string): ReadLatency {
  const random_ms = random.ms / random.blocks;
  const sequential_ms = sequential.ms / sequential.blocks;
  const row = (name: string, { blocks, ms }: Kind, context: string) =>
    measured(
      name,
      ms / blocks,
      'ms',
      `pg_stat_io read_time ÷ ${Math.round(blocks)} blocks, ${context}, ${period}`,
    );
  return {
    random_ms,
    sequential_ms,
    ratio: random_ms / sequential_ms,
    period,
    evidence: [
      row('a block of other reads', random, 'context normal'),
      row('a block of sequential scans', sequential, 'context bulkread'),
      computed('random ÷ sequential', random_ms / sequential_ms, 'ratio', 'ms a block ÷ ms a block'),
    ],
  };
}
