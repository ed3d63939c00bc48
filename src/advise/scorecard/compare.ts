/** A scorecard against one that was kept: what moved, which way, and what makes them hard to compare. */
import {
  gradeOf,
  type MetricComparison,
  type Scorecard,
  type ScorecardBaseline,
  type ScorecardComparison,
  type ScorecardMetric,
  scorecardMetrics,
} from '../../domain/index.ts';

/** A relative change below this is none. */
const TOLERANCE = 0.1;

/** Both are judged by the thresholds that are in force now. */
export function compareScorecards(now: Scorecard, baseline: ScorecardBaseline): ScorecardComparison {
  const before = baseline.scorecard;
  const answers = new Map(before.checklist.map(({ id, answer }) => [id, answer]));
  return {
    baseline: {
      name: baseline.name,
      generated_at: before.generated_at,
      server_version: before.target.server_version,
      window: before.window,
    },
    metrics: now.metrics.map((metric) =>
      compareMetric(
        metric,
        before.metrics.find(({ id }) => id === metric.id),
      ),
    ),
    checklist: now.checklist.flatMap(({ id, question, answer }) => {
      const earlier = answers.get(id);
      return earlier === undefined || earlier === answer
        ? []
        : [{ id, question, before: earlier, now: answer }];
    }),
    caveats: caveats(now, before),
  };
}

function compareMetric(now: ScorecardMetric, before: ScorecardMetric | undefined): MetricComparison {
  const { id, title, unit, thresholds, value } = now;
  const earlier = before?.value ?? null;
  const change = value === null || earlier === null ? null : value - earlier;
  return {
    id,
    title,
    unit,
    before: earlier,
    now: value,
    change,
    relative: change === null || earlier === null || earlier === 0 ? null : change / earlier,
    grade_before: gradeOf(id, earlier, thresholds),
    grade_now: now.grade,
    verdict: verdictOf(now, earlier, change),
    certain: apart(now, before),
  };
}

function verdictOf(
  { id, better, thresholds }: ScorecardMetric,
  before: number | null,
  change: number | null,
): MetricComparison['verdict'] {
  if (change === null || before === null) return 'unknown';
  const { noise } = scorecardMetrics[id];
  if (Math.abs(change) < noise || Math.abs(change) < TOLERANCE * Math.abs(before)) return 'same';
  if (thresholds === null && scorecardMetrics[id].defaults === null) return 'changed';
  return change < 0 === (better === 'lower') ? 'better' : 'worse';
}

/** Derived values are surely different where their ranges do not touch; measured ones are what they are. */
function apart(now: ScorecardMetric, before: ScorecardMetric | undefined): boolean {
  if (now.low === null || now.high === null || before?.low == null || before.high === null) {
    return now.value !== null && before?.value != null;
  }
  return now.low > before.high || now.high < before.low;
}

function caveats(now: Scorecard, before: Scorecard): string[] {
  const notes: string[] = [];
  const major = ({ target }: Scorecard) => Math.floor(target.server_version_num / 10_000);
  if (now.target.database !== before.target.database) {
    notes.push(`The baseline is of the database ${before.target.database}, this is ${now.target.database}.`);
  }
  if (major(now) !== major(before)) {
    notes.push(
      `The server was PostgreSQL ${before.target.server_version} then and is ${now.target.server_version} now: counters of both may mean other things.`,
    );
  }
  const [size, was] = [now.target.database_size_bytes, before.target.database_size_bytes];
  if (size !== null && was !== null && was > 0 && Math.abs(size / was - 1) > 0.25) {
    notes.push(`The database has ${(size / was).toFixed(1)} times the size it had.`);
  }
  if (now.window.source !== before.window.source) {
    notes.push(
      `The baseline's counters are of a ${before.window.source} reading, these of a ${now.window.source} one.`,
    );
  }
  const [seconds, then] = [now.window.seconds, before.window.seconds];
  if (
    seconds !== null &&
    then !== null &&
    Math.max(seconds, then) > 4 * Math.max(1, Math.min(seconds, then))
  ) {
    notes.push(
      `The baseline covers ${Math.round(then)} s, this ${Math.round(seconds)} s: of another part of the day, it may be.`,
    );
  }
  const rate = ({ metrics }: Scorecard) =>
    metrics.find(({ id }) => id === 'transactions_per_second')?.value ?? null;
  const [load, loadThen] = [rate(now), rate(before)];
  if (
    load !== null &&
    loadThen !== null &&
    Math.max(load, loadThen) > 2 * Math.max(0.1, Math.min(load, loadThen))
  ) {
    notes.push(
      `The load is another: ${loadThen.toPrecision(3)} transactions a second then, ${load.toPrecision(3)} now. Times are to be read with it.`,
    );
  }
  return notes;
}
