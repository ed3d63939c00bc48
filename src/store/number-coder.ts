/** Whole numbers as decisions: whether 0, sign, length, the leading bits; each learnt by column and class. */
import { type BitCoder, type BitModels, newModels } from './bit-coder.ts';

/** Classes of a column that numbers of like size are told apart by. */
export const CLASSES = 48;
/** Of a class: 0 or not, sign, and a tree of 15 lengths. */
const PER_CLASS = 18;
/** Of a column: a tree of 64 longer lengths, then 3 models of the leading bits for each of 24 lengths. */
const PER_COLUMN = 64 + 24 * 3;
const LONG = 15;

/** Powers of two, by doubling: exact whatever the engine makes of `**`. */
const powers = Array.from({ length: 64 }, () => 1);
for (let index = 1; index < powers.length; index += 1) powers[index] = (powers[index - 1] as number) * 2;
const power = (exponent: number) => powers[exponent] as number;

/** Bits of a whole number, 0 for 0. */
export function bitLength(value: number): number {
  if (value < 0x7fffffff) return value < 1 ? 0 : 32 - Math.clz32(value);
  return 31 + bitLength(Math.floor(value / 0x80000000));
}

export function numberModels(columns: number): BitModels {
  return newModels(columns * (CLASSES * PER_CLASS + PER_COLUMN));
}

export class NumberCoder {
  readonly bits: BitCoder;
  readonly #models: BitModels;
  readonly #ofColumns: number;

  constructor(bits: BitCoder, models: BitModels, columns: number) {
    this.bits = bits;
    this.#models = models;
    this.#ofColumns = columns * CLASSES * PER_CLASS;
  }

  /** One decision, learnt as `number` learns whether it is 0. */
  flag(column: number, kind: number, value: boolean): boolean {
    const index = (column * CLASSES + kind) * PER_CLASS;
    return this.bits.bit(this.#models, index, value ? 1 : 0) === 1;
  }

  /** A safe integer. Reading: whatever is given, the number that was written comes back. */
  number(column: number, kind: number, value: number): number {
    const { bits } = this;
    const models = this.#models;
    const base = (column * CLASSES + kind) * PER_CLASS;
    if (!bits.bit(models, base, value === 0 ? 0 : 1)) return 0;
    const negative = bits.bit(models, base + 1, value < 0 ? 1 : 0);
    const size = value < 0 ? -value : value;
    const ofColumn = this.#ofColumns + column * PER_COLUMN;
    const length = this.#length(base + 2, ofColumn, bitLength(size));
    const result = this.#size(ofColumn + 64, length, size);
    return negative ? -result : result;
  }

  /** Bits behind the leading one. */
  #length(base: number, ofColumn: number, length: number): number {
    const behind = Math.max(0, length - 1);
    const short = this.#tree(base, 4, Math.min(behind, LONG));
    return short < LONG ? short : LONG + this.#tree(ofColumn, 6, behind - LONG);
  }

  #tree(base: number, depth: number, value: number): number {
    let node = 1;
    for (let at = depth - 1; at >= 0; at -= 1) {
      node = node * 2 + this.bits.bit(this.#models, base + node - 1, (value >>> at) & 1);
    }
    return node - (1 << depth);
  }

  #size(base: number, length: number, size: number): number {
    let rest = length;
    let result = 1;
    for (let leading = 0, node = 0; leading < 2 && rest > 0; leading += 1) {
      rest -= 1;
      const bit = this.bits.bit(
        this.#models,
        base + Math.min(length, 23) * 3 + node,
        Math.floor(size / power(rest)) % 2,
      );
      node = 1 + bit;
      result = result * 2 + bit;
    }
    while (rest > 0) {
      const count = Math.min(rest, 24);
      rest -= count;
      result = result * power(count) + this.bits.plain(count, Math.floor(size / power(rest)) % power(count));
    }
    return result;
  }
}
