/**
 * A fast snapshot as its difference from another's state: one byte of format, what is no counter as compressed JSON,
 * then every counter against its forecast (counter-models.ts, counter-table.ts) in the bits that it takes.
 *
 * What comes back:
 * - exactly: calls, rows, blocks, WAL, every counter of tables and indexes, everything that is no counter;
 * - times of statements to 1 µs (cumulative, so an interval's to 1 µs as well), their extremes to 1 ns; the mean is
 *   total / calls;
 * - M2 = calls·stddev² to 2^-8 of what the last interval with more than one call added to it within itself, plus what
 *   1 µs in the times makes of it (3 µs·|interval's mean − mean before| for each interval since). Errors never add up:
 *   each difference is taken from what a reader sees. So an interval's own variance is off by 2^-8 of itself and of the
 *   one before's at most, its standard deviation by half of that. A row that is new or began anew: exactly;
 * - last_seq_scan and last_idx_scan cut to the minute;
 * - rows in the order of the snapshot before, new ones behind: the views have no order of their own.
 * Full snapshots: see full-codec.ts.
 */
import type { FastSnapshot } from '../domain/index.ts';
import { frame, unframe } from './body-frame.ts';
import { decodeCounters, encodeCounters, type PlainChanges, positionsOf } from './counter-codec.ts';
import type { Interval } from './counter-table.ts';
import { type CounterNoun, type FastState, keyOf } from './fast-state.ts';
import { leavesOf } from './leaves.ts';
import { decodeRows, type EncodedRows, encodeRows, type Row } from './row-delta.ts';
import { contentHash } from './snapshot-codec.ts';

/** 4: of a row's changed cells that are no counters the changed ones alone. 2, with all of them, reads the same. */
const FORMAT = 4;
const READ: readonly (number | undefined)[] = [2, FORMAT];
/** Rates are remembered for so long, s. */
const MEMORY_S = 180;

interface Head {
  fast_version: 2 | 4;
  /** When it was collected, on our clock; and the minute that it was on the target's. */
  at_ms: number;
  minute: number;
  leaves: EncodedRows;
  plain: PlainChanges;
}

function intervalOf(
  before: FastState,
  { at_ms, minute }: Pick<Head, 'at_ms' | 'minute'>,
): Interval & { history_s: number } {
  // A clock that was set back is no reason to fail.
  const seconds = Math.max(1, (at_ms - before.at_ms) / 1000);
  return {
    seconds,
    weight: seconds / (seconds + Math.min(before.history_s, MEMORY_S)),
    minute,
    spread_bits: 7,
    history_s: before.history_s + seconds,
  };
}

/**
 * @param before what the difference is taken from.
 * @param newest the newest snapshot's state: texts that the store had then were not read again.
 * @returns the body, texts by hash, and the state as it will be read.
 */
export async function encodeFast(
  fast: FastSnapshot,
  before: FastState,
  newest: FastState,
): Promise<{ body: Buffer; texts: Map<string, string>; state: FastState }> {
  // Limits are in the header.
  const { statements, tables, indexes, limits: _l, ...rest } = fast;
  const at_ms = Date.parse(fast.collected_at);
  const minute = Math.floor(Date.parse(fast.taken_at) / 60_000);
  const { history_s, ...interval } = intervalOf(before, { at_ms, minute });
  const known = positionsOf('statements', newest.statements);
  const texts = new Map<string, string>();
  const hashed = statements.map(({ query, ...row }): Row => {
    const at = query === null ? known.get(keyOf.statements(row as unknown as Row)) : undefined;
    const query_hash =
      query !== null ? contentHash(query) : at === undefined ? null : newest.statements.rows[at]?.query_hash;
    if (query !== null) texts.set(query_hash as string, query);
    return { ...row, query_hash: query_hash ?? null };
  });
  const given: Record<CounterNoun, readonly Row[]> = {
    statements: hashed,
    tables: tables as unknown as Row[],
    indexes: indexes as unknown as Row[],
  };
  const leaves = leavesOf(rest);
  const { plain, bytes, tables: tablesNow } = encodeCounters(given, before, interval);
  const head: Head = {
    fast_version: FORMAT,
    at_ms,
    minute,
    leaves: encodeRows(leaves, before.leaves, (row) => row.path as string),
    plain,
  };
  return {
    body: await frame(FORMAT, head, bytes),
    texts,
    state: { format: 2, at_ms, history_s, leaves, ...tablesNow },
  };
}

export async function decodeFast(body: Buffer, before: FastState): Promise<FastState> {
  if (!READ.includes(body[0])) throw new Error(`fast snapshot format ${body[0]} is not known here`);
  const { head, bytes } = await unframe<Head>(body);
  const { history_s, ...interval } = intervalOf(before, head);
  const tablesNow = decodeCounters(bytes, head.plain, before, interval);
  return {
    format: 2,
    at_ms: head.at_ms,
    history_s,
    leaves: decodeRows(head.leaves, before.leaves),
    ...tablesNow,
  };
}
