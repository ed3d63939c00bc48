/** One noun's rows as columns of numbers, and the walk that writes or reads what changed in them. */
import { type BitModels, copyModels } from './bit-coder.ts';
import type { CounterColumn } from './counter-models.ts';
import { bitLength, type NumberCoder, numberModels } from './number-coder.ts';
import type { Row } from './row-delta.ts';
import { growthByMean, spreadCode, spreadOf } from './spread.ts';

/** What is remembered of statements' spreads; see spread.ts. */
export interface Spreads {
  /** calls·stddev² as a reader sees it. */
  m2: Float64Array;
  /** What it may be off by. */
  slack: Float64Array;
  /** Variance within the last interval that had one. */
  usual: Float64Array;
}

export interface CounterTable {
  /** What is no counter: identity, texts' hashes. Shared between states: never changed in place. */
  rows: Row[];
  /** A column of cells each (NaN: null), how many bits its forecasts were off by (255: none yet), and how fast it grew. */
  cells: Float64Array[];
  misses: Uint8Array[];
  rates: Float64Array[];
  /** How often the row changed of late, 0 to 1. */
  active: Float64Array;
  spreads: Spreads | null;
  /** Rows with a cell that is no safe integer, as they are; their cells mean nothing. */
  odd: Map<number, Row>;
  models: BitModels;
}

/** What the walk is told: how long the interval was and how much of the state is older than it. */
export interface Interval {
  seconds: number;
  /** Weight of this interval in what is remembered, 0 to 1. */
  weight: number;
  /** The minute that it is on the target's clock. */
  minute: number;
  /** Leading bits that are kept of an interval's spread, at most 20. */
  spread_bits: number;
}

const ACTIVE_CLASSES = 16;
/** Column numbers behind the counters. */
const extraColumns = { active: 0, fresh: 1, null: 2, spread: 3, signs: 4 } as const;

/** Columns that models are kept for beyond the counters. */
export const EXTRA_COLUMNS = 5;

const noMiss = 255;

export function newTable(rows: Row[], columns: readonly CounterColumn[], withSpreads: boolean): CounterTable {
  const n = rows.length;
  return {
    rows,
    cells: columns.map(() => new Float64Array(n)),
    misses: columns.map(() => new Uint8Array(n).fill(noMiss)),
    rates: columns.map(({ forecast }) => new Float64Array(forecast.kind === 'rate' ? n : 0)),
    active: new Float64Array(n).fill(0.5),
    spreads: withSpreads
      ? { m2: new Float64Array(n), slack: new Float64Array(n), usual: new Float64Array(n) }
      : null,
    odd: new Map(),
    models: numberModels(columns.length + EXTRA_COLUMNS),
  };
}

/** A copy without the rows at the positions in `removed`, with `added` behind. */
export function copyTable(
  table: CounterTable,
  removed: ReadonlySet<number> = new Set(),
  added: readonly Row[] = [],
): CounterTable {
  const size = table.rows.length - removed.size + added.length;
  const kept = (_: unknown, index: number) => !removed.has(index);
  const moved = removed.size > 0 || added.length > 0;
  const take = <T extends Float64Array | Uint8Array>(from: T, fill: number): T => {
    if (!moved || from.length !== table.rows.length) return from.slice() as T;
    const to = new (from.constructor as new (size: number) => T)(size);
    let at = 0;
    for (let index = 0; index < from.length; index += 1) {
      if (removed.has(index)) continue;
      to[at] = from[index] as number;
      at += 1;
    }
    to.fill(fill, at);
    return to;
  };
  return {
    rows: moved ? [...table.rows.filter(kept), ...added] : table.rows,
    cells: table.cells.map((column) => take(column, 0)),
    misses: table.misses.map((column) => take(column, noMiss)),
    rates: table.rates.map((column) => take(column, 0)),
    active: take(table.active, 0.5),
    spreads: table.spreads && {
      m2: take(table.spreads.m2, 0),
      slack: take(table.spreads.slack, 0),
      usual: take(table.spreads.usual, 0),
    },
    odd: new Map(),
    models: copyModels(table.models),
  };
}

/** Bytes that it takes in memory, about. */
export function tableBytes(table: CounterTable): number {
  const n = table.rows.length;
  return n * (table.cells.length * 9 + table.rates.length * 8 + 8 + 24 + 60) + table.models.ones.length * 3;
}

/** What the rows are to become; null while reading. */
export interface Goal {
  cells: Float64Array[];
  m2: Float64Array | null;
  /** Of these nothing is known from before: they began anew. */
  fresh: Uint8Array;
}

function missClass(miss: number, step: number): number {
  return miss === noMiss ? 24 + Math.min(23, bitLength(Math.abs(step))) : Math.min(23, (miss + 4) >> 3);
}

/** The columns' forecasts, with names looked up. */
function prepare(columns: readonly CounterColumn[]) {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  return columns.map(({ forecast, nullable }) => ({
    kind: forecast.kind,
    nullable,
    by: forecast.kind === 'with' || forecast.kind === 'now' ? at(forecast.column) : -1,
    of: forecast.kind === 'sum' ? forecast.of.map(at) : [],
    less: forecast.kind === 'sum' ? (forecast.less ?? []).map(at) : [],
  }));
}

/**
 * Moves the table's rows on by an interval: towards `goal`, writing what it takes, or as the coder reads it. Both do
 * the same arithmetic in the same order; whatever is changed here makes a new format.
 * @param firstAdded rows from here on are new.
 */
export function walk(
  coder: NumberCoder,
  columns: readonly CounterColumn[],
  table: CounterTable,
  goal: Goal | null,
  { seconds, weight, minute, spread_bits }: Interval,
  firstAdded: number,
): void {
  const { cells, misses, rates, active, spreads } = table;
  const plan = prepare(columns);
  const extra = (name: keyof typeof extraColumns) => columns.length + extraColumns[name];
  const flag = (column: number, kind: number, value: boolean) => coder.flag(column, kind, value);
  const rated = plan.flatMap(({ kind }, c) => (kind === 'rate' ? [c] : []));
  const steps = new Float64Array(columns.length);
  const long = seconds >= 150 ? ACTIVE_CLASSES : 0;

  for (let row = 0; row < table.rows.length; row += 1) {
    if (table.odd.has(row)) continue;
    const added = row >= firstAdded;
    const before = { calls: cells[0]?.[row] as number, total_us: cells[1]?.[row] as number };
    const share = active[row] as number;
    const kind = added ? 40 : long + Math.min(ACTIVE_CLASSES - 1, Math.floor(share * ACTIVE_CLASSES));
    const changes = flag(extra('active'), kind, goal !== null && differs(goal, table, row));
    active[row] = share + ((changes ? 1 : 0) - share) * Math.min(weight, 0.25);
    if (!changes) {
      for (const c of rated)
        (rates[c] as Float64Array)[row] = ((rates[c] as Float64Array)[row] as number) * (1 - weight);
      continue;
    }
    steps.fill(0);
    const fresh = added || (spreads !== null && flag(extra('fresh'), 0, goal?.fresh[row] === 1));
    if (fresh) for (const column of cells) column[row] = 0;
    for (let c = 0; c < plan.length; c += 1) {
      const { kind: forecast, nullable, by, of, less } = plan[c] as (typeof plan)[number];
      const column = cells[c] as Float64Array;
      const rate = forecast === 'rate' ? (rates[c] as Float64Array) : null;
      const old = column[row] as number;
      const wasNull = Number.isNaN(old);
      const base = wasNull ? 0 : old;
      const wanted = goal ? (goal.cells[c]?.[row] as number) : 0;
      let step = 0;
      let quiet = 0;
      if (rate) step = Math.round((rate[row] as number) * seconds);
      else if (forecast === 'with') {
        const moved = steps[by] as number;
        const total = (cells[by]?.[row] as number) - moved;
        if (moved !== 0 && total !== 0 && !Number.isNaN(total)) step = Math.round((base / total) * moved);
        if (moved === 0) quiet = 1;
      } else if (forecast === 'sum') {
        for (const one of of) step += steps[one] as number;
        for (const one of less) step -= steps[one] as number;
      } else if (forecast === 'now' && steps[by] !== 0) step = minute - base;
      if (c === 0 && spreads && step < 1) step = 1;
      if (!Number.isSafeInteger(base + step) || base + step < 0) step = 0;
      if (nullable && flag(extra('null'), wasNull ? 1 + c : 0, goal !== null && Number.isNaN(wanted))) {
        column[row] = Number.NaN;
      } else {
        const miss = misses[c] as Uint8Array;
        const known = miss[row] as number;
        const off = coder.number(c, quiet ? 47 : missClass(known, step), wanted - (base + step));
        const now = base + step + off;
        column[row] = now;
        steps[c] = now - base;
        if (!quiet) {
          const bits = Math.min(30, bitLength(Math.abs(off))) * 8;
          miss[row] = known === noMiss ? bits : known + ((bits - known) >> 2);
        }
      }
      if (rate) {
        const slow = rate[row] as number;
        rate[row] = slow + (Math.max(0, steps[c] as number) / seconds - slow) * weight;
      }
    }
    if (spreads) moveSpread(row, fresh ? { calls: 0, total_us: 0 } : before);
  }

  function moveSpread(row: number, before: { calls: number; total_us: number }): void {
    const { m2, slack, usual } = spreads as Spreads;
    const now = { calls: cells[0]?.[row] as number, total_us: cells[1]?.[row] as number };
    const wanted = goal?.m2?.[row] ?? 0;
    const n = now.calls - before.calls;
    if (before.calls <= 0) {
      // Nothing to foretell it from, and an error in what may be years would drown each minute to come: as it is.
      m2[row] = flag(extra('signs'), 0, wanted === 0) ? 0 : exact(wanted);
      slack[row] = 0;
      usual[row] = n > 1 ? (m2[row] as number) / n : 0;
      return;
    }
    const { growth, rounding } = growthByMean(before, now);
    const grown = (m2[row] as number) + growth;
    const own = wanted - grown;
    const loose = (slack[row] as number) + rounding + 1e-13 * grown;
    // A single value has no spread of its own: what seems to be one is rounding.
    const none = n < 1 || (n === 1 ? Math.abs(own) <= loose : Math.abs(own) <= 1e-13 * grown);
    if (flag(extra('signs'), n > 1 ? 2 : 1, none)) {
      m2[row] = grown;
      slack[row] = loose;
      return;
    }
    const negative = flag(extra('signs'), n > 1 ? 4 : 3, own < 0);
    const spread = (usual[row] as number) || (m2[row] as number) / before.calls || 1e-6;
    const expected = spreadCode(spread * Math.max(1, n - 1), spread_bits);
    const off = coder.number(
      extra('spread'),
      Math.min(23, bitLength(n)),
      spreadCode(Math.abs(own), spread_bits) - expected,
    );
    const size = spreadOf(expected + off, spread_bits);
    m2[row] = Math.max(0, grown + (negative ? -size : size));
    slack[row] = size * 2 ** -(spread_bits + 1);
    if (n > 1 && !negative) usual[row] = (spread + size / (n - 1)) / 2;
  }

  /** All 64 bits of it. */
  function exact(value: number): number {
    const number = new DataView(new ArrayBuffer(8));
    number.setFloat64(0, value);
    for (const at of [0, 2, 4, 6]) number.setUint16(at, coder.bits.plain(16, number.getUint16(at)));
    return number.getFloat64(0);
  }
}

/** Any cell of the row is to become another. */
function differs(goal: Goal, table: CounterTable, row: number): boolean {
  if (goal.fresh[row] === 1) return true;
  return table.cells.some((column, c) => !Object.is(column[row], (goal.cells[c] as Float64Array)[row]));
}
