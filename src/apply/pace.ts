/** How far a statement is within its phase, by the server's own counts, and how long the rest of that phase takes. */

/** What the progress views of PostgreSQL tell of one backend. */
export interface ServerProgress {
  phase: string | null;
  lockers_total: number | null;
  lockers_done: number | null;
  current_locker_pid: number | null;
  blocks_total: number | null;
  blocks_done: number | null;
  tuples_total: number | null;
  tuples_done: number | null;
}

/** So much of the present phase is done, in the unit that the server counts in it. */
export interface Done {
  done: number;
  total: number;
  /** Pages of 8 kB as a rule, rows, or sessions that are waited for. */
  unit: 'blocks' | 'tuples' | 'sessions';
}

/**
 * One row for a backend: $1 is its pid. Of VACUUM and ANALYZE the blocks are those of the phase that scans: the views
 * keep them when it is over, and the next phase is not done for that.
 */
export const PROGRESS_SQL = `
  SELECT phase, lockers_total, lockers_done, current_locker_pid, blocks_total, blocks_done, tuples_total, tuples_done
  FROM pg_stat_progress_create_index WHERE pid = $1
  UNION ALL
  SELECT phase, NULL, NULL, NULL, CASE WHEN phase = 'scanning heap' THEN heap_blks_total END, heap_blks_scanned, NULL, NULL
  FROM pg_stat_progress_vacuum WHERE pid = $1
  UNION ALL
  SELECT phase, NULL, NULL, NULL, CASE WHEN phase LIKE 'acquiring%' THEN sample_blks_total END, sample_blks_scanned, NULL, NULL
  FROM pg_stat_progress_analyze WHERE pid = $1`;

/** Null: the server counts nothing in this phase, as while it sorts. */
export function doneOf(row: ServerProgress): Done | null {
  const pairs: [number | null, number | null, Done['unit']][] = row.phase?.startsWith('waiting')
    ? [[row.lockers_done, row.lockers_total, 'sessions']]
    : [
        [row.blocks_done, row.blocks_total, 'blocks'],
        // A build knows how many rows it sorts before it has written any: nothing is done by then.
        [row.tuples_done, row.tuples_total, 'tuples'],
      ];
  for (const [done, total, unit] of pairs) {
    if (done === null || total === null || total <= 0) continue;
    return { done: Math.min(done, total), total, unit };
  }
  return null;
}

/** So much of a phase must be seen before its rest is reckoned from it: a share, or seconds where that takes long. */
const LEAST_SHARE = 0.02;
const LEAST_SECONDS = 30;

/** Tells the seconds left, look by look at one statement. */
export type Pace = (phase: string, done: Done | null, nowMs: number) => number | null;

/**
 * The rest of a phase at the pace that was seen of it: (total − done) × elapsed / (done − done at the first look), from
 * the first look at the phase on. What had been done by then took a time that nobody saw, and counts in neither.
 * Null: too little was seen, the phase has no count, or it waits for others, whose end nobody knows.
 */
export function pace(): Pace {
  let first: { phase: string; done: Done; at: number } | null = null;
  let before = 0;
  return (phase, done, now) => {
    if (done === null || phase.startsWith('waiting')) {
      first = null;
      return null;
    }
    // Another phase, or the same one of another index of a rebuild.
    if (first?.phase !== phase || first.done.total !== done.total || done.done < before) {
      first = { phase, done, at: now };
    }
    before = done.done;
    const [seen, seconds] = [done.done - first.done.done, (now - first.at) / 1000];
    if (seen <= 0 || (seen < LEAST_SHARE * done.total && seconds < LEAST_SECONDS)) return null;
    return Math.round(((done.total - done.done) * seconds) / seen);
  };
}
