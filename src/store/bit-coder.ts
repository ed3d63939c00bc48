/**
 * Adaptive binary arithmetic coding: a decision takes as many bits as it is unexpected. Integer arithmetic only, so
 * that what one machine or version of the engine writes, any other reads.
 */

/** Bits of the window that the coder works in: a sum of two stays a small integer. */
const MASK = 0x7fffffff;
const COUNT_LIMIT = 250;
/** How far a probability moves at its n-th decision, of 2^14: fast at first. */
const pace = Int32Array.from({ length: COUNT_LIMIT + 1 }, (_, n) => Math.round(16384 / (n + 1.6)));

/** What is known of each kind of decision: the probability of a 1 (of 2^16), and how many were seen. */
export interface BitModels {
  ones: Uint16Array;
  seen: Uint8Array;
}

export function newModels(size: number): BitModels {
  return { ones: new Uint16Array(size).fill(32_768), seen: new Uint8Array(size) };
}

export function copyModels({ ones, seen }: BitModels): BitModels {
  return { ones: ones.slice(), seen: seen.slice() };
}

function learn({ ones, seen }: BitModels, index: number, bit: number): void {
  const n = seen[index] as number;
  const p = ones[index] as number;
  const step = pace[n] as number;
  const next = bit ? p + (((65_536 - p) * step) >> 14) : p - ((p * step) >> 14);
  ones[index] = Math.min(65_408, Math.max(128, next));
  if (n < COUNT_LIMIT) seen[index] = n + 1;
}

/** Writes decisions or reads them: the same walk does both, so that they cannot differ. */
export interface BitCoder {
  /** Reading: whatever is given, the bit that was written comes back. */
  bit(models: BitModels, index: number, bit: number): number;
  /** The low `count` (at most 30) bits of a number, each as likely 1 as 0. */
  plain(count: number, bits: number): number;
}

/** Where the window is divided: p of 2^15 below. */
const part = (range: number, p: number) => Math.imul(range >>> 15, p) + (Math.imul(range & 32_767, p) >>> 15);

export class BitWriter implements BitCoder {
  #low = 0;
  #high = MASK;
  #bytes = new Uint8Array(1 << 15);
  #length = 0;

  bit(models: BitModels, index: number, bit: number): number {
    const middle = this.#low + part(this.#high - this.#low, (models.ones[index] as number) >>> 1);
    if (bit) this.#high = middle;
    else this.#low = middle + 1;
    learn(models, index, bit);
    this.#shift();
    return bit;
  }

  plain(count: number, bits: number): number {
    for (let at = count - 1; at >= 0; at -= 1) {
      const middle = this.#low + ((this.#high - this.#low) >>> 1);
      if ((bits >>> at) & 1) this.#high = middle;
      else this.#low = middle + 1;
      this.#shift();
    }
    return bits;
  }

  #shift(): void {
    while ((this.#low ^ this.#high) >>> 23 === 0) {
      this.#put(this.#high >>> 23);
      this.#low = (this.#low << 8) & MASK;
      this.#high = ((this.#high << 8) & MASK) | 255;
    }
  }

  #put(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  /** What was written. */
  finish(): Uint8Array {
    // The bits of `low`; beyond the end, zeros are read.
    for (const byte of [this.#low >>> 23, this.#low >>> 15, this.#low >>> 7, this.#low << 1]) {
      this.#put(byte & 255);
    }
    return this.#bytes.subarray(0, this.#length);
  }
}

export class BitReader implements BitCoder {
  #low = 0;
  #high = MASK;
  #code = 0;
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const first = [0, 1, 2, 3].map((index) => bytes[index] ?? 0) as [number, number, number, number];
    this.#code = (first[0] << 23) | (first[1] << 15) | (first[2] << 7) | (first[3] >>> 1);
    this.#at = 4;
  }

  bit(models: BitModels, index: number, _bit: number): number {
    const middle = this.#low + part(this.#high - this.#low, (models.ones[index] as number) >>> 1);
    const bit = this.#code <= middle ? 1 : 0;
    if (bit) this.#high = middle;
    else this.#low = middle + 1;
    learn(models, index, bit);
    this.#shift();
    return bit;
  }

  plain(count: number, _bits: number): number {
    let bits = 0;
    for (let at = 0; at < count; at += 1) {
      const middle = this.#low + ((this.#high - this.#low) >>> 1);
      if (this.#code <= middle) {
        this.#high = middle;
        bits = bits * 2 + 1;
      } else {
        this.#low = middle + 1;
        bits *= 2;
      }
      this.#shift();
    }
    return bits;
  }

  #shift(): void {
    while ((this.#low ^ this.#high) >>> 23 === 0) {
      this.#low = (this.#low << 8) & MASK;
      this.#high = ((this.#high << 8) & MASK) | 255;
      // The window is a bit short of four bytes: each step takes the last bit of one byte and seven of the next.
      const last = this.#bytes[this.#at - 1] ?? 0;
      const next = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      this.#code = ((this.#code << 8) & MASK) | (((last << 7) | (next >>> 1)) & 255);
    }
  }
}
