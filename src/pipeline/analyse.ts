/** One analysis, from snapshots to a report: used by the service and, without a store, by the command line. */
import { runRules, scoreMetrics } from '../advise/index.ts';
import {
  type EarliestLook,
  groupRejections,
  type Limit,
  type Report,
  type Rule,
  type RuleArea,
  type ScorecardThresholds,
  type Snapshot,
  type StandingAdvice,
  type WatchedReplica,
  type Window,
  type Workload,
} from '../domain/index.ts';
import { dialectsOf } from './by-hand.ts';
import { finaliseDrafts } from './finalise.ts';
import { type MeasureBloatOptions, measureBloat } from './measure-bloat.ts';
import { summarise } from './summary.ts';
import { openPlanners, type Planners, type WhatIfOptions } from './what-if.ts';

export interface AnalysisInput {
  target: { id: string | null; name: string };
  /** The newest snapshot: schema, statistics, settings. */
  snapshot: Snapshot;
  window: Window | null;
  workload: Workload;
  rules: Rule[];
  /** Only rules of these areas; absent: all. */
  areas?: readonly RuleArea[];
  /** Physical standbys whose counters are known. */
  replicas?: readonly WatchedReplica[];
  /** Absent: nothing is kept of before. */
  earliest?: EarliestLook;
  index_budget_bytes: number | null;
  /** Absent: the rule's own. */
  max_regression?: number | undefined;
  /** Absent: any number. */
  max_indexes_per_table?: number | undefined;
  /** Advice of earlier analyses; absent: none is known. */
  standing?: readonly StandingAdvice[];
  /** Measure suspected indexes on the target. Absent: nobody asked for it; bloat is estimated. */
  measure_bloat?: MeasureBloatOptions;
  /** What the summary's values are graded by; absent: the defaults. */
  thresholds?: ScorecardThresholds;
  what_if: WhatIfOptions;
  /** Milliseconds that the rules may take in all. */
  time_limit_ms: number;
  now: () => Date;
  progress: (message: string) => void;
}

/** Areas whose rules ask a planner. */
const PLANNED_AREAS: ReadonlySet<RuleArea> = new Set(['index', 'statistics', 'settings']);

/** Runs the rules over the workload, with a twin of the target's planner, and puts the report together. */
export async function analyse(input: AnalysisInput): Promise<Report> {
  const rules = input.areas ? input.rules.filter((rule) => input.areas?.includes(rule.area)) : input.rules;
  const limits: Limit[] = [
    ...collectedLimits(input),
    ...(input.window?.limits ?? []),
    ...input.workload.limits,
  ];

  const { queries } = input.workload;
  const planners: Planners =
    rules.some(({ area }) => PLANNED_AREAS.has(area)) && queries.length > 0
      ? await openPlanners(
          input.snapshot,
          queries.map(({ query }) => query),
          input.what_if,
          input.progress,
        )
      : { what_if: null, cross_check: null, limits: [] };
  const whatIf = planners.what_if;
  const wantsBloat = rules.some((rule) => rule.id === 'index/bloated');
  limits.push(...planners.limits);
  try {
    const measured =
      input.measure_bloat && wantsBloat
        ? await measureBloat(input.snapshot, input.measure_bloat, input.progress)
        : null;
    limits.push(...(measured?.limits ?? []));
    const result = await runRules(rules, {
      snapshot: input.snapshot,
      window: input.window,
      workload: input.workload,
      what_if: whatIf,
      ...(planners.cross_check ? { cross_check: planners.cross_check } : {}),
      ...(input.replicas ? { replicas: input.replicas } : {}),
      ...(measured ? { btree_density: measured.measured } : {}),
      ...(input.earliest ? { earliest: input.earliest } : {}),
      index_budget_bytes: input.index_budget_bytes,
      ...(input.max_regression === undefined ? {} : { max_regression: input.max_regression }),
      ...(input.max_indexes_per_table === undefined
        ? {}
        : { max_indexes_per_table: input.max_indexes_per_table }),
      ...(input.standing ? { standing: input.standing } : {}),
      progress: input.progress,
      deadline: input.now().getTime() + input.time_limit_ms,
    });
    limits.push(...(whatIf?.limits ?? []), ...result.limits);
    const targetKey = input.target.id ?? `${input.target.name}/${input.snapshot.server.database}`;
    const recommendations = finaliseDrafts(
      targetKey,
      result.recommendations,
      input.standing,
      dialectsOf(input.snapshot),
    );
    return {
      target: {
        id: input.target.id,
        name: input.target.name,
        database: input.snapshot.server.database,
        server_version: input.snapshot.server.server_version,
        server_version_num: input.snapshot.server.server_version_num,
        managed_service: input.snapshot.server.managed_service,
      },
      window: {
        from: input.workload.from,
        to: input.workload.to,
        seconds: input.workload.seconds,
        source: input.workload.source,
      },
      summary: summarise({
        workload: input.workload,
        now: input.now(),
        recommendations,
        what_if: whatIf,
        coverage: result.coverage,
        scored: input.workload.source === 'files' ? null : scored(input),
      }),
      recommendations,
      ...groupRejections(result.rejections),
      limits: withoutRepeats(limits),
    };
  } finally {
    await whatIf?.close();
  }
}

function scored({ snapshot, window, workload, thresholds = {} }: AnalysisInput) {
  return scoreMetrics({ snapshot, window, workload, usage_before: null, thresholds });
}

/** What hides the database's statements is no reason to doubt what is said of those in files. */
function collectedLimits({ snapshot, workload }: AnalysisInput): Limit[] {
  if (workload.source !== 'files') return snapshot.limits;
  return snapshot.limits.map((limit) =>
    limit.scope === 'statements'
      ? {
          ...limit,
          message: `The statements that were given are analysed, which this does not limit. Of what else the database runs: ${limit.message}`,
        }
      : limit,
  );
}

/** The same limit may come from collecting and from a rule: a reader needs it once. */
function withoutRepeats(limits: Limit[]): Limit[] {
  return [
    ...new Map(limits.map((limit) => [`${limit.scope} ${limit.code} ${limit.message}`, limit])).values(),
  ];
}
