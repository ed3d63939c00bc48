/**
 * What could have been had: from a set that somebody chose, members are exchanged for anything that any run of the
 * workload chose at any budget, as long as the judge finds the set better. No bound, but what it finds was missed.
 */
import type { AdvisorStatement } from '../../src/advise/index-advisor/statement.ts';
import type { WhatIf } from '../../src/domain/index.ts';
import { meanCharged } from './twin-planner.ts';

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
/** Time that is looked at most for one set. */
const MOST_MS = 60_000;

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

  /** Reads, what is feared of their LIMITs, and writes of the workload with these indexes: what ours makes small. */
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
        const mean = meanCharged(weights, costs.slice(next, next + weights.length));
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
    const isBetter = (cost: number) => cost < best.cost * (1 - LEAST_GAIN);
    const consider = async (set: readonly PoolIndex[]) => {
      const cost = await this.cost(set);
      if (isBetter(cost)) best = { set, cost };
    };
    const until = Date.now() + MOST_MS;
    for (let before = Number.POSITIVE_INFINITY; best.cost < before; ) {
      before = best.cost;
      for (const member of best.set) await consider(best.set.filter((one) => one !== member));
      for (const joining of pool) {
        if (Date.now() > until) return best;
        if (best.set.includes(joining) || joining.bytes > budgetBytes) continue;
        if (!isBetter(await this.cost([...best.set, joining]))) continue;
        await consider([...(await this.#roomBeside(best.set, joining, budgetBytes)), joining]);
      }
    }
    return best;
  }

  /** Those leave that are missed the least for their bytes, until another index has room. */
  async #roomBeside(
    set: readonly PoolIndex[],
    joining: PoolIndex,
    budgetBytes: number,
  ): Promise<readonly PoolIndex[]> {
    let room = set;
    while (bytesOf(room) + joining.bytes > budgetBytes) {
      const over = bytesOf(room) + joining.bytes - budgetBytes;
      const whole = await this.cost([...room, joining]);
      let least: { member: PoolIndex; rank: number } | null = null;
      for (const member of room) {
        const without = await this.cost([...room.filter((one) => one !== member), joining]);
        const rank = (without - whole) / Math.max(1, Math.min(member.bytes, over));
        if (least === null || rank < least.rank) least = { member, rank };
      }
      const leaving = least?.member;
      room = room.filter((one) => one !== leaving);
    }
    return room;
  }
}

const bytesOf = (set: readonly PoolIndex[]) => set.reduce((sum, { bytes }) => sum + bytes, 0);
