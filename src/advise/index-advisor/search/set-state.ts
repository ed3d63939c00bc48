/** A set of the model's candidates that the search changes and takes back. */
import type { SetModel } from './set-model.ts';

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
  /** Counts changes; of each candidate, when it joined or left last; of each bundle, when an exchange was tried last. */
  #now: number;
  readonly #changedAt: Int32Array;
  readonly #triedAt: Int32Array;
  /** What was changed since `begin`, to be taken back: the candidate, -1 - n for a removal, and when it was changed before. */
  #log: { entry: number; before: number }[] | null = null;
  #valueBefore = 0;

  /** What exists and nothing else, or a copy of another. */
  constructor(model: SetModel, of?: SetState) {
    this.model = model;
    this.has = of ? of.has.slice() : new Uint8Array(model.candidates.length);
    this.#members = new Set(of?.members());
    this.#cost = of
      ? of.#cost.slice()
      : Float64Array.from(model.samples, ({ plans }) => plans.at(-1)?.cost ?? 0);
    this.#stamped = new Int32Array(model.samples.length);
    this.#now = of ? of.#now : 1;
    this.#changedAt = of ? of.#changedAt.slice() : new Int32Array(model.candidates.length);
    this.#triedAt = of ? of.#triedAt.slice() : new Int32Array(model.bundles.length);
    this.bytes = of?.bytes ?? 0;
    this.value = of?.value ?? this.#cost.reduce((sum, one) => sum + one, 0);
    if (!of) this.add(model.present);
  }

  members(): number[] {
    return [...this.#members];
  }

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
    this.has[member] = 0;
    let loss = -(this.model.candidates[member]?.charge ?? 0);
    for (const sample of this.model.samplesOf[member] ?? []) {
      loss += this.#costOf(sample) - (this.#cost[sample] ?? 0);
    }
    this.has[member] = 1;
    return loss;
  }

  /**
   * A smaller candidate of the member's table that takes its place with the least loss for the bytes that it frees, of
   * which `over` are wanted; null: none is there that frees any.
   */
  cousinOf(member: number, over: number): { instead: number; rank: number } | null {
    const { candidates } = this.model;
    const leaving = candidates[member];
    if (!leaving) return null;
    let best: { instead: number; rank: number } | null = null;
    for (const one of this.model.neighbours(member)) {
      const joining = candidates[one];
      if (!joining || this.has[one] || joining.table_oid !== leaving.table_oid) continue;
      const freed = leaving.size_bytes - joining.size_bytes;
      if (joining.size_bytes === 0 || freed < leaving.size_bytes / 8) continue;
      if (this.model.rivals[one]?.some((rival) => rival !== member && this.has[rival])) continue;
      const loss = this.#lossOfExchange(member, one) + joining.charge - leaving.charge;
      const rank = loss / Math.max(8192, Math.min(freed, over));
      if (best === null || rank < best.rank) best = { instead: one, rank };
    }
    return best;
  }

  /** By how much plans get dearer when the one leaves and the other joins. */
  #lossOfExchange(leaving: number, joining: number): number {
    this.has[leaving] = 0;
    this.has[joining] = 1;
    let loss = 0;
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
    this.#log = [];
    this.#valueBefore = this.value;
  }

  keep(): void {
    this.#log = null;
  }

  takeBack(): void {
    const log = this.#log ?? [];
    this.#log = null;
    for (const { entry, before } of log.reverse()) {
      const one = entry >= 0 ? entry : -1 - entry;
      if (entry >= 0) this.remove([one]);
      else this.add([one]);
      this.#changedAt[one] = before;
    }
    this.value = this.#valueBefore;
  }

  /** Whether anything that matters to a bundle changed since this was asked last. */
  isWorthTrying(place: number): boolean {
    const tried = this.#triedAt[place] ?? 0;
    this.#triedAt[place] = this.#now;
    if (tried === 0) return true;
    for (const one of this.model.bundles[place] ?? []) {
      for (const other of this.model.neighbours(one)) {
        if ((this.#changedAt[other] ?? 0) > tried) return true;
      }
      for (const rival of this.model.rivals[one] ?? []) {
        if ((this.#changedAt[rival] ?? 0) > tried) return true;
      }
    }
    return false;
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
    for (const one of which) {
      // Named twice, as the rival of two that join.
      if (this.has[one] === to) continue;
      this.has[one] = to;
      this.#log?.push({ entry: to === 1 ? one : -1 - one, before: this.#changedAt[one] ?? 0 });
      this.#now += 1;
      this.#changedAt[one] = this.#now;
      if (to === 1) this.#members.add(one);
      else this.#members.delete(one);
      this.bytes += sign * (this.model.candidates[one]?.size_bytes ?? 0);
      this.value += sign * (this.model.candidates[one]?.charge ?? 0);
    }
    for (const sample of this.#touched(which)) {
      const cost = this.#costOf(sample);
      this.value += cost - (this.#cost[sample] ?? 0);
      this.#cost[sample] = cost;
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
