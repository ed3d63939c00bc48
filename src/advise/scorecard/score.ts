/** The scorecard of one target: pure, out of what was collected. */
import {
  type Limit,
  type RuleContext,
  type Scorecard,
  type ScorecardGrade,
  type ScorecardMetricId,
  scorecardGrades,
  scorecardMetricIds,
} from '../../domain/index.ts';
import * as counters from './counter-metrics.ts';
import type { MetricsInput, ScorecardInput } from './input.ts';
import { metricOf, type Observation, YOUNG_SECONDS } from './metric.ts';
import { type Asked, questions } from './questions.ts';
import * as resources from './resource-metrics.ts';
import { meanTime, quantileTime } from './statement-metrics.ts';

const observe: Record<ScorecardMetricId, (input: MetricsInput) => Observation> = {
  statement_mean_ms: meanTime,
  statement_p95_ms: (input) => quantileTime(input, 0.95),
  statement_p99_ms: (input) => quantileTime(input, 0.99),
  cache_hit_ratio: counters.cacheHits,
  rollback_ratio: counters.rollbacks,
  deadlocks_per_day: counters.deadlocks,
  transactions_per_second: counters.throughput,
  cpu_usage: resources.cpuUsage,
  memory_usage: resources.memoryUsage,
  active_sessions_per_cpu: resources.activePerCpu,
  connections_used: resources.connections,
  requested_checkpoints: counters.requestedCheckpoints,
};

const WORST_FIRST: readonly ScorecardGrade[] = ['critical', 'warning', 'acceptable', 'target'];

/** Rules of the checklist look at the same window; none of them may take long. */
const RULES_MS = 30_000;

export type ScoredMetrics = Pick<Scorecard, 'overall' | 'grades' | 'metrics' | 'limits'>;

/** The values with their grades, without the checklist. */
export function scoreMetrics(input: MetricsInput): ScoredMetrics {
  const scored = scorecardMetricIds.map((id) => metricOf(id, observe[id](input), input.thresholds));
  const metrics = scored.map(({ metric }) => metric);
  const grades = Object.fromEntries(
    scorecardGrades.map((grade) => [grade, metrics.filter((metric) => metric.grade === grade).length]),
  ) as Record<ScorecardGrade, number>;
  return {
    overall: WORST_FIRST.find((grade) => grades[grade] > 0) ?? 'unknown',
    grades,
    metrics,
    limits: [...youth(metrics), ...scored.flatMap(({ limits }) => limits)],
  };
}

export async function scoreTarget(input: ScorecardInput): Promise<Scorecard> {
  const { snapshot, window, workload, target } = input;
  const { limits, ...scored } = scoreMetrics(input);
  return {
    format_version: 1,
    target: {
      ...target,
      database: snapshot.server.database,
      server_version: snapshot.server.server_version,
      server_version_num: snapshot.server.server_version_num,
      database_size_bytes: snapshot.server.database_size_bytes,
    },
    window: { from: workload.from, to: workload.to, seconds: workload.seconds, source: workload.source },
    generated_at: input.now.toISOString(),
    ...scored,
    checklist: await checklist(input, scored.metrics),
    limits: [...limits, ...(window?.limits ?? []), ...workload.limits],
  };
}

/** Said once for all values that less than a day speaks for. */
function youth(metrics: Scorecard['metrics']): Limit[] {
  const young = metrics.filter(({ covers_seconds: seconds }) => seconds !== null && seconds < YOUNG_SECONDS);
  if (young.length === 0) return [];
  const shortest = Math.min(...young.flatMap(({ covers_seconds }) => covers_seconds ?? []));
  return [
    {
      scope: 'scorecard',
      code: 'statistics_young',
      message: `Statistics too young: ${young.length} of the values cover less than a day (${Math.round(shortest)} s at least). They are graded, and provisional: a day has its quiet and its busy hours.`,
      remedy: 'Let the service watch for a day, or take a window of the busiest hour on purpose.',
    },
  ];
}

async function checklist(
  input: ScorecardInput,
  metrics: Scorecard['metrics'],
): Promise<Scorecard['checklist']> {
  const context: RuleContext = {
    snapshot: input.snapshot,
    window: input.window,
    workload: input.workload,
    what_if: null,
    index_budget_bytes: null,
    progress: () => {},
    deadline: input.now.getTime() + RULES_MS,
  };
  const metric: Asked['metric'] = (id) => {
    const found = metrics.find((one) => one.id === id);
    if (!found) throw new Error(`there is no metric ${id}`);
    return found;
  };
  const items: Scorecard['checklist'] = [];
  for (const { id, section, from, question, answer } of questions)
    items.push({ id, section, from, question, ...(await answer({ input, context, metric })) });
  return items;
}
