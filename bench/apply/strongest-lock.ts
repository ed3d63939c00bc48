/** The strongest lock that a change takes on a table or an index, as pg_locks names it. */
import { buildPlan } from '../../src/apply/index.ts';
import { stepsOf } from '../../src/apply/steps.ts';
import type { Change } from '../../src/domain/index.ts';

const BY_STRENGTH = ['AccessExclusive', 'Share', 'ShareUpdateExclusive'];

export function strongestLock(change: Change): string {
  const taken = new Set(stepsOf(buildPlan(change)).map(({ lock }) => lock.split(' ')[0] ?? ''));
  const strongest = BY_STRENGTH.find((mode) => taken.has(mode));
  if (strongest === undefined) throw new Error(`no lock is known of ${change.kind}`);
  return `${strongest}Lock`;
}
