/** The analysis of one target: chooses the window, runs the advisors, keeps report and recommendations. */
import { PgLuthierError, type RuleArea, type Snapshot, type Window, type Workload } from '../domain/index.ts';
import type { AnalysisHeader } from '../store/index.ts';
import { workloadFromSnapshot, workloadFromWindow } from '../workload/index.ts';
import { analyse } from './analyse.ts';
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
  time_limit_ms?: number | undefined;
  /** Default `twin`. */
  what_if?: WhatIfEngine | undefined;
  actor: string;
}

const WINDOW_MS = 24 * 3_600_000;

/** What a window of a target holds, as the analysis sees it. */
export interface TargetWindow {
  snapshot: Snapshot;
  window: Window | null;
  workload: Workload;
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
    return { snapshot, window: null, workload: await workloadFromSnapshot(snapshot) };
  }
  const window = await loadWindow(services, targetId, fromHeader.id, toHeader.id, snapshot);
  return { snapshot, window, workload: await workloadFromWindow(window, snapshot) };
}

/** Starts an analysis and answers at once with its header; it goes on in the background and records its end. */
export async function startAnalysis(
  services: Services,
  targetId: string,
  options: AdviseOptions,
): Promise<AnalysisHeader> {
  await services.store.targets.get(targetId);
  const header = await services.store.analyses.start(targetId, options.actor);
  services.background.start(
    () => runAnalysis(services, targetId, header.id, options).then(() => {}),
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
  const header = await services.store.analyses.start(targetId, options.actor);
  return runAnalysis(services, targetId, header.id, options);
}

async function runAnalysis(
  services: Services,
  targetId: string,
  analysisId: string,
  options: AdviseOptions,
): Promise<AnalysisHeader> {
  try {
    const target = await services.store.targets.get(targetId);
    const { snapshot, window, workload } = await loadTargetWindow(services, targetId, options);
    const earliest = await earliestLook(services, targetId, snapshot);
    const report = await analyse({
      target: { id: targetId, name: target.name },
      snapshot,
      replicas: await watchedReplicas(services, targetId, snapshot),
      ...(earliest ? { earliest } : {}),
      window,
      workload,
      rules: services.rules,
      ...(options.areas ? { areas: options.areas } : {}),
      index_budget_bytes: options.index_budget_bytes ?? null,
      ...(services.measure_bloat_bytes
        ? { measure_bloat: await measureOptions(services, targetId, services.measure_bloat_bytes) }
        : {}),
      what_if: {
        engine: options.what_if ?? 'twin',
        openSession: async () => openForPlans(await targetDsn(services, targetId)),
        twin: services.twin,
      },
      time_limit_ms: options.time_limit_ms ?? 10 * 60_000,
      now: services.now,
      progress: (message) => services.logger.debug({ target_id: targetId, analysis_id: analysisId }, message),
    });
    await services.store.recommendations.upsertFromAnalysis(targetId, analysisId, report.recommendations, {
      now: services.now(),
      rules: rulesOf(services, options.areas),
    });
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

async function measureOptions(services: Services, targetId: string, limit_bytes: number) {
  return { dsn: await targetDsn(services, targetId), limit_bytes };
}

/** Ids of the rules that an analysis of these areas runs. */
function rulesOf(services: Services, areas: readonly RuleArea[] | undefined): string[] {
  return services.rules.filter((rule) => !areas || areas.includes(rule.area)).map((rule) => rule.id);
}
