/** Repeatable draws, in this process and in SQL: two runs make the same data and ask the same questions. */

/** Draws in 0..1 (mulberry32). */
export function drawsOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** SQL of a draw from 0 to n - 1 for a bigint key; each use has a stream of its own. */
export const sqlDraw = (key: string, stream: number, n: number | string) =>
  `((hashint8extended(${key}, ${stream}) & 9223372036854775807) % ${n})`;

/** SQL of one of the words by a draw. */
export const sqlOneOf = (words: readonly string[], index: string) =>
  `(ARRAY[${words.map((word) => `'${word}'`).join(', ')}])[1 + ${index}]`;
