/**
 * Room rule. pipeline/ holds the use-cases, one a file: each takes Services and ids, calls the rooms in order, and
 * records what came of it. It may import every room but api/, demo/ and the composition roots. It holds no SQL, no
 * HTTP, no formula: what needs one belongs to the room that it is about.
 */

export type { Claim } from '../store/index.ts';
export { targetListHash } from '../target-list/index.ts';
export { adviseTarget, loadTargetWindow, startAnalysis } from './advise-target.ts';
export { analyse } from './analyse.ts';
export { startApply } from './apply-approved.ts';
export { startRestartBatch } from './apply-batch.ts';
export { liftStop, setApplyPolicy, stopApplying } from './apply-policy.ts';
export {
  actorOfToken,
  approveRecommendation,
  dismissRecommendation,
  reopenRecommendation,
  revokeApproval,
  scheduleRecommendation,
  snoozeRecommendation,
  unscheduleRecommendation,
} from './approve.ts';
export { collectTarget } from './collect-target.ts';
export { exportMigration } from './export-migration.ts';
export { loadWindow } from './load-window.ts';
export { planApply } from './plan-apply.ts';
export { recoverApplies } from './recover-applies.ts';
export { applyOnce, approveOnce, batchOnce, decideOnce } from './repeated.ts';
export { restartBatch, type WaitingForRestart } from './restart-batch.ts';
export { applyInWindow, lapseRecommendations } from './scheduled-applies.ts';
export {
  comparedScorecard,
  saveScorecardBaseline,
  scorecardBaselines,
  scorecardThresholds,
  targetScorecard,
} from './scorecard.ts';
export { BackgroundWork, type Services } from './services.ts';
export { syncTargetList } from './sync-target-list.ts';
export { resolveDsn, withReadSession } from './target-session.ts';
export { addTarget, targetCapabilities } from './targets.ts';
export { verifyAllApplied, verifyApplied } from './verify-applied.ts';
export { openForPlans, type WhatIfEngine, whatIfEngines } from './what-if.ts';
