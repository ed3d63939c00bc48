/** The analysis of one target: chooses the window, runs the advisors, keeps report and recommendations. */
import {
  PgLuthierError,
  type Report,
  type RuleArea,
  type Snapshot,
  type Window,
  type Workload,
} from '../domain/index.ts';
import type { AnalysisHeader } from '../store/index.ts';
import { workloadFromFiles, workloadFromSnapshot, workloadFromWindow } from '../workload/index.ts';
import { analyse } from './analyse.ts';
import { recogniseByHand } from './applied-by-hand.ts';
import { earliestLook, watchedReplicas } from './index-history.ts';
import { loadWindow } from './load-window.ts';
import type { Services } from './services.ts';
import { targetDsn } from './target-session.ts';
import { openForPlans, type WhatIfEngine } from './what-if.ts';

export interface AdviseOptions {
  /** Both ends of the window; absent: the oldest and the newest snapshot of the last 24 hours. */
  from_snapshot_id?: string | undefined;
  to_snapshot_id?: string | undefined;
  areas?: readonly RuleArea[] | undefined;
  index_budget_bytes?: number | null | undefined;
  /** Share by which a statement may get dearer because an existing index is replaced; absent: the rule's own. */
  max_regression?: number | undefined;
  max_indexes_per_table?: number | undefined;
  time_limit_ms?: number | undefined;
  /** Statements in place of those that were seen; the report is all that is kept of such an analysis. */
  workload?: readonly GivenStatement[] | undefined;
  /** Default `twin`. */
  what_if?: WhatIfEngine | undefined;
  actor: string;
}

/** One or more statements as a client gave them. */
interface GivenStatement {
  name?: string | undefined;
  sql: string;
  /** Of each that has no comment `-- calls: n`; absent: one. */
  calls?: number | undefined;
}

const WINDOW_MS = 24 * 3_600_000;

/** What a window of a target holds, as the analysis sees it. */
export interface TargetWindow {
  snapshot: Snapshot;
  window: Window | null;
  workload: Workload;
  /** The window's earlier end; null: there is no window. */
  from_snapshot_id: string | null;
}

/**
 * The window between two snapshots; with a single snapshot its cumulative counters, which say less.
 * @throws PgLuthierError `no_snapshot` when the target was never seen.
 */
export async function loadTargetWindow(
  services: Services,
  targetId: string,
  options: Pick<AdviseOptions, 'from_snapshot_id' | 'to_snapshot_id'>,
): Promise<TargetWindow> {
  const { snapshots } = services.store;
  const toHeader = options.to_snapshot_id ? { id: options.to_snapshot_id } : await snapshots.latest(targetId);
  if (!toHeader) {
    throw new PgLuthierError({
      code: 'no_snapshot',
      status: 409,
      message: 'This target has no snapshot yet.',
      remedy: `POST /v1/targets/${targetId}/snapshots takes one now.`,
    });
  }
  const snapshot = await snapshots.get(targetId, toHeader.id);
  const takenAt = Date.parse(snapshot.taken_at);
  const fromHeader = options.from_snapshot_id
    ? { id: options.from_snapshot_id }
    : await snapshots.oldestSince(targetId, new Date(takenAt - WINDOW_MS));
  if (!fromHeader || fromHeader.id === toHeader.id) {
    const workload = await workloadFromSnapshot(snapshot);
    return { snapshot, window: null, workload, from_snapshot_id: null };
  }
  const window = await loadWindow(services, targetId, fromHeader.id, toHeader.id, snapshot);
  const workload = await workloadFromWindow(window, snapshot);
  return { snapshot, window, workload, from_snapshot_id: fromHeader.id };
}

/**
 * Starts an analysis and answers at once with its header; it goes on in the background and records its end.
 * @throws PgLuthierError those of `workloadFromFiles`, `workload_needs_twin` (422).
 */
export async function startAnalysis(
  services: Services,
  targetId: string,
  options: AdviseOptions,
): Promise<AnalysisHeader> {
  await services.store.targets.get(targetId);
  const given = await givenWorkload(options);
  const header = await services.store.analyses.start(targetId, options.actor);
  services.background.start(
    () => runAnalysis(services, targetId, header.id, options, given).then(() => {}),
    (error) => services.logger.error({ err: error, target_id: targetId }, 'analysis failed'),
  );
  return header;
}

/** Runs an analysis to its end and returns its header. */
export async function adviseTarget(
  services: Services,
  targetId: string,
  options: AdviseOptions,
): Promise<AnalysisHeader> {
  const given = await givenWorkload(options);
  const header = await services.store.analyses.start(targetId, options.actor);
  return runAnalysis(services, targetId, header.id, options, given);
}

/** Null: none was given. */
async function givenWorkload({ workload, what_if = 'twin' }: AdviseOptions): Promise<Workload | null> {
  if (workload === undefined) return null;
  // EXPLAIN evaluates functions of constants: a client's text must not reach the target.
  if (what_if !== 'twin') {
    throw new PgLuthierError({
      code: 'workload_needs_twin',
      status: 422,
      message: 'Given statements are planned on the twin only; HypoPG would plan them on the target.',
      remedy: 'Leave what_if away.',
    });
  }
  return workloadFromFiles(
    workload.map(({ name, sql, calls }, position) => ({
      name: name ?? `workload[${position}]`,
      text: sql,
      ...(calls === undefined ? {} : { calls }),
    })),
  );
}

async function runAnalysis(
  services: Services,
  targetId: string,
  analysisId: string,
  options: AdviseOptions,
  given: Workload | null,
): Promise<AnalysisHeader> {
  try {
    const target = await services.store.targets.get(targetId);
    // Before the rules see a target with it: they would no longer propose it, and it would be superseded.
    if (!given) await recogniseByHand(services, targetId);
    const seen = await loadTargetWindow(services, targetId, options);
    const { snapshot } = seen;
    // What was counted in a window has nothing to do with statements that somebody made up.
    const { window, workload } = given ? { window: null, workload: given } : seen;
    const areas = options.areas ?? (given ? (['index'] as const) : undefined);
    const earliest = await earliestLook(services, targetId, snapshot);
    const report = await analyse({
      target: { id: targetId, name: target.name },
      ...(given ? {} : { standing: await services.store.recommendations.standing(targetId) }),
      snapshot,
      replicas: await watchedReplicas(services, targetId, snapshot),
      ...(earliest ? { earliest } : {}),
      window,
      workload,
      rules: services.rules,
      ...(areas ? { areas } : {}),
      index_budget_bytes: options.index_budget_bytes ?? null,
      max_regression: options.max_regression,
      max_indexes_per_table: options.max_indexes_per_table,
      ...(services.measure_bloat_bytes
        ? { measure_bloat: await measureOptions(services, targetId, services.measure_bloat_bytes) }
        : {}),
      what_if: {
        engine: options.what_if ?? 'twin',
        openSession: async () => openForPlans(await targetDsn(services, targetId)),
        twin: services.twin,
      },
      thresholds: await services.store.scorecards.thresholds(targetId),
      time_limit_ms: options.time_limit_ms ?? 10 * 60_000,
      now: services.now,
      progress: (message) => services.logger.debug({ target_id: targetId, analysis_id: analysisId }, message),
    });
    if (!given) {
      await services.store.recommendations.upsertFromAnalysis(targetId, analysisId, report.recommendations, {
        now: services.now(),
        rules: judging(rulesOf(services, options.areas), report),
        rejections: report.rejections,
      });
    }
    return await services.store.analyses.finish(targetId, analysisId, report);
  } catch (error) {
    const known = error instanceof PgLuthierError;
    await services.store.analyses.recordFailure(
      targetId,
      analysisId,
      known ? error.code : 'internal_error',
      known ? error.message : 'The analysis failed; the log has the details.',
    );
    throw error;
  }
}

/** Limits under a rule's own id that say that it came to no judgement: what it advised before stays as it is. */
const NO_JUDGEMENT = new Set(['rule_failed', 'no_workload', 'no_what_if']);

/** Those of the rules that judged. */
function judging(rules: string[], { limits }: Report): string[] {
  return rules.filter((rule) => !limits.some(({ scope, code }) => scope === rule && NO_JUDGEMENT.has(code)));
}

async function measureOptions(services: Services, targetId: string, limit_bytes: number) {
  return { dsn: await targetDsn(services, targetId), limit_bytes };
}

/** Ids of the rules that an analysis of these areas runs. */
function rulesOf(services: Services, areas: readonly RuleArea[] | undefined): string[] {
  return services.rules.filter((rule) => !areas || areas.includes(rule.area)).map((rule) => rule.id);
}
