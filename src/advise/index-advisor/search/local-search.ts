/**
 * The best set by the model: greedy starts, then moves (join, leave, make room and join) and restarts from shaken
 * sets. Deterministic: the same model gives the same set, however fast the machine is.
 */
import { Cousins } from './cousins.ts';
import { RankedQueue } from './ranked-queue.ts';
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
  cousins: Cousins;
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
  const limits: Search = { ...given, settled: new Map(), cousins: new Cousins(model) };
  const orders: Order[] = [(gain, bytes) => gain / Math.max(8192, bytes), byRoot, (gain) => gain];
  let best = new SetState(model);
  const first = SetState.of(model, start);
  if (first.bytes <= limits.budget_bytes) best = polish(first, limits);
  let isFirst = start.length === 0;
  for (const order of start.length > 0 && !limits.thorough ? [] : orders) {
    // Whatever the time, something is found.
    if (!isFirst && Date.now() > limits.deadline) break;
    const state = new SetState(model);
    grow(state, isFirst ? { ...limits, deadline: Number.POSITIVE_INFINITY } : limits, order);
    isFirst = false;
    const polished = polish(state, limits);
    if (polished.value < best.value) best = polished;
  }
  if (limits.thorough && Number.isFinite(limits.budget_bytes)) {
    // What fits into less is a good beginning, too, and a larger budget never gives a worse set than it.
    for (const share of SMALLER_BUDGETS) {
      if (Date.now() > limits.deadline) break;
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
 * Bundles join while one pays and there is time, the first by `order`. What a bundle gains mostly falls as others join, so its last known
 * gain orders the queue and only the front is reckoned anew.
 */
function grow(state: SetState, limits: Search, order: (gain: number, bytes: number) => number): void {
  const { bundles } = state.model;
  const rank = (place: number) => {
    const gain = state.gainAt(place);
    return gain <= 0 ? Number.NEGATIVE_INFINITY : order(gain, state.bytesOf(bundles[place] ?? []));
  };
  for (let grown = true; grown; ) {
    grown = false;
    const queue = new RankedQueue();
    for (let place = 0; place < bundles.length; place += 1) {
      const now = rank(place);
      if (now > 0) queue.push(place, now);
    }
    for (let place = queue.pop(); place !== null; place = queue.pop()) {
      if (Date.now() > limits.deadline) return;
      const bundle = bundles[place] ?? [];
      if (bundle.every((one) => state.has[one]) || !fits(state, bundle, limits)) continue;
      const now = rank(place);
      if (now <= 0) continue;
      if (now < queue.highest) queue.push(place, now);
      else {
        state.add(bundle);
        grown = true;
      }
    }
  }
}

/** Members that do not pay leave, what pays joins, and room is made for what pays more, until nothing helps. */
function polish(state: SetState, limits: Search, shaken = false): SetState {
  const limited = Number.isFinite(limits.budget_bytes);
  prune(state, [state.members()]);
  if (limited || !shaken) grow(state, limits, byRoot);
  const settled = limits.settled.get(limits.budget_bytes) ?? new Set();
  limits.settled.set(limits.budget_bytes, settled);
  // What has to do with the last changes first. Under a budget, room anywhere matters to all: at last all are tried.
  for (let all = false; Date.now() < limits.deadline; ) {
    const key = limited ? keyOf(state) : null;
    // Shaken sets often come back to one that was looked at all around before.
    if (key !== null && settled.has(key)) break;
    let better = false;
    for (let place = 0; place < state.model.bundles.length; place += 1) {
      if (Date.now() > limits.deadline) return state;
      if (!state.isWorthTrying(place) && !all) continue;
      if (exchange(state, place, limits)) better = true;
    }
    if (better && limited) grow(state, limits, byRoot);
    if (!better && (all || !limited)) {
      if (key !== null && Date.now() < limits.deadline) settled.add(key);
      break;
    }
    all = !better;
  }
  return state;
}

const keyOf = (state: SetState) => [...state.members()].sort((a, b) => a - b).join(' ');

/** Of these, members that cost more than they save leave, the most useless first. */
function prune(state: SetState, among: readonly (readonly number[])[]): void {
  for (;;) {
    let worst: { member: number; loss: number } | null = null;
    for (const some of among) {
      for (const member of some) {
        if (!state.has[member]) continue;
        const loss = state.lossOf(member);
        if (loss <= 0 && (worst === null || loss < worst.loss)) worst = { member, loss };
      }
    }
    if (!worst) return;
    state.remove([worst.member]);
  }
}

/** Lets a bundle join and others leave, where the set is better for it. */
function exchange(state: SetState, place: number, limits: Search): boolean {
  const { candidates, bundles, rivals } = state.model;
  const bundle = bundles[place] ?? [];
  let charge = 0;
  let joins = false;
  for (const one of bundle) {
    if (state.has[one]) continue;
    joins = true;
    charge += candidates[one]?.charge ?? 0;
  }
  // What saves nothing by itself makes nobody superfluous either.
  if (!joins || state.gainAt(place) + charge <= 0) return false;
  const joining = bundle.filter((one) => !state.has[one]);
  const before = state.value;
  state.begin();
  state.remove(joining.flatMap((one) => (rivals[one] ?? []).filter((rival) => state.has[rival])));
  if (!state.clashes(joining)) {
    state.add(joining);
    prune(
      state,
      joining.map((one) => state.model.neighbours(one)),
    );
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
  { budget_bytes, thorough, cousins }: Search,
): boolean {
  while (state.bytes > budget_bytes) {
    if (state.value >= before) return false;
    const over = state.bytes - budget_bytes;
    // What frees the cheapest bytes only gets dearer with each that leaves: at this rate nothing would be won.
    const most = (before - state.value) / Math.max(8192, over);
    let least: { member: number; instead: number | null; rank: number } | null = null;
    for (const member of state.eachMember()) {
      const bytes = state.model.candidates[member]?.size_bytes ?? 0;
      if (bytes === 0 || staying.includes(member)) continue;
      const rank = state.lossOf(member) / Math.max(8192, Math.min(bytes, over));
      if (least === null || rank < least.rank) least = { member, instead: null, rank };
      if (rank <= 0 || !thorough) continue;
      const cousin = cousins.bestOf(state, member, { over, below: Math.min(least.rank, most) });
      if (cousin) least = { member, ...cousin };
    }
    if (!least || least.rank >= most) return false;
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
