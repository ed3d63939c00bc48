/** Deltas of pg_stat_statements' rows, keyed on their identity. */
import type { Limit, Snapshot, StatementDelta, StatementRow } from '../domain/index.ts';
import type { Continuity } from './continuity.ts';
import { estimateMissed } from './evictions.ts';
import { type IntervalMoments, joinMoments, subtractMoments } from './moments.ts';

/** Counters that only grow while a row lives; mean and standard deviation are worked out from them. */
const COUNTERS = [
  'calls',
  'total_exec_time_ms',
  'plans',
  'total_plan_time_ms',
  'rows',
  'shared_blks_hit',
  'shared_blks_read',
  'shared_blks_dirtied',
  'shared_blks_written',
  'temp_blks_read',
  'temp_blks_written',
  'wal_records',
  'wal_bytes',
] as const satisfies readonly (keyof StatementDelta & keyof StatementRow)[];

/**
 * Times are kept to 1 µs, but exactly in the snapshot that others of its day are differences from: of a statement that
 * did not run, the rounded total may be below the exact one, and the row is the same all the same. ms.
 */
const TIME_SLACK_MS = 1e-3;
const SLACK: Partial<Record<(typeof COUNTERS)[number], number>> = {
  total_exec_time_ms: TIME_SLACK_MS,
  total_plan_time_ms: TIME_SLACK_MS,
};

function identity(row: StatementRow): string {
  return `${row.userid}/${row.dbid}/${row.queryid}/${row.toplevel}`;
}

function statementLimit(code: string, message: string, remedy: string | null = null): Limit {
  return { scope: 'statements', code, message, remedy };
}

/** A row as what happened since it was created or reset. */
function sinceZero(row: StatementRow): StatementDelta {
  const { min_exec_time_ms: _min, max_exec_time_ms: _max, stats_since: _since, ...delta } = row;
  return delta;
}

const TEMPORARY_TIMES = ['temp_blk_read_time_ms', 'temp_blk_write_time_ms'] as const;

/** Null where either end was not timed: the blocks in between are not all timed then. */
function sinceTimed(before: StatementRow, after: StatementRow, key: (typeof TEMPORARY_TIMES)[number]) {
  const [was, is] = [before[key] ?? null, after[key] ?? null];
  return was === null || is === null ? null : Math.max(0, is - was);
}

/** Rounding may hide the spread of the interval: more than a tenth of it, and of a size that matters. */
function isSpreadUncertain({ mean, stddev, stddev_error }: IntervalMoments): boolean {
  return stddev_error > stddev / 10 && stddev_error > mean / 100;
}

function subtract(before: StatementRow, after: StatementRow): { delta: StatementDelta; uncertain: boolean } {
  const delta = sinceZero(after);
  // What fell within the slack stood still.
  for (const key of COUNTERS) delta[key] = Math.max(0, after[key] - before[key]);
  delta.jit_time_ms =
    after.jit_time_ms === null ? null : Math.max(0, after.jit_time_ms - (before.jit_time_ms ?? 0));
  for (const key of TEMPORARY_TIMES) delta[key] = sinceTimed(before, after, key);
  const moments = subtractMoments(
    { n: before.calls, mean: before.mean_exec_time_ms, stddev: before.stddev_exec_time_ms },
    { n: after.calls, mean: after.mean_exec_time_ms, stddev: after.stddev_exec_time_ms },
    delta.total_exec_time_ms,
  );
  delta.mean_exec_time_ms = moments.mean;
  delta.stddev_exec_time_ms = moments.stddev;
  delta.query = after.query ?? before.query;
  return { delta, uncertain: isSpreadUncertain(moments) };
}

/**
 * One row for each identity. Rows of other users come without a queryid to a role that may not see them: they cannot
 * be told apart and are added up, as one row of all that this user ran.
 */
function byIdentity(rows: readonly StatementRow[]): Map<string, StatementRow> {
  const folded = new Map<string, StatementRow>();
  for (const row of rows) {
    const key = identity(row);
    const known = folded.get(key);
    if (known === undefined) {
      folded.set(key, row);
      continue;
    }
    const sum = { ...known, stats_since: null, temp_blk_read_time_ms: null, temp_blk_write_time_ms: null };
    for (const counter of COUNTERS) sum[counter] += row[counter];
    const moments = joinMoments(
      { n: known.calls, mean: known.mean_exec_time_ms, stddev: known.stddev_exec_time_ms },
      { n: row.calls, mean: row.mean_exec_time_ms, stddev: row.stddev_exec_time_ms },
    );
    folded.set(key, { ...sum, mean_exec_time_ms: moments.mean, stddev_exec_time_ms: moments.stddev });
  }
  return folded;
}

/** Any counter below its earlier reading, by more than rounding: the row began anew. */
function fell(before: StatementRow, after: StatementRow): boolean {
  return COUNTERS.some((key) => after[key] < before[key] - (SLACK[key] ?? 0));
}

/**
 * Times that one row cannot have: its minimum only falls, its maximum only rises, and the mean of the interval lies
 * between the two. A row that began anew and has overtaken its earlier counters often shows so. Slack for counters
 * that were stored in µs, and for sums that lost digits.
 */
function hasImpossibleTimes(before: StatementRow, after: StatementRow): boolean {
  if (before.calls <= 0 || before.max_exec_time_ms <= 0 || after.max_exec_time_ms <= 0) return false;
  const slack = 2e-6;
  if (after.max_exec_time_ms < before.max_exec_time_ms - slack) return true;
  if (after.min_exec_time_ms > before.min_exec_time_ms + slack) return true;
  const calls = after.calls - before.calls;
  if (calls <= 0) return false;
  const mean = (after.total_exec_time_ms - before.total_exec_time_ms) / calls;
  const rounding = slack + (2e-3 + after.total_exec_time_ms * 1e-9) / calls;
  return mean > after.max_exec_time_ms + rounding || mean < after.min_exec_time_ms - rounding;
}

/**
 * The same row of the hash table in both snapshots, as far as can be told: by `stats_since` (17+), else by what its
 * counters cannot do. (17+ can reset minimum and maximum alone: the row goes on, and so does `stats_since`.)
 */
function sameRow(before: StatementRow, after: StatementRow): boolean {
  if (before.stats_since !== null && after.stats_since !== null) {
    if (Date.parse(before.stats_since) !== Date.parse(after.stats_since)) return false;
  } else if (after.queryid !== '' && hasImpossibleTimes(before, after)) return false;
  return !fell(before, after);
}

/** How the whole of pg_stat_statements stands to its earlier reading. */
function historyOf(from: Snapshot, to: Snapshot, continuity: Continuity, begin: number) {
  const [before, after] = [from.statements_info, to.statements_info];
  const infoKnown = before !== null && after !== null;
  const evictions = (after?.dealloc ?? 0) - (before?.dealloc ?? 0);
  const reset = infoKnown && (before.stats_reset !== after.stats_reset || evictions < 0);
  // Counters of another time: a standby's own, or an old file that a restart read (save was off in between).
  const foreign =
    continuity.replaced ||
    (reset &&
      !continuity.clock_stepped &&
      after?.stats_reset != null &&
      before?.stats_reset != null &&
      Date.parse(after.stats_reset) < begin);
  return { infoKnown, evictions: reset ? 0 : Math.max(0, evictions), reset, foreign };
}

/**
 * Activity of each statement in the window. A row that is not in the earlier snapshot counts from zero if it began
 * within the window: told by `stats_since` (17+), else by the earlier snapshot having seen statements at all. A row that was
 * reset, or evicted and made anew, counts from its new beginning.
 */
export function diffStatements(
  from: Snapshot,
  to: Snapshot,
  continuity: Continuity,
): { deltas: StatementDelta[]; limits: Limit[] } {
  const limits: Limit[] = [];
  // Rows are read within duration_ms of taken_at: one made in that time may be missing from the earlier snapshot.
  const begin = Date.parse(from.taken_at) - from.duration_ms;
  const end = Date.parse(to.taken_at) + to.duration_ms;
  const { infoKnown, evictions, reset, foreign } = historyOf(from, to, continuity, begin);
  const everything = reset || continuity.crashed || foreign;
  // Nothing was seen, for a reason that was given: not the same as nothing having run.
  const earlierUnseen =
    from.statements.length === 0 && from.limits.some((limit) => limit.scope === 'statements');

  const earlier = byIdentity(from.statements);
  const later = byIdentity(to.statements);
  const deltas: StatementDelta[] = [];
  let anew = 0;
  let unknownStart = 0;
  let fromFuture = 0;
  let uncertain = 0;
  for (const [key, row] of later) {
    const before = earlier.get(key);
    const since = row.stats_since === null ? null : Date.parse(row.stats_since);
    if (since !== null && since > end) fromFuture++;
    if (before === undefined || everything) {
      // Beginnings on a clock that was set tell nothing.
      const dated = since !== null && !continuity.clock_stepped;
      const isNew = dated ? since >= begin : !foreign && (everything || !earlierUnseen);
      if (isNew) deltas.push(sinceZero(row));
      else unknownStart++;
    } else if (!sameRow(before, row)) {
      // A sum of hidden rows that fell lost some of them: what the others did cannot be told.
      if (row.queryid === '') {
        unknownStart++;
        continue;
      }
      anew++;
      deltas.push(sinceZero(row));
    } else {
      const change = subtract(before, row);
      deltas.push(change.delta);
      if (change.uncertain) uncertain++;
    }
  }
  const vanished = everything ? 0 : [...earlier.keys()].filter((key) => !later.has(key)).length;

  if (foreign && !continuity.replaced) {
    limits.push(
      statementLimit(
        'statements_replaced',
        `pg_stat_statements holds counters of another time (reset at ${to.statements_info?.stats_reset}, before the window, but not as in the earlier snapshot): statements that cannot be dated are left out.`,
        'Keep pg_stat_statements.save on: a file of an earlier run is read again otherwise.',
      ),
    );
  } else if (everything && !foreign) {
    limits.push(
      statementLimit(
        'statements_reset',
        'pg_stat_statements was reset within the window: only what ran since the reset is counted.',
      ),
    );
  } else if (evictions > 0) {
    const seen = deltas.reduce((sum, delta) => sum + delta.calls, 0);
    const missed = estimateMissed(to, evictions, seen);
    limits.push(
      statementLimit(
        'statements_evicted',
        `pg_stat_statements dropped its least used entries ${evictions} times within the window: rarely run statements went unseen. Estimated from the entries that would be dropped next: some ${missed.calls} calls in all databases, ${(missed.share * 100).toPrecision(2)}% of the window's.`,
        'Raise pg_stat_statements.max.',
      ),
    );
  }
  if (!infoKnown && to.statements.length > 0) {
    limits.push(
      statementLimit(
        'statements_info_missing',
        'pg_stat_statements_info could not be read in both snapshots: evictions would go unnoticed.',
      ),
    );
  }
  if (anew > 0) {
    limits.push(
      statementLimit(
        'statements_began_anew',
        `${anew} statements were reset, or evicted and seen again, within the window: they count from then on.`,
      ),
    );
  }
  if (vanished > 0) {
    limits.push(
      statementLimit(
        'statements_vanished',
        `${vanished} statements of the earlier snapshot are gone from the later one (evicted or reset): what they did in between is unknown.`,
      ),
    );
  }
  if (unknownStart > 0) {
    limits.push(
      statementLimit(
        'statements_start_unknown',
        `${unknownStart} statements ran already before the window, but the earlier snapshot did not see them: left out.`,
      ),
    );
  }
  if (fromFuture > 0) {
    limits.push(
      statementLimit(
        'clock_stepped',
        `${fromFuture} statements began later than the later snapshot was taken: the target's clock was set back.`,
      ),
    );
  }
  if (uncertain > 0) {
    limits.push(
      statementLimit(
        'spread_uncertain',
        `The times of ${uncertain} statements vary less in the window than their long history lets be told: their standard deviations are rounding.`,
        'Take a longer window.',
      ),
    );
  }
  return { deltas: deltas.filter((delta) => delta.calls > 0), limits };
}
