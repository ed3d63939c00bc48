/**
 * Room rule. apply/ is the only code that changes a user's database: it renders an approved change, checks the target,
 * runs it step by step with a journal, recovers what was interrupted, and judges afterwards what it gained. It may
 * import domain and target. It never decides what to change, never ends anybody else's session, and never touches
 * what its own journal does not show as its own.
 */
export type { Drift } from './drift.ts';
export { diskNeed, diskRefusal, type EarlierWal, lagRefusal, syncRefusal } from './environment.ts';
export { executePlan } from './execute.ts';
export { type IndexForm, resemblesDefinition } from './index-facts.ts';
export { isBuiltInParts, longestLeafBuild } from './leaf-seconds.ts';
export { lockBudgetsMarkdown } from './lock-budgets.ts';
export { asOwner } from './owner-session.ts';
export { buildPlan, renderChange } from './plan.ts';
export { preconditionDrift, readPreconditions, voidsApproval } from './preconditions.ts';
export { preflight } from './preflight.ts';
export { reloptionOf } from './preflight-table.ts';
export { mayBeginAgain, recoverApply } from './recover.ts';
export { recoverSettingBatch } from './recover-batch.ts';
export type { HealingWatch } from './run.ts';
export { holds as scopedSettingHolds } from './scoped-setting.ts';
export { applySettingBatch, type BatchOutcomes } from './setting-batch.ts';
export { sameSettingValue } from './setting-value.ts';
export { type ApplyStep, stepsNow } from './steps.ts';
export { ApplyHeld, ApplyStopped } from './stopped.ts';
export { LOOKS, lookAt } from './verify/looks.ts';
export { mayConcern } from './verify/mentions.ts';
export { verifyApply } from './verify/verify.ts';
