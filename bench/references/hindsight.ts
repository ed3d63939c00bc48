/**
 * What could have been had: from a set that somebody chose, members are exchanged for anything that any run of the
 * workload chose at any budget, as long as the judge finds the set better. No bound, but what it finds was missed.
 */
import type { AdvisorStatement } from '../../src/advise/index-advisor/statement.ts';
import type { WhatIf } from '../../src/domain/index.ts';
import { meanCost } from './twin-planner.ts';

export interface PoolIndex {
  /** Normalised definition. */
  key: string;
  handle: string;
  table_oid: number;
  bytes: number;
  /** What it costs the writes, in planner cost units of the workload. */
  write_cost: number;
}

/** A move must save this share, or costs that differ by rounding would be followed. */
const LEAST_GAIN = 1e-4;
/** Moves at most. */
const MOST_MOVES = 30;

export class Hindsight {
  readonly #whatIf: WhatIf;
  readonly #statements: readonly AdvisorStatement[];
  readonly #hidden: readonly string[];
  readonly #known: Map<string, number>[];

  /** @param hidden existing indexes that are not there in any of the sets. */
  constructor(whatIf: WhatIf, statements: readonly AdvisorStatement[], hidden: readonly string[]) {
    this.#whatIf = whatIf;
    this.#statements = statements;
    this.#hidden = hidden;
    this.#known = statements.map(() => new Map());
  }

  /** Reads and writes of the workload with these indexes. */
  async cost(set: readonly PoolIndex[]): Promise<number> {
    const asked = this.#statements.map((statement, position) => {
      const relevant = set.filter(({ table_oid }) => statement.tables.has(table_oid));
      const key = relevant
        .map(({ handle }) => handle)
        .sort()
        .join();
      return { statement, position, key };
    });
    const open = asked.filter(({ position, key }) => !this.#known[position]?.has(key));
    if (open.length > 0) {
      const costs = await this.#whatIf.costs(
        { created: set.map(({ handle }) => handle), hidden: this.#hidden },
        open.flatMap(({ statement }) => statement.samples),
      );
      let next = 0;
      for (const { statement, position, key } of open) {
        const weights = statement.samples.map(({ weight }) => weight);
        const mean = meanCost(weights, costs.slice(next, next + weights.length));
        next += weights.length;
        if (mean === null) throw new Error(`no plan: ${statement.query.query}`);
        this.#known[position]?.set(key, mean * statement.query.calls);
      }
    }
    const reads = asked.reduce((sum, { position, key }) => sum + (this.#known[position]?.get(key) ?? 0), 0);
    return reads + set.reduce((sum, { write_cost }) => sum + write_cost, 0);
  }

  /** A better set of the pool within the budget; the given one where none was found. */
  async improve(
    start: readonly PoolIndex[],
    pool: readonly PoolIndex[],
    budgetBytes: number,
  ): Promise<{ set: readonly PoolIndex[]; cost: number }> {
    let best = { set: start, cost: await this.cost(start) };
    for (let move = 0; move < MOST_MOVES; move += 1) {
      const next = await this.#bestMove(best.set, best.cost, pool, budgetBytes);
      if (next === null || next.cost >= best.cost * (1 - LEAST_GAIN)) break;
      best = next;
    }
    return best;
  }

  /** One joins, and those leave that are missed the least for their bytes until there is room; or one leaves. */
  async #bestMove(
    set: readonly PoolIndex[],
    now: number,
    pool: readonly PoolIndex[],
    budgetBytes: number,
  ): Promise<{ set: readonly PoolIndex[]; cost: number } | null> {
    let best: { set: readonly PoolIndex[]; cost: number } | null = null;
    const consider = async (next: readonly PoolIndex[]) => {
      const cost = await this.cost(next);
      if (best === null || cost < best.cost) best = { set: next, cost };
      return cost;
    };
    for (const member of set) await consider(set.filter((one) => one !== member));
    for (const joining of pool) {
      if (set.some(({ key }) => key === joining.key) || joining.bytes > budgetBytes) continue;
      if ((await this.cost([...set, joining])) >= now * (1 - LEAST_GAIN)) continue;
      let room = [...set];
      while (bytesOf(room) + joining.bytes > budgetBytes) {
        const over = bytesOf(room) + joining.bytes - budgetBytes;
        const whole = await this.cost([...room, joining]);
        const ranked: { member: PoolIndex; rank: number }[] = [];
        for (const member of room) {
          const without = await this.cost([...room.filter((one) => one !== member), joining]);
          ranked.push({ member, rank: (without - whole) / Math.max(1, Math.min(member.bytes, over)) });
        }
        ranked.sort((a, b) => a.rank - b.rank);
        room = room.filter((one) => one !== ranked[0]?.member);
      }
      await consider([...room, joining]);
    }
    return best;
  }
}

const bytesOf = (set: readonly PoolIndex[]) => set.reduce((sum, { bytes }) => sum + bytes, 0);
