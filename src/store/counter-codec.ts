/** Counters of the three large nouns as what they differ from others by, and what is no counter of their rows. */
import { BitReader, BitWriter } from './bit-coder.ts';
import {
  type CounterTable,
  copyTable,
  EXTRA_COLUMNS,
  type Goal,
  type Interval,
  walk,
} from './counter-table.ts';
import { type CounterNoun, columnsOf, counterNouns, keyOf, m2Of, plainPart, putCells } from './fast-state.ts';
import { NumberCoder } from './number-coder.ts';
import type { Row } from './row-delta.ts';

/** What is no counter of one noun. */
interface PlainChange {
  /** Positions of the base's rows that are gone. */
  removed?: number[];
  added?: Row[];
  /** At a position, what of the row is another now (in format 2 the whole row, which comes to the same). */
  changed?: [number, Row][];
  /** Rows with cells that are no numbers, at their positions. */
  odd?: [number, Row][];
}

export type PlainChanges = Partial<Record<CounterNoun, PlainChange>>;
export type CounterTables = Record<CounterNoun, CounterTable>;

const positions = new WeakMap<Row[], Map<string, number>>();

/** Where each row of the table stands, by key. */
export function positionsOf(noun: CounterNoun, { rows }: CounterTable): Map<string, number> {
  let known = positions.get(rows);
  if (!known) {
    known = new Map(rows.map((row, index) => [keyOf[noun](row), index]));
    positions.set(rows, known);
  }
  return known;
}

/** Null: nothing. */
function whatChanged(now: Row, before: Row): Row | null {
  const names = Object.keys(now).filter((name) => now[name] !== before[name]);
  return names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, now[name]]));
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
      const other = whatChanged(plain, plainBefore);
      if (other) changed.push([position, other]);
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
    for (const [position, row] of changed) table.rows[position] = { ...table.rows[position], ...row };
  }
  for (const [position, row] of odd) table.odd.set(position, row);
  return table;
}

function coderOf(noun: CounterNoun, bits: BitReader | BitWriter, table: CounterTable): NumberCoder {
  return new NumberCoder(bits, table.models, columnsOf[noun].length + EXTRA_COLUMNS);
}

/** The rows as their difference from `before`, and the tables as they will be read. */
export function encodeCounters(
  given: Record<CounterNoun, readonly Row[]>,
  before: CounterTables,
  interval: Interval,
): { plain: PlainChanges; bytes: Uint8Array; tables: CounterTables } {
  const writer = new BitWriter();
  const plain: PlainChanges = {};
  const tables = {} as CounterTables;
  for (const noun of counterNouns) {
    const prepared = prepareNoun(noun, before[noun], given[noun]);
    const { table, goal, firstAdded } = prepared;
    walk(coderOf(noun, writer, table), columnsOf[noun], table, goal, interval, firstAdded);
    plain[noun] = prepared.plain;
    tables[noun] = table;
  }
  return { plain, bytes: writer.finish(), tables };
}

/** @param before as it was given to `encodeCounters`. */
export function decodeCounters(
  bytes: Uint8Array,
  plain: PlainChanges,
  before: CounterTables,
  interval: Interval,
): CounterTables {
  const reader = new BitReader(bytes);
  const tables = {} as CounterTables;
  for (const noun of counterNouns) {
    const changes = plain[noun] ?? {};
    const table = withPlain(copyTable(before[noun], new Set(changes.removed), changes.added), changes);
    const firstAdded = table.rows.length - (changes.added?.length ?? 0);
    walk(coderOf(noun, reader, table), columnsOf[noun], table, null, interval, firstAdded);
    tables[noun] = table;
  }
  return tables;
}
