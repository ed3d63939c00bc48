/**
 * What room in a full budget costs, and what more of it could bring: a neighbour of a set that could not even pay for the
 * members that would have to leave is not worth a question.
 */
import type { SetState } from './search/set-state.ts';

/**
 * Members are missed less than the model of a set says where smaller ones can take their places, so that room is taken
 * to cost this share of what they save.
 */
const ROOM_SHARE = 0.5;

/** Room around one set within a budget. */
export class Room {
  readonly #state: SetState;
  readonly #free: number;
  /** Bundles that could join, by what they save for each of their bytes, the most first. */
  readonly #dearest: { bytes: number; gain: number }[];
  /** Members by what each of their bytes saves, the cheapest first. */
  readonly #cheapest: { position: number; bytes: number; loss: number }[];

  /** @param budgetBytes infinity: room costs nothing. */
  constructor(state: SetState, budgetBytes: number) {
    this.#state = state;
    this.#free = budgetBytes - state.bytes;
    this.#cheapest = state
      .members()
      .map((position) => ({
        position,
        bytes: state.model.candidates[position]?.size_bytes ?? 0,
        loss: Math.max(0, state.lossOf(position)),
      }))
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => a.loss / a.bytes - b.loss / b.bytes);
    const joining = Number.isFinite(budgetBytes) ? state.model.bundles : [];
    this.#dearest = joining
      .map((bundle, place) => ({ bytes: state.bytesOf(bundle), gain: state.gainAt(place) }))
      .filter(({ bytes, gain }) => bytes > 0 && gain > 0)
      .sort((a, b) => b.gain / b.bytes - a.gain / a.bytes);
  }

  /** Of the set: planner cost units of the workload, and what its members are charged. */
  get value(): number {
    return this.#state.value;
  }

  /**
   * The most that bytes which become free could save, as if any part of a bundle could join; below 0 bytes and without a
   * budget nothing.
   */
  worthOf(bytes: number): number {
    let left = bytes;
    let worth = 0;
    for (const { bytes: its, gain } of this.#dearest) {
      if (left <= 0) break;
      worth += gain * Math.min(1, left / its);
      left -= its;
    }
    return worth;
  }

  /**
   * The least that the set must give up for these bytes, as if any part of a member could leave by itself.
   * @param freed members whose work is done by what joins: they leave without a loss.
   * @returns planner cost units of the workload; infinity: all members together do not make as much room.
   */
  costOf(bytes: number, freed: ReadonlySet<number>): number {
    let over = bytes - this.#free;
    for (const one of freed) over -= this.#state.model.candidates[one]?.size_bytes ?? 0;
    let cost = 0;
    for (const { position, bytes: its, loss } of this.#cheapest) {
      if (over <= 0) return ROOM_SHARE * cost;
      if (freed.has(position)) continue;
      cost += loss * Math.min(1, over / its);
      over -= its;
    }
    return over <= 0 ? ROOM_SHARE * cost : Number.POSITIVE_INFINITY;
  }
}
