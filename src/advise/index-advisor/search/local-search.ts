/**
 * The best set by the model: greedy starts, then moves (join, leave, make room and join) and restarts from shaken
 * sets. Deterministic: the same model gives the same set, however fast the machine is.
 */
import type { SetModel } from './set-model.ts';
import { SetState } from './set-state.ts';

/** Sample evaluations that a search may take in all; large models are shaken less often. */
const WORK = 40_000_000;

export interface SearchLimits {
  /** Bytes of all members; infinity: no budget. */
  budget_bytes: number;
  /** Epoch ms at which the best set so far is returned. */
  deadline: number;
  /** Times at most that the best set is shaken and searched from again. */
  shakes: number;
  /** Greedy starts too, where there is a set to begin with. */
  thorough: boolean;
}

/** One search. */
interface Search extends SearchLimits {
  /** Sets that no exchange makes better, by the budget. */
  settled: Map<number, Set<string>>;
}

/** Shares of the budget that are searched for beginnings. */
const SMALLER_BUDGETS = [0.25, 0.5, 0.7, 0.85];

type Order = (gain: number, bytes: number) => number;
/** Between most for the bytes and most at all. */
const byRoot: Order = (gain, bytes) => gain / Math.sqrt(Math.max(8192, bytes));

/**
 * The set of the least value within the budget, as far as the search found one.
 * @param start members of a set to begin with, beside the greedy ones; with it those existing indexes that stay.
 */
export function searchSets(model: SetModel, given: SearchLimits, start: readonly number[]): SetState {
  const limits: Search = { ...given, settled: new Map() };
  const orders: Order[] = [(gain, bytes) => gain / Math.max(8192, bytes), byRoot, (gain) => gain];
  let best = new SetState(model);
  const first = new SetState(model);
  const starting = new Set(start);
  first.remove(first.members().filter((one) => !starting.has(one)));
  first.add(start);
  if (first.bytes <= limits.budget_bytes) best = polish(first, limits);
  for (const order of start.length > 0 && !limits.thorough ? [] : orders) {
    const state = new SetState(model);
    grow(state, limits, order);
    const polished = polish(state, limits);
    if (polished.value < best.value) best = polished;
  }
  if (limits.thorough && Number.isFinite(limits.budget_bytes)) {
    // What fits into less is a good beginning, too, and a larger budget never gives a worse set than it.
    for (const share of SMALLER_BUDGETS) {
      const smaller = { ...limits, budget_bytes: share * limits.budget_bytes };
      const state = new SetState(model);
      grow(state, smaller, byRoot);
      const polished = polish(polish(state, smaller), limits);
      if (polished.value < best.value) best = polished;
    }
  }
  const random = randomNumbers(1);
  const effort = model.bundles.length * Math.max(1, model.samples.length / 50);
  const shakes = Math.max(3, Math.min(limits.shakes, Math.floor(WORK / Math.max(1, effort * 100))));
  for (let shake = 0; shake < shakes && Date.now() < limits.deadline; shake += 1) {
    const state = best.copy();
    const members = state.members();
    if (members.length === 0) break;
    const leaving = 1 + Math.floor(random() * Math.min(4, members.length));
    for (let count = 0; count < leaving; count += 1) {
      state.remove([members[Math.floor(random() * members.length)] ?? 0]);
    }
    const bundle = model.bundles[Math.floor(random() * model.bundles.length)];
    if (bundle && fits(state, bundle, limits)) state.add(bundle);
    const polished = polish(state, limits, true);
    if (polished.value < best.value - 1e-9 * Math.abs(best.value)) best = polished;
  }
  return best;
}

function fits(state: SetState, bundle: readonly number[], { budget_bytes }: Search): boolean {
  if (state.bytes + state.bytesOf(bundle) > budget_bytes || state.clashes(bundle)) return false;
  return !state.crowds(bundle);
}

/**
 * Bundles join while one pays, the first by `order`. What a bundle gains mostly falls as others join, so its last known
 * gain orders the queue and only the front is reckoned anew.
 */
function grow(state: SetState, limits: Search, order: (gain: number, bytes: number) => number): void {
  const rank = (bundle: readonly number[]) => {
    const gain = state.gainOf(bundle);
    return gain <= 0 ? Number.NEGATIVE_INFINITY : order(gain, state.bytesOf(bundle));
  };
  for (let grown = true; grown; ) {
    grown = false;
    let queue = state.model.bundles
      .map((bundle) => ({ bundle, rank: rank(bundle) }))
      .filter((item) => item.rank > 0)
      .sort((a, b) => b.rank - a.rank);
    while (queue.length > 0) {
      const [first, ...rest] = queue;
      if (!first) break;
      queue = rest;
      if (first.bundle.every((one) => state.has[one]) || !fits(state, first.bundle, limits)) continue;
      const now = rank(first.bundle);
      if (now <= 0) continue;
      if (now < (queue[0]?.rank ?? 0)) {
        let place = queue.findIndex((item) => item.rank < now);
        if (place === -1) place = queue.length;
        queue.splice(place, 0, { bundle: first.bundle, rank: now });
        continue;
      }
      state.add(first.bundle);
      grown = true;
    }
  }
}

/** Members that do not pay leave, what pays joins, and room is made for what pays more, until nothing helps. */
function polish(state: SetState, limits: Search, shaken = false): SetState {
  const limited = Number.isFinite(limits.budget_bytes);
  prune(state, state.members());
  if (limited || !shaken) grow(state, limits, byRoot);
  const settled = limits.settled.get(limits.budget_bytes) ?? new Set();
  limits.settled.set(limits.budget_bytes, settled);
  for (let better = true; better && Date.now() < limits.deadline; ) {
    better = false;
    const key = limited ? keyOf(state) : null;
    // Shaken sets often come back to one that was looked at all around before.
    if (key !== null && settled.has(key)) break;
    for (const [place, bundle] of state.model.bundles.entries()) {
      // Under a budget, room anywhere matters to all; without one only what has to do with the bundle.
      if (!state.isWorthTrying(place) && !limited) continue;
      if (exchange(state, bundle, limits)) better = true;
    }
    if (better && limited) grow(state, limits, byRoot);
    else if (key !== null && Date.now() < limits.deadline) settled.add(key);
  }
  return state;
}

const keyOf = (state: SetState) => [...state.members()].sort((a, b) => a - b).join(' ');

/** Of these, members that cost more than they save leave, the most useless first. */
function prune(state: SetState, among: readonly number[]): void {
  for (;;) {
    let worst: { member: number; loss: number } | null = null;
    for (const member of among) {
      if (!state.has[member]) continue;
      const loss = state.lossOf(member);
      if (loss <= 0 && (worst === null || loss < worst.loss)) worst = { member, loss };
    }
    if (!worst) return;
    state.remove([worst.member]);
  }
}

/** Lets a bundle join and others leave, where the set is better for it. */
function exchange(state: SetState, bundle: readonly number[], limits: Search): boolean {
  const joining = bundle.filter((one) => !state.has[one]);
  if (joining.length === 0) return false;
  const gain = state.gainOf(joining);
  const charge = joining.reduce((sum, one) => sum + (state.model.candidates[one]?.charge ?? 0), 0);
  // What saves nothing by itself makes nobody superfluous either.
  if (gain + charge <= 0) return false;
  const before = state.value;
  state.begin();
  state.remove(joining.flatMap((one) => (state.model.rivals[one] ?? []).filter((rival) => state.has[rival])));
  if (!state.clashes(joining)) {
    state.add(joining);
    prune(state, [...new Set(joining.flatMap((one) => state.model.neighbours(one)))]);
    if (
      !state.crowds(joining) &&
      makeRoom(state, bundle, before, limits) &&
      state.value < before - 1e-9 * Math.abs(before)
    ) {
      state.keep();
      return true;
    }
  }
  state.takeBack();
  return false;
}

/**
 * Members leave or give way to a smaller one of their table, the least missed for their bytes first, until the set is
 * within the budget; false: it does not pay.
 */
function makeRoom(
  state: SetState,
  staying: readonly number[],
  before: number,
  { budget_bytes, thorough }: Search,
): boolean {
  while (state.bytes > budget_bytes) {
    if (state.value >= before) return false;
    const over = state.bytes - budget_bytes;
    let least: { member: number; instead: number | null; rank: number } | null = null;
    for (const member of state.members()) {
      const bytes = state.model.candidates[member]?.size_bytes ?? 0;
      if (bytes === 0 || staying.includes(member)) continue;
      const rank = state.lossOf(member) / Math.max(8192, Math.min(bytes, over));
      if (least === null || rank < least.rank) least = { member, instead: null, rank };
      // A wide index's loss is mostly what its narrow cousin would do as well.
      if (rank <= 0 || !thorough) continue;
      const cousin = state.cousinOf(member, over);
      if (cousin && cousin.rank < least.rank) least = { member, ...cousin };
    }
    if (!least) return false;
    state.remove([least.member]);
    if (least.instead !== null) state.add([least.instead]);
  }
  return true;
}

/** Mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
