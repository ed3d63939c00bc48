/** Blockers as the target's policy shows them: whose statements they run may hold what not everybody is to read. */
import type { ApplyPolicy, ApplyProgress, Blocker } from '../domain/index.ts';
import { stripConstants } from '../workload/index.ts';

/** Longest part of a statement that is shown. */
const SHOWN = 200;

/** A statement whose constants cannot be told apart (it was cut off) is not shown at all. */
export async function shownBlockers(
  how: ApplyPolicy['blocker_queries'],
  blockers: readonly Blocker[],
): Promise<Blocker[]> {
  return Promise.all(
    blockers.map(async (blocker) => {
      if (blocker.query === null || how === 'hidden') return { ...blocker, query: null };
      const text = how === 'as_they_are' ? blocker.query : await stripConstants(blocker.query);
      return { ...blocker, query: text === null ? null : text.slice(0, SHOWN) };
    }),
  );
}

export async function shownProgress(
  how: ApplyPolicy['blocker_queries'],
  progress: ApplyProgress,
): Promise<ApplyProgress> {
  return {
    ...progress,
    blockers: await shownBlockers(how, progress.blockers),
    ...(progress.waiters ? { waiters: await shownBlockers(how, progress.waiters) } : {}),
  };
}
