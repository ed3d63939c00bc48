/**
 * Whether an index is used: by the counters of the primary and of each known standby, over a time that is long enough
 * to say so. One judgement for all rules that depend on it.
 */
import {
  ageWords,
  type Evidence,
  type IndexRow,
  type RuleContext,
  type Snapshot,
} from '../../domain/index.ts';
import { countedSince } from '../index-advisor/drop.ts';
import { keptBecause } from '../index-advisor/existing.ts';
import { measured } from '../settings/facts.ts';
import { unseenReplicas } from './replicas.ts';

const DAY_MS = 86_400_000;
/** What runs at a month's end must have had its chance. */
export const MINIMUM_AGE_DAYS = 30;
/** An index that was used once, but not for so long, is one that something used to need (16 and newer say when). */
export const NOT_LATELY_DAYS = 180;
const YEAR_DAYS = 365;

export type IndexUse =
  | { word: 'used' }
  /** Not used, but it stays. */
  | { word: 'kept'; code: string; reason: string }
  | {
      word: 'unused';
      /** Days without a scan, of which the counters tell. */
      days: number;
      /** It was used before. */
      once: boolean;
      /** 0..1: a whole year without a scan says most. */
      confidence: number;
      evidence: Evidence[];
    };

/** Days since counters began, at the moment of the snapshot. */
function ageOf({ server, taken_at }: Snapshot): { days: number; source: string } {
  const { since, source } = countedSince({ server });
  return { days: (Date.parse(taken_at) - Date.parse(since)) / DAY_MS, source };
}

/** Days without a scan that one server's counters tell of; null: it was scanned. */
function idleDays(index: IndexRow, snapshot: Snapshot): number | null {
  const { days } = ageOf(snapshot);
  if (index.idx_scan === 0) return days;
  if (index.last_idx_scan === null) return null;
  const idle = (Date.parse(snapshot.taken_at) - Date.parse(index.last_idx_scan)) / DAY_MS;
  return idle >= NOT_LATELY_DAYS ? idle : null;
}

/** @param going OIDs of indexes that are to be dropped already: they stand in for nothing. */
export function indexUse(
  index: IndexRow,
  context: RuleContext,
  going: ReadonlySet<number> = new Set(),
): IndexUse {
  const { snapshot, replicas = [], earliest } = context;
  const idle = idleDays(index, snapshot);
  if (idle === null) return { word: 'used' };
  const kept = (code: string, reason: string): IndexUse => ({ word: 'kept', code, reason });
  const held = keptBecause(index, snapshot, going);
  if (held) return kept(held.code, `it was not used, but ${held.reason}`);
  if (snapshot.server.in_recovery) {
    return kept(
      'standby',
      "it was not used on this standby, whose counters say nothing of the primary's use",
    );
  }
  const { days, source } = ageOf(snapshot);
  if (idle < MINIMUM_AGE_DAYS) {
    return kept(
      'statistics_too_young',
      `it was not used, but the statistics are only ${ageWords(days)} old; ${MINIMUM_AGE_DAYS} days are asked for`,
    );
  }
  if (earliest && !earliest.index_oids.has(index.oid)) {
    return kept(
      'index_too_young',
      `it was not used, but it is younger than the look of ${earliest.taken_at.slice(0, 10)}, the earliest that is kept`,
    );
  }
  const evidence: Evidence[] = [measured('age of the statistics', days, 'days', source)];
  if (index.last_idx_scan !== null) {
    evidence.push(measured('last scan', index.last_idx_scan, null, 'pg_stat_user_indexes.last_idx_scan'));
  }
  if (earliest) {
    evidence.push(measured('there at least since', earliest.taken_at, null, 'the earliest snapshot kept'));
  }
  let shortest = idle;
  for (const replica of replicas) {
    const there = replica.snapshot.indexes.find((row) => row.oid === index.oid);
    if (!there) continue;
    const idleThere = idleDays(there, replica.snapshot);
    if (idleThere === null) {
      return kept(
        'used_on_replica',
        `it was not used on the primary, but ${replica.name} scanned it ${there.idx_scan} time(s)`,
      );
    }
    if (idleThere < MINIMUM_AGE_DAYS) {
      return kept(
        'replica_statistics_too_young',
        `it was not used, but the counters of the replica ${replica.name} are only ${ageWords(idleThere)} old; ${MINIMUM_AGE_DAYS} days are asked for`,
      );
    }
    shortest = Math.min(shortest, idleThere);
    evidence.push(
      measured(
        `scans on the replica ${replica.name} in ${Math.floor(ageOf(replica.snapshot).days)} days`,
        there.idx_scan,
        'scans',
        'its pg_stat_user_indexes.idx_scan',
      ),
    );
  }
  const unseen = unseenReplicas(context);
  if (unseen > 0) {
    return kept(
      'replicas_unseen',
      `it was not used here, but ${unseen} standby(s) of this server are known whose counters are not: it may be used there`,
    );
  }
  const once = index.idx_scan > 0;
  const share = Math.min(1, shortest / YEAR_DAYS);
  return {
    word: 'unused',
    days: shortest,
    once,
    confidence: (once ? 0.4 : 0.55) + 0.35 * share,
    evidence,
  };
}
