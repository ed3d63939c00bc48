/** A queue of numbers by rank: the highest first, and of equals the one that came first. */
export class RankedQueue {
  /** A binary heap: the parent of n is (n - 1) / 2. */
  readonly #items: { value: number; rank: number; order: number }[] = [];
  #pushed = 0;

  /** The rank of the next one; −∞ where there is none. */
  get highest(): number {
    return this.#items[0]?.rank ?? Number.NEGATIVE_INFINITY;
  }

  push(value: number, rank: number): void {
    const items = this.#items;
    const item = { value, rank, order: this.#pushed };
    this.#pushed += 1;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (!above || !isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Null: it is empty. */
  pop(): number | null {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (!first || !last) return null;
    if (items.length === 0) return first.value;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = items[child];
      const right = items[child + 1];
      if (right && below && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (!below || !isBefore(below, last)) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return first.value;
  }
}

interface Ranked {
  rank: number;
  order: number;
}

const isBefore = (a: Ranked, b: Ranked) => a.rank > b.rank || (a.rank === b.rank && a.order < b.order);
