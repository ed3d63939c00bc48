/** The strongest lock that a change takes, as pg_locks names it. */
import { buildPlan } from '../../src/apply/index.ts';
import { stepsOf } from '../../src/apply/steps.ts';
import { type Change, isScopedSetting } from '../../src/domain/index.ts';

const BY_STRENGTH = ['AccessExclusive', 'Share', 'ShareUpdateExclusive'];

/** A transaction's own, on its id: who wants to change a row that it has changed waits for that (XactLockTableWait()). */
const OF_TRANSACTION = 'ExclusiveLock';

export function strongestLock(change: Change): string {
  // Settings touch rows of a catalog and a file, and no table of anybody's.
  if (change.kind === 'setting' || isScopedSetting(change)) return OF_TRANSACTION;
  const taken = new Set(stepsOf(buildPlan(change)).map(({ lock }) => lock.split(' ')[0] ?? ''));
  const strongest = BY_STRENGTH.find((mode) => taken.has(mode));
  if (strongest === undefined) throw new Error(`no lock is known of ${change.kind}`);
  return `${strongest}Lock`;
}
