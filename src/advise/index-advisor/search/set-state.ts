/**
 * A set of the model's candidates that the search changes and takes back. What was reckoned of it (what a member's
 * leaving costs, what a bundle's joining saves) is kept until something changes that it depends on: a change touches few
 * candidates, and the search looks at all of them after each.
 */
import type { SetModel } from './set-model.ts';

/** What is to be put back when changes are taken back. */
interface Log {
  /** The candidate, -1 - n for a removal. */
  entries: number[];
  samples: number[];
  costs: number[];
  /** Candidates near a change: what was known of each before. */
  touched: number[];
  losses: number[];
  losses_at: number[];
  value: number;
  bytes: number;
}

/** One set, with its value kept up to date move by move. */
export class SetState {
  readonly model: SetModel;
  readonly has: Uint8Array;
  bytes = 0;
  /** Plan costs of all samples and charges of all members: what the search makes small. */
  value: number;
  readonly #cost: Float64Array;
  readonly #members: Set<number>;
  /** Marks samples that were looked at, without a set for each look. */
  readonly #stamped: Int32Array;
  #stamp = 0;
  /** By candidate: the last change near it; what its leaving costs, and after which change that was so. */
  readonly #changedAt: Int32Array;
  readonly #loss: Float64Array;
  readonly #lossAt: Int32Array;
  /** By bundle: what its joining saves, where that is known; whether an exchange for it may be worth another try. */
  readonly #gain: Float64Array;
  readonly #gainKnown: Uint8Array;
  readonly #worthTrying: Uint8Array;
  /** What was changed since `begin`. */
  #log: Log | null = null;
  /** By candidate: the log that has what was known of it before; the last change near it before that log. */
  readonly #loggedAt: Int32Array;
  readonly #before: Int32Array;
  #logs = 0;

  /** What exists and nothing else, or a copy of another. */
  constructor(model: SetModel, of?: SetState) {
    this.model = model;
    const [candidates, bundles] = [model.candidates.length, model.bundles.length];
    this.has = of ? of.has.slice() : new Uint8Array(candidates);
    this.#members = new Set(of?.members());
    this.#cost = of
      ? of.#cost.slice()
      : Float64Array.from(model.samples, ({ plans }) => plans.at(-1)?.cost ?? 0);
    this.#stamped = new Int32Array(model.samples.length);
    this.#changedAt = of ? of.#changedAt.slice() : new Int32Array(candidates).fill(model.nextChange());
    this.#loss = of ? of.#loss.slice() : new Float64Array(candidates);
    this.#lossAt = of ? of.#lossAt.slice() : new Int32Array(candidates);
    this.#gain = of ? of.#gain.slice() : new Float64Array(bundles);
    this.#gainKnown = of ? of.#gainKnown.slice() : new Uint8Array(bundles);
    this.#worthTrying = of ? of.#worthTrying.slice() : new Uint8Array(bundles).fill(1);
    this.#loggedAt = new Int32Array(candidates);
    this.#before = new Int32Array(candidates);
    this.bytes = of?.bytes ?? 0;
    this.value = of?.value ?? this.#cost.reduce((sum, one) => sum + one, 0);
    if (!of) this.add(model.present);
  }

  /** The set of these members; existing indexes that are not among them have left. */
  static of(model: SetModel, members: readonly number[]): SetState {
    const state = new SetState(model);
    const staying = new Set(members);
    state.remove(state.members().filter((one) => !staying.has(one)));
    state.add(members);
    return state;
  }

  members(): number[] {
    return [...this.#members];
  }

  /** The same without a copy: the set must not change meanwhile. */
  eachMember = (): Iterable<number> => this.#members;

  copy(): SetState {
    return new SetState(this.model, this);
  }

  /** Bytes that these would add. */
  bytesOf(bundle: readonly number[]): number {
    let bytes = 0;
    for (const one of bundle) if (!this.has[one]) bytes += this.model.candidates[one]?.size_bytes ?? 0;
    return bytes;
  }

  /** Whether one of these is a rival of a member or of another of them. */
  clashes(bundle: readonly number[]): boolean {
    for (const one of bundle) {
      for (const rival of this.model.rivals[one] ?? []) {
        if (this.has[rival] || bundle.includes(rival)) return true;
      }
    }
    return false;
  }

  /** Whether with these a table would have more than it may. */
  crowds(bundle: readonly number[]): boolean {
    const joining = bundle.filter((one) => !this.has[one]);
    for (const one of joining) this.has[one] = 1;
    const crowded = this.model.isCrowded(this.has, bundle);
    for (const one of joining) this.has[one] = 0;
    return crowded;
  }

  /** `gainOf` of the bundle at this place. */
  gainAt(place: number): number {
    if (this.#gainKnown[place] === 1) return this.#gain[place] ?? 0;
    const gain = this.gainOf(this.model.bundles[place] ?? []);
    // While changes are noted the set is one that may not stay.
    if (this.#log === null) {
      this.#gain[place] = gain;
      this.#gainKnown[place] = 1;
    }
    return gain;
  }

  /** By how much the value falls (positive: it gets better) when these join, without them joining. */
  gainOf(bundle: readonly number[]): number {
    const joining = bundle.filter((one) => !this.has[one]);
    let gain = 0;
    for (const one of joining) {
      this.has[one] = 1;
      gain -= this.model.candidates[one]?.charge ?? 0;
    }
    for (const sample of this.#touched(joining)) gain += (this.#cost[sample] ?? 0) - this.#costOf(sample);
    for (const one of joining) this.has[one] = 0;
    return gain;
  }

  /** By how much the value rises when this member leaves, without it leaving. */
  lossOf(member: number): number {
    const changed = this.#changedAt[member] ?? 0;
    if (this.#lossAt[member] === changed) return this.#loss[member] ?? 0;
    this.has[member] = 0;
    let loss = -(this.model.candidates[member]?.charge ?? 0);
    for (const sample of this.model.samplesOf[member] ?? []) {
      loss += this.#costOf(sample) - (this.#cost[sample] ?? 0);
    }
    this.has[member] = 1;
    this.#loss[member] = loss;
    this.#lossAt[member] = changed;
    return loss;
  }

  /** After which change near it a candidate is as it is. */
  changedAt(one: number): number {
    return this.#changedAt[one] ?? 0;
  }

  /** The same without the changes that may be taken back. */
  changedBefore(one: number): number {
    return this.#log !== null && this.#loggedAt[one] === this.#logs
      ? (this.#before[one] ?? 0)
      : (this.#changedAt[one] ?? 0);
  }

  /** By how much the value rises when the one leaves and the other joins, without that. */
  lossOfExchange(leaving: number, joining: number): number {
    this.has[leaving] = 0;
    this.has[joining] = 1;
    const { candidates } = this.model;
    let loss = (candidates[joining]?.charge ?? 0) - (candidates[leaving]?.charge ?? 0);
    const first = this.model.samplesOf[leaving] ?? [];
    this.#stamp += 1;
    for (const sample of first) {
      this.#stamped[sample] = this.#stamp;
      loss += this.#costOf(sample) - (this.#cost[sample] ?? 0);
    }
    for (const sample of this.model.samplesOf[joining] ?? []) {
      if (this.#stamped[sample] !== this.#stamp) loss += this.#costOf(sample) - (this.#cost[sample] ?? 0);
    }
    this.has[leaving] = 1;
    this.has[joining] = 0;
    return loss;
  }

  /** From here on changes are noted, until they are kept or taken back. */
  begin(): void {
    this.#logs += 1;
    const { value, bytes } = this;
    const near = { touched: [], losses: [], losses_at: [] };
    this.#log = { entries: [], samples: [], costs: [], ...near, value, bytes };
  }

  keep(): void {
    const entries = this.#log?.entries ?? [];
    this.#log = null;
    for (const entry of entries) this.#mattersNear(entry >= 0 ? entry : -1 - entry);
  }

  takeBack(): void {
    const log = this.#log;
    this.#log = null;
    if (!log) return;
    for (const entry of log.entries.reverse()) {
      const one = entry >= 0 ? entry : -1 - entry;
      this.has[one] = entry >= 0 ? 0 : 1;
      if (entry >= 0) this.#members.delete(one);
      else this.#members.add(one);
    }
    // The same sample may be there more than once: its first cost is the one before.
    for (let at = log.samples.length - 1; at >= 0; at -= 1) {
      this.#cost[log.samples[at] ?? 0] = log.costs[at] ?? 0;
    }
    for (let at = 0; at < log.touched.length; at += 1) {
      const one = log.touched[at] ?? 0;
      this.#changedAt[one] = this.#before[one] ?? 0;
      this.#loss[one] = log.losses[at] ?? 0;
      this.#lossAt[one] = log.losses_at[at] ?? 0;
    }
    this.value = log.value;
    this.bytes = log.bytes;
  }

  /** Whether anything that matters to a bundle changed since this was asked last. */
  isWorthTrying(place: number): boolean {
    const worth = this.#worthTrying[place] === 1;
    this.#worthTrying[place] = 0;
    return worth;
  }

  add(bundle: readonly number[]): void {
    this.#change(
      bundle.filter((one) => !this.has[one]),
      1,
    );
  }

  remove(members: readonly number[]): void {
    this.#change(
      members.filter((one) => this.has[one]),
      0,
    );
  }

  #change(which: readonly number[], to: 0 | 1): void {
    const sign = to === 1 ? 1 : -1;
    const log = this.#log;
    for (const one of which) {
      // Named twice, as the rival of two that join.
      if (this.has[one] === to) continue;
      this.has[one] = to;
      if (to === 1) this.#members.add(one);
      else this.#members.delete(one);
      this.bytes += sign * (this.model.candidates[one]?.size_bytes ?? 0);
      this.value += sign * (this.model.candidates[one]?.charge ?? 0);
      this.#touch(one);
      if (log) log.entries.push(to === 1 ? one : -1 - one);
      else this.#mattersNear(one);
    }
    for (const sample of this.#touched(which)) {
      const cost = this.#costOf(sample);
      const before = this.#cost[sample] ?? 0;
      if (cost === before) continue;
      log?.samples.push(sample);
      log?.costs.push(before);
      this.value += cost - before;
      this.#cost[sample] = cost;
    }
  }

  /** What anything near it saves or costs depends on whether this one is there. */
  #touch(one: number): void {
    const log = this.#log;
    const change = this.model.nextChange();
    for (const near of this.model.neighbours(one)) {
      if (log && this.#loggedAt[near] !== this.#logs) {
        this.#loggedAt[near] = this.#logs;
        log.touched.push(near);
        this.#before[near] = this.#changedAt[near] ?? 0;
        log.losses.push(this.#loss[near] ?? 0);
        log.losses_at.push(this.#lossAt[near] ?? 0);
      }
      this.#changedAt[near] = change;
    }
  }

  #mattersNear(one: number): void {
    for (const place of this.model.bundlesNear(one)) {
      this.#gainKnown[place] = 0;
      this.#worthTrying[place] = 1;
    }
  }

  #touched(which: readonly number[]): Iterable<number> {
    const [first, ...others] = which;
    if (first === undefined) return [];
    if (others.length === 0) return this.model.samplesOf[first] ?? [];
    return new Set(which.flatMap((one) => this.model.samplesOf[one] ?? []));
  }

  #costOf(sample: number): number {
    return this.model.costOf(sample, this.has);
  }
}
