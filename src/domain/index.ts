/**
 * Room rule. domain/ holds the vocabulary: types, zod schemas and pure functions that every other room shares.
 * It imports nothing but zod and itself; it does no I/O, knows no clock and no environment.
 */
export * from './activity.ts';
export * from './actors.ts';
export * from './apply.ts';
export * from './apply-policy.ts';
export * from './bloat.ts';
export * from './change.ts';
export * from './cost-share.ts';
export * from './counters.ts';
export * from './errors.ts';
export * from './fast-snapshot.ts';
export * from './identifier.ts';
export * from './index-ddl.ts';
export * from './instance.ts';
export * from './leaves.ts';
export * from './lifecycle.ts';
export * from './maintenance-window.ts';
export * from './number-words.ts';
export * from './plan-node-name.ts';
export * from './plan-tree.ts';
export * from './policy-protections.ts';
export * from './recommendation.ts';
export * from './rejection-groups.ts';
export * from './rejection-words.ts';
export * from './reloptions.ts';
export * from './replication.ts';
export * from './report.ts';
export * from './restart-batch.ts';
export * from './rule.ts';
export * from './scorecard.ts';
export * from './scorecard-metrics.ts';
export * from './server-counters.ts';
export * from './service-parameters.ts';
export * from './setting-scope.ts';
export * from './snapshot.ts';
export * from './standing.ts';
export * from './target.ts';
export * from './transactional.ts';
export * from './usage.ts';
export * from './whatif.ts';
export * from './workload.ts';
