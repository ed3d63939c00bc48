/** Orders of values and the ranks that take their place: order and equality stay, the values do not. */

/**
 * The values in an order that keeps each chain ascending, and otherwise comes as near to `compare` as it can. Chains are
 * orders that the server itself stated (histograms): its collation is not ours.
 */
export function orderedWithin(
  values: Iterable<string>,
  chains: readonly string[][],
  compare: (a: string, b: string) => number,
): string[] {
  const sorted = [...new Set(values)].sort(compare);
  const place = new Map(sorted.map((value, at) => [value, at]));
  const after: number[][] = sorted.map(() => []);
  const waiting = new Uint32Array(sorted.length);
  for (const chain of chains) {
    for (let at = 1; at < chain.length; at += 1) {
      const [from, to] = [place.get(chain[at - 1] ?? ''), place.get(chain[at] ?? '')];
      if (from === undefined || to === undefined || from === to) continue;
      after[from]?.push(to);
      waiting[to] = (waiting[to] ?? 0) + 1;
    }
  }
  const ready = new Heap();
  for (let at = 0; at < sorted.length; at += 1) if (waiting[at] === 0) ready.push(at);
  const result: string[] = [];
  for (let at = ready.pop(); at !== undefined; at = ready.pop()) {
    result.push(sorted[at] ?? '');
    for (const next of after[at] ?? []) {
      const left = (waiting[next] ?? 0) - 1;
      waiting[next] = left;
      if (left === 0) ready.push(next);
    }
  }
  // Chains that contradict each other (a collation that changed under an index): what is left keeps our order.
  if (result.length < sorted.length) {
    const done = new Set(result);
    for (const value of sorted) if (!done.has(value)) result.push(value);
  }
  return result;
}

/** A binary heap: the least number first. */
class Heap {
  private readonly items: number[] = [];
  push(item: number): void {
    let at = this.items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.items[parent] ?? 0) <= item) break;
      this.items[at] = this.items[parent] ?? 0;
      at = parent;
    }
    this.items[at] = item;
  }
  pop(): number | undefined {
    const top = this.items[0];
    const last = this.items.pop();
    if (top === undefined || last === undefined || this.items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.items.length) break;
      if ((this.items[child + 1] ?? Infinity) < (this.items[child] ?? 0)) child += 1;
      if ((this.items[child] ?? 0) >= last) break;
      this.items[at] = this.items[child] ?? 0;
      at = child;
    }
    this.items[at] = last;
    return top;
  }
}

/** A quantity in whole units and a part of one, both of the same sign: 2.5 is (2, 0.5), −2.5 is (−2, −0.5). */
export interface Quantity {
  whole: bigint;
  part: number;
}

/**
 * Ranks of quantities away from zero: a whole unit becomes its rank among the whole units of its sign, so that it is
 * never further from zero than it was and stays legal for its type; a part becomes its rank within its unit.
 */
export class SignedRanks {
  private readonly ranks = new Map<string, Quantity>();

  constructor(quantities: Iterable<Quantity>) {
    for (const sign of [1n, -1n]) {
      const parts = new Map<bigint, Set<number>>();
      for (const { whole, part } of quantities) {
        const [w, p] = [whole * sign, part * Number(sign)];
        if (w < 0n || p < 0) continue;
        const known = parts.get(w);
        if (known) known.add(p);
        else parts.set(w, new Set([p]));
      }
      let rank = 0n;
      for (const w of [...parts.keys()].sort((a, b) => (a < b ? -1 : 1))) {
        if (w > 0n) rank += 1n;
        const within = [...(parts.get(w) ?? [])].filter((p) => p > 0).sort((a, b) => a - b);
        const put = (p: number, as: number) =>
          this.ranks.set(this.key({ whole: w * sign, part: p * Number(sign) }), {
            whole: rank * sign,
            part: as * Number(sign),
          });
        put(0, 0);
        within.forEach((p, at) => {
          put(p, (at + 1) / (within.length + 1));
        });
      }
    }
  }

  private key({ whole, part }: Quantity): string {
    return `${whole} ${part === 0 ? 0 : part}`;
  }

  of(quantity: Quantity): Quantity {
    const rank = this.ranks.get(this.key(quantity));
    if (!rank) throw new Error('a value without a rank');
    return rank;
  }
}
