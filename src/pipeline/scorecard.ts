/** The scorecard of a watched target, its thresholds and its baselines. */
import { compareScorecards, type KnownAdvice, scoreTarget } from '../advise/index.ts';
import type {
  Scorecard,
  ScorecardBaseline,
  ScorecardComparison,
  ScorecardThresholds,
} from '../domain/index.ts';
import type { BaselineHeader } from '../store/index.ts';
import { loadTargetWindow } from './advise-target.ts';
import type { Services } from './services.ts';

/** Both ends of the window; absent: the oldest and the newest snapshot of the last 24 hours. */
export interface ScorecardWindow {
  from_snapshot_id?: string | undefined;
  to_snapshot_id?: string | undefined;
}

/** Analyses that are looked through for the newest one that came to its end. */
const RECENT_ANALYSES = 20;
const ALL_OPEN = 500;

/**
 * The scorecard of a window, by the target's thresholds.
 * @throws PgLuthierError `target_not_found`, `no_snapshot`, `snapshot_not_found`, `window_invalid`.
 */
export async function targetScorecard(
  services: Services,
  targetId: string,
  ends: ScorecardWindow,
): Promise<Scorecard> {
  const { store } = services;
  const target = await store.targets.get(targetId);
  const { from_snapshot_id: from, ...seen } = await loadTargetWindow(services, targetId, ends);
  const first = from === null ? null : await store.snapshots.get(targetId, from);
  return scoreTarget({
    target: { id: targetId, name: target.name },
    ...seen,
    usage_before: first?.host.usage?.value ?? null,
    thresholds: await store.scorecards.thresholds(targetId),
    rules: services.rules,
    advice: await knownAdvice(services, targetId),
    baselines: (await store.scorecards.listBaselines(targetId)).map(({ name }) => name),
    now: services.now(),
  });
}

/**
 * The newest analysis of what was seen (not of statements that a client made up), and what of its advice is not carried
 * out; null: none came to its end.
 */
async function knownAdvice({ store }: Services, targetId: string): Promise<KnownAdvice | null> {
  const analyses = await store.analyses.list(targetId, { limit: RECENT_ANALYSES });
  for (const { id, state, summary, finished_at } of analyses) {
    if (state !== 'succeeded' || !summary?.what_if || finished_at === null) continue;
    const { report } = await store.analyses.get(targetId, id);
    if (report === null || report.window.source === 'files') continue;
    const open = [];
    for (const waiting of ['open', 'approved'] as const) {
      const { items } = await store.recommendations.list(targetId, { state: waiting, limit: ALL_OPEN });
      open.push(...items.map(({ rule, title, severity }) => ({ rule, title, severity })));
    }
    return { analysed_at: finished_at, analysed_share_of_time: summary.analysed_share_of_time, open };
  }
  return null;
}

/**
 * The scorecard against a baseline.
 * @throws PgLuthierError `baseline_not_found`, and those of `targetScorecard`.
 */
export async function comparedScorecard(
  services: Services,
  targetId: string,
  name: string,
  ends: ScorecardWindow,
): Promise<{ scorecard: Scorecard; comparison: ScorecardComparison }> {
  await services.store.targets.get(targetId);
  const baseline = await services.store.scorecards.getBaseline(targetId, name);
  const scorecard = await targetScorecard(services, targetId, ends);
  return { scorecard, comparison: compareScorecards(scorecard, baseline) };
}

/** @throws PgLuthierError `baseline_exists`, and those of `targetScorecard`. */
export async function saveScorecardBaseline(
  services: Services,
  targetId: string,
  options: ScorecardWindow & { name: string; replace: boolean; actor: string },
): Promise<ScorecardBaseline> {
  const { name, ...rest } = options;
  const scorecard = await targetScorecard(services, targetId, rest);
  return services.store.scorecards.saveBaseline(targetId, name, scorecard, rest);
}

/** @throws PgLuthierError `target_not_found`. */
export async function scorecardBaselines(services: Services, targetId: string): Promise<BaselineHeader[]> {
  await services.store.targets.get(targetId);
  return services.store.scorecards.listBaselines(targetId);
}

/** What is in force in place of defaults. @throws PgLuthierError `target_not_found`. */
export async function scorecardThresholds(
  services: Services,
  targetId: string,
): Promise<ScorecardThresholds> {
  await services.store.targets.get(targetId);
  return services.store.scorecards.thresholds(targetId);
}
