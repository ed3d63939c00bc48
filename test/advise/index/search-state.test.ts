/** What the search keeps of a set from move to move is what a set reckoned from nothing would say (pure). */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Room } from '../../../src/advise/index-advisor/room.ts';
import { Cousins } from '../../../src/advise/index-advisor/search/cousins.ts';
import { searchSets } from '../../../src/advise/index-advisor/search/local-search.ts';
import type { PlanBook } from '../../../src/advise/index-advisor/search/plan-book.ts';
import { RankedQueue } from '../../../src/advise/index-advisor/search/ranked-queue.ts';
import { SetModel } from '../../../src/advise/index-advisor/search/set-model.ts';
import { SetState } from '../../../src/advise/index-advisor/search/set-state.ts';
import type { SamplePlans } from '../../../src/advise/index-advisor/search/statement-plans.ts';
import type { AdvisorStatement } from '../../../src/advise/index-advisor/statement.ts';

const COUNT = 9;
const HANDLES = Array.from({ length: COUNT }, (_, position) => `i${position}`);

const plans = fc.array(
  fc.record({
    needs: fc.subarray(HANDLES, { minLength: 1, maxLength: 3 }),
    cost: fc.integer({ min: 1, max: 999 }),
    early_end_risk: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40_000 })),
  }),
  { maxLength: 7 },
);
const problem = fc.record({
  samples: fc.array(plans, { minLength: 2, maxLength: 8 }),
  bytes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: COUNT, maxLength: COUNT }),
  charges: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: COUNT, maxLength: COUNT }),
});

type Problem = typeof problem extends fc.Arbitrary<infer P> ? P : never;

function modelOf({ samples, bytes, charges }: Problem): SetModel {
  const statements = samples.map((_, place) => ({
    query: { calls: 1 + (place % 3) },
    place,
  })) as unknown as AdvisorStatement[];
  const book = {
    plans: (statement: AdvisorStatement): SamplePlans[] => {
      const some = samples[(statement as unknown as { place: number }).place] ?? [];
      const made = [...some, { needs: [], cost: 1000, early_end_risk: 0 }].map((plan) => ({
        ...plan,
        planner_cost: plan.cost,
        early_end_rest: plan.early_end_risk,
        on: new Set<string>(),
        indexes: plan.needs,
        has_own: true,
      }));
      return [{ share: 1, plans: made }];
    },
  } as unknown as PlanBook;
  const candidates = HANDLES.map((handle, position) => ({
    handle,
    table_oid: position % 2,
    size_bytes: 8192 * (bytes[position] ?? 1),
    charge: charges[position] ?? 0,
  }));
  return new SetModel(statements, candidates, new Map(), book, { max_regression: 0.1 });
}

/** The same set with nothing kept. */
function afresh(model: SetModel, members: readonly number[]): SetState {
  const state = new SetState(model);
  state.add(members);
  return state;
}

function expectTheSame(state: SetState): void {
  const { model } = state;
  const fresh = afresh(model, state.members());
  expect(state.value).toBeCloseTo(fresh.value, 6);
  expect(state.bytes).toBe(fresh.bytes);
  for (const one of state.members()) expect(state.lossOf(one)).toBeCloseTo(fresh.lossOf(one), 6);
  for (const place of model.bundles.keys()) expect(state.gainAt(place)).toBeCloseTo(fresh.gainAt(place), 6);
}

const moves = fc.array(
  fc.record({
    which: fc.nat({ max: COUNT - 1 }),
    joins: fc.boolean(),
    /** What is tried and taken back before. */
    tried: fc.array(fc.nat({ max: COUNT - 1 }), { maxLength: 4 }),
    kept: fc.boolean(),
  }),
  { minLength: 1, maxLength: 14 },
);

it('a set that was changed, tried and taken back says what one made at once would', () => {
  fc.assert(
    fc.property(problem, moves, (given, steps) => {
      const model = modelOf(given);
      const state = new SetState(model);
      expectTheSame(state);
      for (const { which, joins, tried, kept } of steps) {
        state.begin();
        for (const one of tried) {
          if (state.has[one]) state.remove([one]);
          else state.add([one]);
          // Reckoned on the way, and forgotten with it.
          for (const member of state.members()) state.lossOf(member);
        }
        if (kept) state.keep();
        else state.takeBack();
        expectTheSame(state);
        if (joins) state.add([which]);
        else state.remove([which]);
        expectTheSame(state);
      }
      expectTheSame(state.copy());
    }),
    { numRuns: 150 },
  );
});

it('the cousin that costs least for its bytes is found, after any changes', () => {
  fc.assert(
    fc.property(problem, moves, (given, steps) => {
      const model = modelOf(given);
      const cousins = new Cousins(model);
      const state = new SetState(model);
      for (const { which, joins } of steps) {
        if (joins) state.add([which]);
        else state.remove([which]);
        for (const member of state.members()) {
          const over = 3 * 8192;
          const best = cousins.bestOf(state, member, { over, below: Number.POSITIVE_INFINITY });
          const ranks = model.neighbours(member).flatMap((one) => {
            const [mine, its] = [model.candidates[member], model.candidates[one]];
            if (!mine || !its || state.has[one] || mine.table_oid !== its.table_oid) return [];
            if (its.size_bytes > (7 / 8) * mine.size_bytes) return [];
            const others = state.members().filter((each) => each !== member);
            const loss = afresh(model, [...others, one]).value - state.value;
            return [loss / Math.max(8192, Math.min(mine.size_bytes - its.size_bytes, over))];
          });
          expect(best?.rank ?? Number.POSITIVE_INFINITY).toBeCloseTo(Math.min(...ranks), 9);
          if (best) expect(cousins.bestOf(state, member, { over, below: best.rank })).toBeNull();
        }
      }
    }),
    { numRuns: 150 },
  );
});

it('a queue gives the highest first, and of equals the one that came first', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (ranks) => {
      const queue = new RankedQueue();
      for (const [place, rank] of ranks.entries()) queue.push(place, rank);
      const expected = [...ranks.keys()].sort((a, b) => (ranks[b] ?? 0) - (ranks[a] ?? 0) || a - b);
      const given: number[] = [];
      for (let next = queue.pop(); next !== null; next = queue.pop()) given.push(next);
      expect(given).toEqual(expected);
      expect(queue.highest).toBe(Number.NEGATIVE_INFINITY);
    }),
  );
});

it('an index that lures another statement’s LIMIT is charged with what is feared of it', () => {
  const alone = { cost: 10, early_end_risk: 0 };
  const lured = { needs: ['i0'], cost: 20, early_end_risk: 60_000 };
  const given = (saved: number, charges: number[] = []): Problem => ({
    // 1,000 without an index; the second statement weighs twice.
    samples: [[{ ...alone, needs: ['i0'], cost: 1000 - saved }], [lured, { ...alone, needs: ['i1'] }]],
    bytes: [],
    charges,
  });
  const costs = (saved: number, members: number[]) => afresh(modelOf(given(saved)), members).value;
  const [none, first, both, second] = [[], [0], [0, 1], [1]].map((members) => costs(900, members));
  // A twentieth of 60,000 is feared: 3,020 for each of two calls in place of 1,000.
  expect(first).toBeCloseTo((none ?? 0) - 900 + 2 * 2020, 6);
  // The planner takes what looks cheaper: a safer index beside it saves the statement.
  expect(both).toBeCloseTo((none ?? 0) - 900 - 2 * 990, 6);
  expect(second).toBeCloseTo((none ?? 0) - 2 * 990, 6);

  const limits = { budget_bytes: 1e9, deadline: Number.POSITIVE_INFINITY, shakes: 8, thorough: true };
  const found = (charges: number[]) =>
    searchSets(modelOf(given(900, charges)), limits, [])
      .members()
      .sort();
  expect(found([300, 300])).toEqual([0, 1]);
  expect(found([1000, 300])).toEqual([1]);
  // Neither pays by itself: the first lures, the second saves less than it costs; together they do.
  expect(found([10, 2100])).toEqual([0, 1]);
  expect(found([10, 2900])).toEqual([]);
});

it('a plan that the planner likes better than today’s is charged, whatever is feared; one that is left over is forbidden', () => {
  const members = HANDLES.slice(0, 3).map((handle, position) => ({
    handle,
    table_oid: 1,
    size_bytes: 8192,
    charge: 0,
    // The first exists; the third may take its place.
    ...(position === 0 ? { superseded_by: ['i2'] } : {}),
  }));
  const ways = [
    { needs: ['i0'], cost: 100, early_end_risk: 0 },
    { needs: ['i1'], cost: 50, early_end_risk: 10_000 },
    { needs: ['i2'], cost: 120, early_end_risk: 10_000 },
    { needs: [], cost: 900, early_end_risk: 0 },
  ].map((way) => ({ ...way, planner_cost: way.cost, early_end_rest: 0, indexes: way.needs, on: new Set() }));
  const book = { plans: () => [{ share: 1, plans: ways }] } as unknown as PlanBook;
  const one = { query: { calls: 1 } } as unknown as AdvisorStatement;
  const model = new SetModel([one], members, new Map(), book, { max_regression: 0.1 });
  const state = new SetState(model);
  const today = state.value;
  state.add([1]);
  expect(state.value).toBeCloseTo(today + 450, 6);
  state.remove([1]);
  state.add([2]);
  expect(state.value).toBeCloseTo(today, 6);
  state.remove([0]);
  expect(state.value).toBeGreaterThan(100_000);
});

it('room costs half of what the cheapest members that make it save, or less', () => {
  const request = fc.record({
    members: fc.subarray([...HANDLES.keys()]),
    spare: fc.integer({ min: 0, max: 20 }),
    bytes: fc.integer({ min: 1, max: 160 }),
    freed: fc.subarray([...HANDLES.keys()], { maxLength: 2 }),
  });
  fc.assert(
    fc.property(problem, request, (given, { members, spare, bytes, freed }) => {
      const state = afresh(modelOf(given), members);
      const room = new Room(state, state.bytes + 8192 * spare);
      const gone = new Set(freed.filter((one) => members.includes(one)));
      const cost = room.costOf(8192 * bytes, gone);
      const others = members.filter((one) => !gone.has(one));
      const least = leastLoss(state, others, bytes - spare - sizeOf(given, [...gone]), given);
      expect(cost).toBeLessThanOrEqual(least / 2 + 1e-6);
      expect(Number.isFinite(cost)).toBe(Number.isFinite(least));
      expect(room.costOf(8192 * (bytes + 1), gone)).toBeGreaterThanOrEqual(cost);
    }),
    { numRuns: 300 },
  );
});

it('bytes that become free are worth what any bundle that fits into them saves, or more', () => {
  const members = fc.subarray([...HANDLES.keys()]);
  fc.assert(
    fc.property(problem, members, (given, there) => {
      const model = modelOf(given);
      const state = afresh(model, there);
      const room = new Room(state, state.bytes);
      for (const bundle of model.bundles) {
        const bytes = state.bytesOf(bundle);
        const worth = room.worthOf(bytes);
        if (bytes > 0) expect(worth).toBeGreaterThanOrEqual(state.gainOf(bundle) - 1e-6);
        expect(room.worthOf(bytes + 8192)).toBeGreaterThanOrEqual(worth);
        expect(new Room(state, Number.POSITIVE_INFINITY).worthOf(bytes)).toBe(0);
      }
      expect(room.worthOf(-8192)).toBe(0);
    }),
    { numRuns: 300 },
  );
});

const sizeOf = ({ bytes }: Problem, members: readonly number[]) =>
  members.reduce((sum, one) => sum + (bytes[one] ?? 0), 0);

/** The least that a subset of members as large as that saves; infinity: all of them are smaller. */
function leastLoss(state: SetState, members: readonly number[], blocks: number, given: Problem): number {
  let least = Number.POSITIVE_INFINITY;
  for (let bits = 0; bits < 1 << members.length; bits += 1) {
    const some = members.filter((_, place) => bits & (1 << place));
    if (sizeOf(given, some) < blocks) continue;
    least = Math.min(
      least,
      some.reduce((sum, one) => sum + Math.max(0, state.lossOf(one)), 0),
    );
  }
  return least;
}
