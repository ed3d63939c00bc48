/** What is killed while it does this: an apply, or the recovery of one. */
import { executePlan, recoverApply } from '../../../src/apply/index.ts';
import type { ApplyOutcome, Journal } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import type { Act } from './kill.ts';
import type { Run } from './round.ts';

export function perform(act: Act, run: Run, journal: Journal): Promise<ApplyOutcome | null> {
  const options = {
    dsn: run.place.dsn,
    apply_id: run.apply_id,
    openSession: openTarget,
    journal,
    onProgress: () => {},
  };
  return act === 'apply' ? executePlan(run.plan, options) : recoverApply({ ...options, plan: run.plan });
}
