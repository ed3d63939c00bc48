/** How much WAL is written, and how much of it are whole pages. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { computed, measured } from './facts.ts';
import { cumulative, observed } from './observed.ts';

/** WAL over less time says nothing of a habit. */
const ENOUGH_SECONDS = 600;

export interface WalSeen {
  bytes_per_second: number;
  /** Share of WAL that full-page images may be at most, 0..1: each counted as a whole page, though holes are left out. */
  page_share: number;
  seconds: number;
  bytes: number;
  period: string;
  source: 'window' | 'cumulative';
  evidence: Evidence[];
}

/** In the window, or since counting began where that is too short; null: neither covers ten minutes. */
export function walSeen(context: RuleContext): WalSeen | null {
  for (const seen of [observed(context, 'wal'), cumulative(context, 'wal')]) {
    if (seen === null || seen.seconds === null || seen.seconds < ENOUGH_SECONDS) continue;
    const { wal_bytes, wal_fpi } = seen.counted;
    if (wal_bytes <= 0) continue;
    const { block_size } = context.snapshot.server;
    const bytes_per_second = wal_bytes / seen.seconds;
    const page_share = Math.min(1, (wal_fpi * block_size) / wal_bytes);
    return {
      bytes_per_second,
      page_share,
      seconds: seen.seconds,
      bytes: wal_bytes,
      period: seen.period,
      source: seen.source,
      evidence: [
        measured('WAL written', wal_bytes, 'bytes', `pg_stat_wal.wal_bytes, ${seen.period}`),
        measured('whole pages in WAL', wal_fpi, 'pages', `pg_stat_wal.wal_fpi, ${seen.period}`),
        computed(
          'share of WAL that whole pages are at most',
          page_share,
          'share',
          `wal_fpi × ${block_size} bytes ÷ wal_bytes, at most 1`,
        ),
      ],
    };
  }
  return null;
}
