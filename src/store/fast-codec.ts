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
 * Full snapshots are exact.
 */
import type { FastSnapshot } from '../domain/index.ts';
import { BitReader, BitWriter } from './bit-coder.ts';
import {
  type CounterTable,
  copyTable,
  EXTRA_COLUMNS,
  type Goal,
  type Interval,
  walk,
} from './counter-table.ts';
import {
  type CounterNoun,
  columnsOf,
  counterNouns,
  type FastState,
  keyOf,
  m2Of,
  plainPart,
  putCells,
} from './fast-state.ts';
import { leavesOf } from './leaves.ts';
import { NumberCoder } from './number-coder.ts';
import { decodeRows, type EncodedRows, encodeRows, type Row } from './row-delta.ts';
import { contentHash, packJson, unpackJson } from './snapshot-codec.ts';

/** First byte of a body. Even: those of format 1, plain Brotli with its usual window, begin with an odd one. */
const FORMAT = 2;
/** Format, then the length of the JSON. */
const HEAD_BYTES = 5;
/** Rates are remembered for so long, s. */
const MEMORY_S = 180;

/** What is no counter of one noun. */
interface PlainChange {
  /** Positions of the base's rows that are gone. */
  removed?: number[];
  /** New rows, and rows that are others now at a position. */
  added?: Row[];
  changed?: [number, Row][];
  /** Rows with cells that are no numbers, at their positions. */
  odd?: [number, Row][];
}

interface Head {
  fast_version: 2;
  /** When it was collected, on our clock; and the minute that it was on the target's. */
  at_ms: number;
  minute: number;
  leaves: EncodedRows;
  plain: Partial<Record<CounterNoun, PlainChange>>;
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
    history_s: before.history_s + seconds,
  };
}

const positions = new WeakMap<Row[], Map<string, number>>();

/** Where each row of the table stands, by key. */
function positionsOf(noun: CounterNoun, { rows }: CounterTable): Map<string, number> {
  let known = positions.get(rows);
  if (!known) {
    known = new Map(rows.map((row, index) => [keyOf[noun](row), index]));
    positions.set(rows, known);
  }
  return known;
}

function samePlain(a: Row, b: Row): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Rows that are to come after `before`, with what is no counter of them, and the table to walk. */
function prepareNoun(noun: CounterNoun, before: CounterTable, given: readonly Row[]) {
  const known = positionsOf(noun, before);
  const place = new Array<Row | undefined>(before.rows.length);
  const added: Row[] = [];
  for (const row of given) {
    const at = known.get(keyOf[noun](row));
    // What was odd before has no counters to go on from.
    if (at === undefined || place[at] !== undefined || before.odd.has(at)) added.push(row);
    else place[at] = row;
  }
  const removed: number[] = [];
  const rows: Row[] = [];
  for (let at = 0; at < before.rows.length; at += 1) {
    const row = place[at];
    if (row === undefined) removed.push(at);
    else rows.push(row);
  }
  const firstAdded = rows.length;
  rows.push(...added);
  const plainAdded = added.map((row) => plainPart(noun, row));
  const table = copyTable(before, new Set(removed), plainAdded);
  const goal: Goal = {
    cells: columnsOf[noun].map(() => new Float64Array(rows.length)),
    m2: table.spreads && new Float64Array(rows.length),
    fresh: new Uint8Array(rows.length),
  };
  const changed: [number, Row][] = [];
  const odd: [number, Row][] = [];
  rows.forEach((row, position) => {
    const whole = putCells(noun, row, goal.cells, position);
    if (whole) odd.push([position, whole]);
    const plainBefore = table.rows[position] as Row;
    if (position < firstAdded && noun === 'statements') {
      const plain = plainPart(noun, row);
      if (!samePlain(plain, plainBefore)) changed.push([position, plain]);
      if (!whole && beganAnew(row, plain, plainBefore, table, goal, position)) goal.fresh[position] = 1;
    }
    if (goal.m2 && !whole) goal.m2[position] = m2Of(row);
  });
  const plain: PlainChange = {
    ...(removed.length > 0 ? { removed } : {}),
    ...(added.length > 0 ? { added: plainAdded } : {}),
    ...(changed.length > 0 ? { changed } : {}),
    ...(odd.length > 0 ? { odd } : {}),
  };
  return { table: withPlain(table, plain), goal, plain, firstAdded };
}

/** The statement's counters do not go on from those before. */
function beganAnew(
  row: Row,
  plain: Row,
  plainBefore: Row,
  { cells, spreads }: CounterTable,
  goal: Goal,
  position: number,
): boolean {
  const step = (c: number) => (goal.cells[c]?.[position] ?? 0) - (cells[c]?.[position] ?? 0);
  if (step(0) < 0 || step(1) < 0 || plain.stats_since !== plainBefore.stats_since) return true;
  if (step(0) > 0 || !spreads) return false;
  const loose = (spreads.slack[position] ?? 0) + 1e-9 * m2Of(row);
  return step(1) > 0 || Math.abs(m2Of(row) - (spreads.m2[position] ?? 0)) > loose;
}

function withPlain(table: CounterTable, { changed = [], odd = [] }: PlainChange): CounterTable {
  if (changed.length > 0) {
    table.rows = [...table.rows];
    for (const [position, row] of changed) table.rows[position] = row;
  }
  for (const [position, row] of odd) table.odd.set(position, row);
  return table;
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
  const at_ms = Date.parse(fast.collected_at ?? fast.taken_at);
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
  const head: Head = {
    fast_version: FORMAT,
    at_ms,
    minute,
    leaves: encodeRows(leaves, before.leaves, (row) => row.path as string),
    plain: {},
  };
  const writer = new BitWriter();
  const tablesNow = {} as Record<CounterNoun, CounterTable>;
  for (const noun of counterNouns) {
    const { table, goal, plain, firstAdded } = prepareNoun(noun, before[noun], given[noun]);
    head.plain[noun] = plain;
    walk(coderOf(noun, writer, table), columnsOf[noun], table, goal, interval, firstAdded);
    tablesNow[noun] = table;
  }
  const json = await packJson(head);
  const start = Buffer.alloc(HEAD_BYTES);
  start.writeUInt8(FORMAT, 0);
  start.writeUInt32BE(json.length, 1);
  return {
    body: Buffer.concat([start, json, writer.finish()]),
    texts,
    state: { format: 2, at_ms, history_s, leaves, ...tablesNow },
  };
}

function coderOf(noun: CounterNoun, bits: BitReader | BitWriter, table: CounterTable): NumberCoder {
  return new NumberCoder(bits, table.models, columnsOf[noun].length + EXTRA_COLUMNS);
}

/** Of format 1: see fast-codec-v1.ts. */
export function isOldBody(body: Buffer): boolean {
  return (body[0] ?? 0) % 2 === 1;
}

export async function decodeFast(body: Buffer, before: FastState): Promise<FastState> {
  if (body[0] !== FORMAT) throw new Error(`fast snapshot format ${body[0]} is not known here`);
  const length = body.readUInt32BE(1);
  const head = (await unpackJson(body.subarray(HEAD_BYTES, HEAD_BYTES + length))) as Head;
  const { history_s, ...interval } = intervalOf(before, head);
  const reader = new BitReader(body.subarray(HEAD_BYTES + length));
  const tablesNow = {} as Record<CounterNoun, CounterTable>;
  for (const noun of counterNouns) {
    const plain = head.plain[noun] ?? {};
    const removed = new Set(plain.removed);
    const table = withPlain(copyTable(before[noun], removed, plain.added), plain);
    const firstAdded = table.rows.length - (plain.added?.length ?? 0);
    walk(coderOf(noun, reader, table), columnsOf[noun], table, null, interval, firstAdded);
    tablesNow[noun] = table;
  }
  return {
    format: 2,
    at_ms: head.at_ms,
    history_s,
    leaves: decodeRows(head.leaves, before.leaves),
    ...tablesNow,
  };
}
