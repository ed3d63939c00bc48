/** What may stop a running change between two of its statements: somebody's word, the policy's mode, a window that closed. */
import { ApplyStopped } from '../apply/index.ts';
import { WINDOW_CLOSED } from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { gatesOfRecovery, windowTooShort } from './apply-gates.ts';
import type { Services } from './services.ts';

/**
 * Asked before each statement, with what it is expected to take, seconds: why it may not begin. The policy is read anew
 * each time, so that a window that was taken away while the change runs counts.
 */
export function betweenStatements(
  services: Services,
  { target_id, id, plan }: Pick<Apply, 'target_id' | 'id' | 'plan'>,
): (seconds: number | null) => Promise<ApplyStopped | null> {
  const { store } = services;
  return async (seconds) => {
    const reason = await store.applies.stopReason(target_id, id);
    if (reason !== null) return new ApplyStopped('cancelled', reason);
    const policy = await store.applyPolicies.get(target_id);
    const [refusal] = await gatesOfRecovery(services, target_id, policy, plan.change);
    if (refusal) {
      const code = refusal.code === 'outside_window' ? WINDOW_CLOSED : refusal.code;
      return new ApplyStopped(code, refusal.message);
    }
    const short = windowTooShort(policy, seconds, services.now());
    return short && new ApplyStopped(WINDOW_CLOSED, short.message);
  };
}
