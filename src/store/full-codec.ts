/**
 * A full snapshot as its difference from another of the same day: what rarely changes by cells (snapshot-codec.ts), its
 * counters as fast ones are (fast-codec.ts). The first of a day stands by itself and is exact. Of the others:
 * - calls and all counters exactly; times of statements to 1 µs (extremes to 1 ns), the mean is total / calls;
 * - M2 = calls·stddev² to 2^-21 of what was added to it since that first one: of the spread of a minute a day later
 *   some 1440·2^-21, less than a thousandth;
 * - last_seq_scan and last_idx_scan cut to the minute.
 */
import { frame, isOldBody, unframe } from './body-frame.ts';
import { decodeCounters, encodeCounters, type PlainChanges } from './counter-codec.ts';
import type { Interval } from './counter-table.ts';
import {
  type CounterNoun,
  columnsOf,
  counterNouns,
  derived,
  keyOf,
  rowsOf,
  stateOfFull,
} from './fast-state.ts';
import type { Row } from './row-delta.ts';
import {
  decodeRowNouns,
  decodeWhole,
  type EncodedNouns,
  encodeRowNouns,
  encodeWhole,
  type SnapshotMeta,
  type SnapshotRows,
} from './snapshot-codec.ts';

/** 4: of a row's changed cells that are no counters the changed ones alone. 2, with all of them, reads the same. */
const FORMAT = 4;
const READ: readonly (number | undefined)[] = [2, FORMAT];

/** What a difference is from. */
export interface FullBase {
  meta: SnapshotMeta;
  rows: SnapshotRows;
}

interface Head {
  full_version: 2 | 4;
  meta: SnapshotMeta;
  rows: EncodedNouns;
  plain: PlainChanges;
}

function intervalOf(base: SnapshotMeta, meta: SnapshotMeta): Interval {
  return {
    seconds: Math.max(1, (Date.parse(meta.collected_at) - Date.parse(base.collected_at)) / 1000),
    weight: 1,
    minute: Math.floor(Date.parse(meta.taken_at) / 60_000),
    spread_bits: 20,
  };
}

const counterNames = Object.fromEntries(
  counterNouns.map((noun) => [
    noun,
    [...columnsOf[noun].map(({ name }) => name), ...(noun === 'statements' ? derived : [])],
  ]),
) as Record<CounterNoun, string[]>;

const byKey = (noun: CounterNoun, rows: readonly Row[]) =>
  new Map(rows.map((row) => [keyOf[noun](row), row]));

/** The rows with the base's counters in place of their own, so that these take nothing. */
function withoutCounters(rows: SnapshotRows, base: SnapshotRows): SnapshotRows {
  const result = { ...rows };
  for (const noun of counterNouns) {
    const known = byKey(noun, base[noun]);
    result[noun] = rows[noun].map((row) => {
      const before = known.get(keyOf[noun](row));
      if (!before) return row;
      const same = { ...row };
      for (const name of counterNames[noun]) if (before[name] !== undefined) same[name] = before[name];
      return same;
    });
  }
  return result;
}

/** A key that is there twice: no counters could be told apart by it. */
function hasDoubles(rows: SnapshotRows): boolean {
  return counterNouns.some((noun) => byKey(noun, rows[noun]).size < rows[noun].length);
}

/** @param base the snapshot to write the difference from; null: the body stands by itself. */
export async function encodeFull(
  meta: SnapshotMeta,
  rows: SnapshotRows,
  base: FullBase | null,
): Promise<Buffer> {
  if (!base || hasDoubles(rows) || hasDoubles(base.rows)) return encodeWhole(meta, rows, base?.rows ?? null);
  const before = stateOfFull(base.rows, base.meta.collected_at);
  const { plain, bytes } = encodeCounters(rows, before, intervalOf(base.meta, meta));
  const head: Head = {
    full_version: FORMAT,
    meta,
    rows: encodeRowNouns(withoutCounters(rows, base.rows), base.rows),
    plain,
  };
  return frame(FORMAT, head, bytes);
}

/** @param base as it was given to `encodeFull`. */
export async function decodeFull(body: Buffer, base: FullBase | null): Promise<FullBase> {
  if (isOldBody(body)) return decodeWhole(body, base?.rows ?? null);
  if (!READ.includes(body[0])) throw new Error(`snapshot format ${body[0]} is not known here`);
  if (!base) throw new Error('a difference without what it is from');
  const { head, bytes } = await unframe<Head>(body);
  const before = stateOfFull(base.rows, base.meta.collected_at);
  const tables = decodeCounters(bytes, head.plain, before, intervalOf(base.meta, head.meta));
  const rows = decodeRowNouns(head.rows, base.rows);
  for (const noun of counterNouns) {
    const known = byKey(noun, base.rows[noun]);
    const counted = byKey(noun, rowsOf(noun, tables[noun]));
    rows[noun] = rows[noun].map((row) => {
      const key = keyOf[noun](row);
      return known.has(key) ? { ...row, ...counted.get(key) } : row;
    });
  }
  return { meta: head.meta, rows };
}
