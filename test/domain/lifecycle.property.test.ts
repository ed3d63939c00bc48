/** The life of a recommendation, whatever happens to it in whatever order. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  nextState,
  type RecommendationEvent,
  type RecommendationState,
  recommendationStates,
  recommendationTransitions,
} from '../../src/domain/index.ts';

const events = [
  ...new Set(Object.values(recommendationTransitions).flatMap((row) => Object.keys(row))),
] as RecommendationEvent[];

/** The events of a life from `open` that the table allows, the others left out as the store refuses them. */
function live(wanted: readonly RecommendationEvent[]): [RecommendationEvent, RecommendationState][] {
  let state: RecommendationState = 'open';
  return wanted.flatMap((event): [RecommendationEvent, RecommendationState][] => {
    const to = nextState(state, event);
    if (to === undefined) return [];
    state = to;
    return [[event, to]];
  });
}

const lives = fc.array(fc.constantFrom(...events), { maxLength: 60 }).map(live);

it('an apply never starts without an approval since the last one that was not cut off by its window, or since it was open', () => {
  fc.assert(
    fc.property(lives, (life) => {
      let approved = false;
      for (const [event, state] of life) {
        // What its window closed on goes on by the approval that it began with.
        if (event === 'approve' || event === 'window_closed') approved = true;
        if (event === 'start_apply') {
          expect(approved).toBe(true);
          approved = false;
        }
        if (state === 'open') approved = false;
      }
    }),
    { numRuns: 2_000, seed: 1 },
  );
});

it('nothing succeeds that was not applied and verified', () => {
  fc.assert(
    fc.property(lives, (life) => {
      const at = life.findIndex(([, state]) => state === 'succeeded');
      if (at === -1) return;
      const before = life.slice(0, at).map(([event]) => event);
      // By hand: nobody approved it, and what is verified is what somebody did.
      if (before.lastIndexOf('applied_by_hand') > before.lastIndexOf('approve')) return;
      expect(before.lastIndexOf('applied')).toBeGreaterThan(before.lastIndexOf('approve'));
      expect(before).toContain('start_apply');
    }),
    { numRuns: 2_000, seed: 2 },
  );
});

it('each state is reached, and each event leads to a state that there is', () => {
  const reached = new Set<RecommendationState>(['open']);
  for (let size = 0; size !== reached.size; ) {
    size = reached.size;
    for (const state of [...reached]) {
      for (const to of Object.values(recommendationTransitions[state])) reached.add(to);
    }
  }
  expect([...reached].toSorted()).toEqual([...recommendationStates].toSorted());
});
