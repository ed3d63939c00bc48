/**
 * Room rule. advise/ holds the advisors' knowledge: rules (one a file under rules/<area>/), and what they share:
 * index-advisor/, repairs/, bloat/, plans/, settings/, autovacuum/, scorecard/. It may import domain and workload. It is given everything it looks at: it
 * never fetches, never writes, and renders no SQL but the definitions of candidates.
 */

export { estimateBloat } from './bloat/estimate.ts';
export { runRules } from './engine.ts';
export { existingGinShapes } from './index-advisor/gin-existing.ts';
export { loadRules } from './registry.ts';
export { suspectedIndexes } from './repairs/bloated-indexes.ts';
export { compareScorecards } from './scorecard/compare.ts';
export type { KnownAdvice } from './scorecard/input.ts';
export { type ScoredMetrics, scoreMetrics, scoreTarget } from './scorecard/score.ts';
export { hostSettings, settingNatures } from './settings/host-set.ts';
export { memoryOfSet } from './settings/set-memory.ts';
export { bareValue } from './settings/units.ts';
