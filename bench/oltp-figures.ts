/** What sets of indexes did to an application: by statement, in all, to its writes, and what they really take. */
import type { Figure } from './benchmark.ts';
import type { SeenRun } from './built/index.ts';
import type { BuiltSet } from './oltp-pairs.ts';

const MB = 1024 * 1024;
const round = (value: number, digits = 0) => Number(value.toFixed(digits));

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** Median with what it lies between. */
const spread = (values: readonly number[]) =>
  `${median(values).toFixed(3)} (${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)})`;

/** Blocks a call and milliseconds a call, of one statement in a run. */
function measured(run: SeenRun, id: string) {
  const query = run.workload.queries.find(({ query_id }) => query_id === id);
  if (!query) return null;
  const { calls, mean_exec_time_ms: ms, shared_blks_hit: hit, shared_blks_read: read } = query;
  return { calls, ms, blocks: (hit + read) / calls };
}

/** Slower: by this share and by more than the noise of a call. No gain: where the advisor saw at least a half. */
const NOTABLE = { slower: 1.25, ms: 0.02, promised: 0.5, kept: 0.8 };

/** Plan cost with the whole set, of that without, by statement. */
function predictedRatios(set: BuiltSet): Map<string, number> {
  const costs = new Map<string, { before: number; after: number }>();
  for (const { affects } of set.advice.result.recommendations) {
    for (const { query_id, cost_before, cost_after } of affects) {
      // Of the costs without one of the indexes the greatest is nearest to that without any.
      const before = Math.max(cost_before, costs.get(query_id)?.before ?? 0);
      costs.set(query_id, { before, after: cost_after });
    }
  }
  return new Map([...costs].map(([id, { before, after }]) => [id, after / before]));
}

/** Statement by statement, the costliest first. */
export function statementRows(set: BuiltSet, names: ReadonlyMap<string, string>) {
  const predictions = predictedRatios(set);
  return set.before.workload.queries
    .toSorted((a, b) => b.total_exec_time_ms - a.total_exec_time_ms)
    .flatMap(({ query_id, query }) => {
      const [before, after] = [measured(set.before, query_id), measured(set.after, query_id)];
      if (!before || !after) return [];
      const predicted = predictions.get(query_id) ?? 1;
      const slower = after.ms > NOTABLE.slower * before.ms && after.ms - before.ms > NOTABLE.ms;
      const noGain = predicted < NOTABLE.promised && after.blocks > NOTABLE.kept * before.blocks;
      return [
        {
          statement: names.get(query_id) ?? query.replace(/\s+/g, ' ').slice(0, 60),
          calls: before.calls,
          before_ms: round(before.ms, 3),
          after_ms: round(after.ms, 3),
          ratio: round(after.ms / before.ms, 4),
          predicted: round(predicted, 4),
          blocks_before: round(before.blocks, 1),
          blocks_after: round(after.blocks, 1),
          mark: [slower ? 'slower' : '', noGain ? 'no gain' : ''].filter(Boolean).join(', '),
        },
      ];
    });
}

const offPct = (index: BuiltSet['indexes'][number]) => 100 * (index.predicted_bytes / index.real_bytes - 1);

/** Index by index. */
export const indexRows = (set: BuiltSet) =>
  set.indexes.map((index) => ({
    statement: index.statement,
    predicted_mb: round(index.predicted_bytes / MB, 2),
    real_mb: round(index.real_bytes / MB, 2),
    off_pct: round(offPct(index), 1),
    scans: index.scans,
    build_s: round(index.seconds, 1),
  }));

/** Time in the database, and blocks asked for, with the set, of those without. */
function ratios({ before, after }: BuiltSet) {
  const blocks = (run: SeenRun) =>
    run.workload.queries.reduce((sum, query) => sum + query.shared_blks_hit + query.shared_blks_read, 0);
  return {
    time: after.workload.database_time_ms / before.workload.database_time_ms,
    blocks: blocks(after) / blocks(before),
  };
}

/** One line of a set. */
export function setRow(subject: string, set: BuiltSet) {
  const { time, blocks } = ratios(set);
  const bytes = (pick: 'predicted_bytes' | 'real_bytes') =>
    round(set.indexes.reduce((sum, index) => sum + index[pick], 0) / MB, 1);
  return {
    database: subject,
    set: set.label,
    budget_mb: set.budget === null ? null : round(set.budget / MB, 1),
    indexes: set.indexes.length,
    unused: set.indexes.filter(({ scans }) => scans === 0).length,
    predicted_mb: bytes('predicted_bytes'),
    real_mb: bytes('real_bytes'),
    build_s: round(set.indexes.reduce((sum, index) => sum + index.seconds, 0)),
    time_ratio: round(time, 4),
    clock_ratio: spread(set.slots),
    blocks_ratio: round(blocks, 4),
    write_throughput_ratio: set.writes.length > 0 ? spread(set.writes) : null,
  };
}

/** Of smaller indexes a page more or less is a large share and matters to nobody. */
const SMALL_BYTES = 256 * 1024;

/** Figures of one set, their names begun with the prefix. */
export function setFigures(prefix: string, set: BuiltSet): Record<string, Figure> {
  const { time, blocks } = ratios(set);
  const errors = set.indexes
    .filter(({ real_bytes }) => real_bytes >= SMALL_BYTES)
    .map((index) => Math.abs(offPct(index)));
  const figure = (value: number, unit: string, better: Figure['better'] = 'lower'): Figure => {
    return { value: Number.isFinite(value) ? round(value, 4) : null, unit, aim: null, better };
  };
  return {
    [`${prefix}_time_ratio`]: figure(time, 'ratio'),
    [`${prefix}_blocks_ratio`]: figure(blocks, 'ratio'),
    ...(set.writes.length > 0
      ? { [`${prefix}_write_throughput_ratio`]: figure(median(set.writes), 'ratio', 'higher') }
      : {}),
    [`${prefix}_size_error_median_pct`]: figure(median(errors), '%'),
    [`${prefix}_size_error_max_pct`]: figure(Math.max(...errors), '%'),
  };
}
