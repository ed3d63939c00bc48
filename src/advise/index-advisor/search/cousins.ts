/**
 * Smaller candidates that take a member's place where room is made: a wide index's loss is mostly what its narrow cousin
 * would do as well. A search asks for them millions of times, so what was reckoned is kept until something near changes.
 */
import type { SetModel } from './set-model.ts';
import type { SetState } from './set-state.ts';

/** Of a member's cousins so many are looked at again where a change near it is only tried. */
const MOST_TRIED = 12;

/** A smaller candidate of the member's table, and what it costs for a byte that it frees. */
export interface Cousin {
  instead: number;
  rank: number;
}

/** A member's cousins. */
interface Known {
  of: readonly number[];
  /** By how much the value rises with each instead, after these changes near the member and near the cousin. */
  loss: Float64Array;
  at: Int32Array;
  cousin_at: Int32Array;
  /** Those that cost least, and after which change that was so. */
  best: readonly number[];
  best_at: number;
  /** What the cheapest of them costs for a byte, whatever is wanted, and after which change that was so. */
  rate: number;
  rate_at: number;
}

/** The cousins of one model's candidates. Changes have numbers of their own, so that several sets may ask. */
export class Cousins {
  readonly #model: SetModel;
  readonly #known = new Map<number, Known>();

  constructor(model: SetModel) {
    this.#model = model;
  }

  /**
   * The cousin that takes the member's place with the least loss for the bytes that it frees.
   * @param over bytes that are wanted: what is freed beyond them counts for nothing.
   * @returns null: none does it for less than `below`, as far as is known: what a change near a cousin alone made cheaper,
   * and while changes are tried whatever is not among the member's best, is looked at again when something near the
   * member has changed for good.
   */
  bestOf(state: SetState, member: number, { over, below }: { over: number; below: number }): Cousin | null {
    const known = this.#cousinsOf(member);
    const at = state.changedAt(member);
    if (known.rate_at === at && known.rate >= below) return null;
    const settledAt = state.changedBefore(member);
    const isFirst = known.best_at !== settledAt;
    const ranks: { place: number; rank: number }[] = [];
    let rate = Number.POSITIVE_INFINITY;
    let best: Cousin | null = null;
    for (const place of isFirst ? known.of.keys() : known.best) {
      const one = known.of[place] ?? 0;
      if (state.has[one]) continue;
      const loss = this.#lossOf(state, known, { member, at, one, place });
      const freed = this.#bytes(member) - this.#bytes(one);
      const rank = loss / Math.max(8192, Math.min(freed, over));
      if (isFirst) ranks.push({ place, rank });
      rate = Math.min(rate, loss < 0 ? Number.NEGATIVE_INFINITY : loss / Math.max(8192, freed));
      if (rank >= (best?.rank ?? below)) continue;
      const rivals = this.#model.rivals[one] ?? [];
      if (rivals.some((rival) => rival !== member && state.has[rival])) continue;
      best = { instead: one, rank };
    }
    known.rate = rate;
    known.rate_at = at;
    if (isFirst) {
      known.best = ranks
        .sort((a, b) => a.rank - b.rank)
        .slice(0, MOST_TRIED)
        .map(({ place }) => place);
      known.best_at = settledAt;
    }
    return best;
  }

  #lossOf(
    state: SetState,
    { loss, at, cousin_at: cousinAt }: Known,
    asked: { member: number; at: number; one: number; place: number },
  ): number {
    const { member, one, place } = asked;
    const changed = state.changedAt(one);
    if (at[place] !== asked.at || cousinAt[place] !== changed) {
      loss[place] = state.lossOfExchange(member, one);
      at[place] = asked.at;
      cousinAt[place] = changed;
    }
    return loss[place] ?? 0;
  }

  /** Those that could do some of its work; none where it frees less than an eighth for it. */
  #cousinsOf(member: number): Known {
    let known = this.#known.get(member);
    if (!known) {
      const { candidates } = this.#model;
      const table = candidates[member]?.table_oid;
      const of = this.#model.neighbours(member).filter((other) => {
        const bytes = this.#bytes(other);
        return candidates[other]?.table_oid === table && bytes > 0 && bytes <= (7 / 8) * this.#bytes(member);
      });
      const { length } = of;
      known = {
        of,
        loss: new Float64Array(length),
        at: new Int32Array(length),
        cousin_at: new Int32Array(length),
        best: [],
        best_at: 0,
        rate: 0,
        rate_at: 0,
      };
      this.#known.set(member, known);
    }
    return known;
  }

  #bytes(one: number): number {
    return this.#model.candidates[one]?.size_bytes ?? 0;
  }
}
