/**
 * Room rule. apply/ is the only code that changes a user's database: it renders an approved change, checks the target,
 * runs it step by step with a journal, recovers what was interrupted, and judges afterwards what it gained. It may
 * import domain and target. It never decides what to change, never ends anybody else's session, and never touches
 * what its own journal does not show as its own.
 */
export { executePlan } from './execute.ts';
export { buildPlan, renderChange } from './plan.ts';
export { preflight } from './preflight.ts';
export { mayBeginAgain, recoverApply } from './recover.ts';
export { verifyApply } from './verify/verify.ts';
