/**
 * Room rule. built/ runs what the index advisor recommends on a real server and measures what came of it: sizes, plan
 * costs, times. It knows no particular database; it builds the statements as they are printed, and undoes them.
 */
export { type Advice, advise, collect } from './advise.ts';
export { type BuiltIndex, buildSet, dropSet } from './build.ts';
export { gains, withoutIndexes } from './hide.ts';
export { indexScans, planCosts, runTimes } from './measure.ts';
export { type SeenRun, seenRuns } from './window.ts';
