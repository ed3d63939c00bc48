/** Who acts in the audit log without being anybody: the service's own words for it. No token may have one as its name. */
import { BY_HAND_ACTOR } from './apply.ts';

/** Decisions of a target's policy. */
export const POLICY_ACTOR = 'policy';

export const serviceActors: ReadonlySet<string> = new Set([
  'analysis',
  BY_HAND_ACTOR,
  POLICY_ACTOR,
  'preflight',
  'time',
  'verification',
]);

export const isPerson = (actor: string): boolean => !serviceActors.has(actor);
