/** What of a policy only holds changes off or hides what others run, and where another policy does so less. */
import type { ApplyPolicy } from './apply-policy.ts';
import { opensMore } from './maintenance-window.ts';

/** From the one that shows least. */
const SHOWN: readonly ApplyPolicy['blocker_queries'][] = ['hidden', 'constants_replaced', 'as_they_are'];

type Loosens = (after: ApplyPolicy, before: ApplyPolicy) => boolean;

/** Null protects from nothing. */
const isMore = (after: number | null, before: number | null) =>
  before !== null && (after === null || after > before);

const protections: Partial<Record<keyof ApplyPolicy, Loosens>> = {
  windows: (after, before) => opensMore(after.windows, before.windows),
  disk_budget_bytes: (after, before) => isMore(after.disk_budget_bytes, before.disk_budget_bytes),
  max_replica_lag_seconds: (after, before) =>
    isMore(after.max_replica_lag_seconds, before.max_replica_lag_seconds),
  max_applies_per_server: (after, before) =>
    isMore(after.max_applies_per_server, before.max_applies_per_server),
  yield_after_seconds: (after, before) => isMore(after.yield_after_seconds, before.yield_after_seconds),
  expire_days: (after, before) => isMore(after.expire_days, before.expire_days),
  blocker_queries: (after, before) =>
    SHOWN.indexOf(after.blocker_queries) > SHOWN.indexOf(before.blocker_queries),
};

/** Members whose protection is weaker after than before, in the order of the policy. */
export function loosenedProtections(after: ApplyPolicy, before: ApplyPolicy): (keyof ApplyPolicy)[] {
  const members = Object.keys(protections) as (keyof ApplyPolicy)[];
  return members.filter((member) => protections[member]?.(after, before));
}
