/** Setting a target's policy, and the emergency stop. */
import { isDeepStrictEqual } from 'node:util';
import {
  ALL_TARGETS,
  type ApplyPolicy,
  loosenedProtections,
  PgLuthierError,
  withoutEffect,
} from '../domain/index.ts';
import type { ApplyStop } from '../store/index.ts';
import type { Services } from './services.ts';

/**
 * @throws PgLuthierError `policy_without_effect` (422) for a policy that would never do what it asks for; `admin_needed`
 * (403) where somebody who is no admin switches on changes of a production target without a person or changes anything
 * about how they are made, says that a target is no production, takes away what binds approvers themselves (four eyes,
 * and the mode `dry_run`), or loosens what protects a production target: `loosened` names the members.
 */
export function setApplyPolicy(
  services: Services,
  targetId: string,
  policy: ApplyPolicy,
  by: { actor: string; admin: boolean },
): Promise<ApplyPolicy> {
  return services.store.applyPolicies.set(targetId, policy, by.actor, (before) => {
    if (!by.admin) refuseLoosening(policy, before);
    const idle = withoutEffect(policy);
    if (idle === null) return;
    throw new PgLuthierError({
      code: 'policy_without_effect',
      status: 422,
      message: `The target is production, where ${idle} does nothing without auto_in_production.`,
      remedy:
        'Have an admin set auto_in_production with it, or leave it out. Of a target that is no production an admin says so: production false.',
    });
  });
}

/** @throws PgLuthierError `admin_needed` (403). */
function refuseLoosening(policy: ApplyPolicy, before: ApplyPolicy): void {
  const loosened = before.production ? loosenedProtections(policy, before) : [];
  if (loosened.length > 0) {
    throw new PgLuthierError({
      code: 'admin_needed',
      status: 403,
      message: `Only an admin may loosen what protects a production target: ${loosened.join(', ')}. What is left out of a policy has its default.`,
      remedy: 'Ask somebody whose token has the scope admin, or send the members named as they are now.',
      details: { loosened },
    });
  }
  if (!loosens(policy, before)) return;
  throw new PgLuthierError({
    code: 'admin_needed',
    status: 403,
    message:
      'Only an admin may let production be changed without a person (or change how), say that a target is no production, switch off four eyes, or leave the mode dry_run.',
    remedy: 'Ask somebody whose token has the scope admin.',
  });
}

function loosens(policy: ApplyPolicy, before: ApplyPolicy): boolean {
  return (
    (policy.auto_in_production && !before.auto_in_production) ||
    (before.production && !policy.production) ||
    (policy.production && policy.revert === 'perform' && before.revert !== 'perform') ||
    // An admin agreed to exactly these kinds, tables, windows and numbers.
    (changesAlone(policy) && !isDeepStrictEqual(policy, before)) ||
    // Who approves and applies would else lift it, do both, and set it again.
    (before.four_eyes && !policy.four_eyes) ||
    (before.mode === 'dry_run' && policy.mode !== 'dry_run')
  );
}

/** Production is changed without a person under this policy. */
function changesAlone(policy: ApplyPolicy): boolean {
  return (
    policy.production && policy.auto_in_production && (policy.mode === 'auto' || policy.revert === 'perform')
  );
}

/** Stops all applying, or that of one target: nothing begins, and what runs is cancelled within seconds. */
export function stopApplying(
  services: Services,
  targetId: string | null,
  because: string,
  actor: string,
): Promise<ApplyStop> {
  return services.store.applyStops.stop(targetId ?? ALL_TARGETS, because, actor);
}

/** @throws PgLuthierError `stop_not_found` (404). */
export async function liftStop(services: Services, targetId: string | null, actor: string): Promise<void> {
  if (await services.store.applyStops.lift(targetId ?? ALL_TARGETS, actor)) return;
  throw new PgLuthierError({
    code: 'stop_not_found',
    status: 404,
    message:
      targetId === null ? 'Applying is not stopped.' : 'Applying on this target is not stopped by itself.',
    remedy: 'GET /v1/apply-stops lists the stops.',
  });
}
