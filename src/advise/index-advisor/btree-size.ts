/**
 * Size of a freshly built B-tree. It follows nbtsort.c (_bt_buildadd, _bt_load) and nbtdedup.c of PostgreSQL 13 to 18:
 * tuples are packed into leaves up to the fill factor, equal keys merge into posting lists of a tenth of a page.
 */
import type { IndexSize } from '../../domain/index.ts';
import { alignTo, averageTupleBytes } from './index-tuple.ts';
import type { KeyFacts } from './key-facts.ts';
import { type GroupClass, groupClasses, hasMoreCombinations } from './key-groups.ts';
import { scatteredSizes } from './scattered-sizes.ts';

const PAGE = 8192;
/** A page without header (24) and special space (16). */
const USABLE = PAGE - 24 - 16;
const LINE_POINTER = 4;

const TID = 6;
/** BTREE_NONLEAF_FILLFACTOR. */
const INNER_FILLFACTOR = 70;
/** MAXALIGN_DOWN(BLCKSZ × 10 / 100) − sizeof(ItemIdData): longest posting-list tuple that a build makes. */
const MAX_POSTING = 812;
/**
 * More tuples than this are not packed one by one: a sample of the groups is, and scaled up. It fills 100 leaves or more,
 * of which the last is counted by how far it is filled.
 */
const SIMULATED_TUPLES = 20_000;

/** Packs tuples into leaves as a build does. */
class LeafPacker {
  #pages = 1;
  readonly #full: number;
  #free = USABLE - LINE_POINTER;
  #count = 0;
  #last = 0;
  #lastExtra = 0;

  constructor(fillfactor: number) {
    this.#full = Math.floor((PAGE * (100 - fillfactor)) / 100);
  }

  /** @param extra bytes of its posting list, which the page's high key would do without. */
  add(bytes: number, extra: number): void {
    const space = this.#free - LINE_POINTER;
    if (space < bytes + 8 || (space + this.#lastExtra < this.#full && this.#count > 1)) {
      // The last tuple begins the next page and leaves its key behind as the high key.
      this.#pages += 1;
      this.#free = USABLE - LINE_POINTER - (this.#last + LINE_POINTER);
      this.#count = 1;
    }
    this.#free -= bytes + LINE_POINTER;
    this.#count += 1;
    this.#last = bytes;
    this.#lastExtra = extra;
  }

  /** The same so many times, of tuples without a posting list. */
  addAll(bytes: number, count: number): void {
    for (let left = count; left > 0; ) {
      this.add(bytes, 0);
      left -= 1;
      // What the page still takes without looking at each.
      const room = this.#free - LINE_POINTER - Math.max(bytes + 8, this.#full);
      const fit = room < 0 ? 0 : Math.min(left, Math.floor(room / (bytes + LINE_POINTER)) + 1);
      this.#free -= fit * (bytes + LINE_POINTER);
      this.#count += fit;
      left -= fit;
    }
  }

  /** Leaves begun. */
  get leaves(): number {
    return this.#pages;
  }

  /** Leaves, the last of them as far as it is filled. */
  get filledLeaves(): number {
    const room = USABLE - LINE_POINTER - this.#full;
    return this.#pages - 1 + Math.min(1, (USABLE - LINE_POINTER - this.#free) / room);
  }
}

/** Leaves that groups of equal keys fill when equal keys are merged. */
function deduplicatedLeaves(classes: readonly GroupClass[], fillfactor: number): number {
  const tuples = classes.reduce(
    (sum, each) => sum + each.groups * Math.max(1, each.rows / ((MAX_POSTING - each.bytes) / TID)),
    0,
  );
  const scale = Math.max(1, tuples / SIMULATED_TUPLES);
  const packer = new LeafPacker(fillfactor);
  const wanted = classes.reduce((sum, each) => sum + each.groups * each.rows, 0) / scale;
  let packed = 0;
  let left = 0;
  // The largest first: what is left of a class goes on to groups that are most like its own.
  for (const each of classes.toSorted((a, b) => b.rows - a.rows)) {
    const perPosting = Math.max(1, Math.floor((Math.floor(MAX_POSTING / 8) * 8 - each.bytes) / TID));
    left += (each.groups * each.rows) / scale;
    if (left <= 0.5) continue;
    const sizes = each.groups > 1 ? scatteredSizes(each.rows, each.evenness) : [each.rows];
    if (sizes.length === 1 && sizes[0] === 1) {
      const singles = Math.ceil(left - 0.5);
      packer.addAll(each.bytes, singles);
      left -= singles;
      packed += singles;
      continue;
    }
    for (let group = 0; left > 0.5; group += 1) {
      const size = sizes[group % sizes.length] ?? each.rows;
      // Of a few huge groups a part stands for the whole, as long as it fills its posting lists.
      if (left < size / 2 && left < perPosting) break;
      let rows = Math.min(size, left);
      left -= size < left || left < perPosting ? size : left;
      while (rows > 0.5) {
        const merged = Math.min(perPosting, Math.max(1, Math.round(rows)));
        const bytes = merged === 1 ? each.bytes : alignTo(each.bytes + merged * TID, 8);
        packer.add(bytes, bytes - each.bytes);
        rows -= merged;
        packed += merged;
      }
    }
  }
  // Whole rows in whole groups are not quite as many as there are.
  const missed = Math.min(1.25, Math.max(0.8, wanted / Math.max(1, packed)));
  const leaves = scale === 1 ? packer.leaves - 0.5 : packer.filledLeaves * scale;
  return Math.max(1, Math.round(leaves * missed));
}

interface BtreeShape {
  keys: readonly KeyFacts[];
  include: readonly KeyFacts[];
  /** Rows in the index. */
  rows: number;
  unique: boolean;
  /** Percent; 90 is PostgreSQL's default. */
  fillfactor: number;
  /** Storage parameter deduplicate_items. */
  deduplicate: boolean;
  /** Distinct combinations of all keys where extended statistics tell; else columns are taken as independent. */
  distinct?: number | undefined;
}

/** Pages, tuples and height of a B-tree as CREATE INDEX would leave it. */
export function btreeSize(shape: BtreeShape): IndexSize {
  const rows = Math.max(0, Math.round(shape.rows));
  if (rows === 0) return { pages: 1, tuples: 0, tree_height: 0 };
  const bytes = averageTupleBytes([...shape.keys, ...shape.include]);
  // An index with included columns never deduplicates (_bt_allequalimage).
  const merges =
    shape.deduplicate &&
    !shape.unique &&
    shape.include.length === 0 &&
    shape.keys.every((key) => key.equalimage);
  const slack = Math.floor((PAGE * (100 - shape.fillfactor)) / 100);
  const perLeaf = Math.max(1, Math.floor((USABLE - 2 * LINE_POINTER - slack) / (bytes + LINE_POINTER)));
  const leaves = merges ? mergedLeaves(shape, rows, bytes) : Math.ceil(rows / perLeaf);
  // Pivot tuples keep only the keys that tell two leaves apart, and a row's address where the keys do not.
  const significant = leadingKeysThatTell(shape.keys, rows);
  const tell = hasMoreCombinations(shape.keys, rows, 0.9 * rows, shape.distinct);
  const pivot = averageTupleBytes(significant) + (tell ? 0 : 8);
  const innerSlack = Math.floor((PAGE * (100 - INNER_FILLFACTOR)) / 100);
  const fanOut = Math.max(2, Math.floor((USABLE - 2 * LINE_POINTER - innerSlack) / (pivot + LINE_POINTER)));
  let pages = leaves;
  let level = leaves;
  let height = 0;
  while (level > 1) {
    level = Math.ceil(level / fanOut);
    pages += level;
    height += 1;
  }
  return { pages: pages + 1, tuples: rows, tree_height: height };
}

/** Leaves by the keys, the first made among them, and what else they depend on. */
const knownLeaves = new WeakMap<KeyFacts, Map<string, number>>();
const numbers = new WeakMap<KeyFacts, number>();
let numbered = 0;

function numberOf(key: KeyFacts): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbered += 1;
  numbers.set(key, numbered);
  return numbered;
}

/**
 * Leaves of merged tuples: packing takes a millisecond, and candidates of the same keys in other orders, whose tuples
 * are as long, have as many.
 */
function mergedLeaves({ keys, distinct, fillfactor }: BtreeShape, rows: number, bytes: number): number {
  const sorted = keys.toSorted((a, b) => numberOf(a) - numberOf(b));
  const [first] = sorted;
  if (first === undefined) return 1;
  const ofFirst = knownLeaves.get(first) ?? new Map<string, number>();
  knownLeaves.set(first, ofFirst);
  const name = JSON.stringify([sorted.map(numberOf), rows, bytes, distinct, fillfactor]);
  const leaves = ofFirst.get(name) ?? deduplicatedLeaves(groupClasses(keys, rows, distinct), fillfactor);
  ofFirst.set(name, leaves);
  return leaves;
}

/** The shortest leading part of the keys that is about as distinct as a leaf's boundary needs. */
function leadingKeysThatTell(keys: readonly KeyFacts[], rows: number): readonly KeyFacts[] {
  for (let count = 1; count < keys.length; count += 1) {
    const leading = keys.slice(0, count);
    if (hasMoreCombinations(leading, rows, rows / 2)) return leading;
  }
  return keys;
}
