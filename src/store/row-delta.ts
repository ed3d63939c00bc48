/**
 * Rows as their difference from the same noun's rows in another snapshot, by column, so that a counter that did not
 * move takes nothing and one that did takes its step. Exact: what is decoded equals what was encoded.
 */

export type Row = Record<string, unknown>;

/** Cells by position: how far after the cell before (the first: from −1), and what is there. */
type Cells = [gaps: number[], values: unknown[]];

export interface EncodedRows {
  /** Runs that make up the rows in order: [start, length] in the base's rows; start −1 takes the next new rows. */
  runs: [number, number][];
  /** New rows by column. */
  added: Record<string, unknown[]>;
  /** Cells of the base's rows that changed, positions counted over those that were taken: integers by their step. */
  steps: Record<string, Cells>;
  /** The others by their new value. */
  values: Record<string, Cells>;
  /** Rows do not all have the same columns: each is kept as one cell. */
  whole?: true;
}

const WHOLE = 'row';

function sameColumns(rows: readonly Row[]): boolean {
  const first = rows[0];
  if (!first) return true;
  const names = Object.keys(first);
  return rows.every(
    (row) => Object.keys(row).length === names.length && names.every((name) => row[name] !== undefined),
  );
}

/** Keys, with a number on those that are there more than once. */
function distinctKeys(rows: readonly Row[], keyOf: (row: Row) => string): string[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const key = keyOf(row);
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return times === 0 ? key : `${key}\0${times}`;
  });
}

function sameCell(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

function stepBetween(before: unknown, after: unknown): number | null {
  if (!Number.isSafeInteger(before) || !Number.isSafeInteger(after)) return null;
  const step = (after as number) - (before as number);
  return Number.isSafeInteger(step) ? step : null;
}

class CellWriter {
  readonly #cells = new Map<string, { last: number; gaps: number[]; values: unknown[] }>();

  put(column: string, position: number, value: unknown): void {
    const cells = this.#cells.get(column) ?? { last: -1, gaps: [], values: [] };
    this.#cells.set(column, cells);
    cells.gaps.push(position - cells.last);
    cells.values.push(value);
    cells.last = position;
  }

  result(): Record<string, Cells> {
    return Object.fromEntries([...this.#cells].map(([name, { gaps, values }]) => [name, [gaps, values]]));
  }
}

/** @param base rows of the snapshot that the difference is from; null: the rows stand by themselves. */
export function encodeRows(
  rows: readonly Row[],
  base: readonly Row[] | null,
  keyOf: (row: Row) => string,
): EncodedRows {
  const uniform = sameColumns([...rows, ...(base ?? [])]);
  const cellsOf = (row: Row): Row => (uniform ? row : { [WHOLE]: row });
  const columns = uniform ? Object.keys(rows[0] ?? {}) : [WHOLE];
  const baseRows = base ?? [];
  const places = new Map(distinctKeys(baseRows, keyOf).map((key, index) => [key, index]));
  const keys = distinctKeys(rows, keyOf);

  const runs: [number, number][] = [];
  const added: Row[] = [];
  const steps = new CellWriter();
  const values = new CellWriter();
  let taken = 0;
  rows.forEach((row, index) => {
    const place = places.get(keys[index] ?? '') ?? -1;
    const run = runs.at(-1);
    const continues = run && (place === -1 ? run[0] === -1 : run[0] !== -1 && run[0] + run[1] === place);
    if (continues) run[1] += 1;
    else runs.push([place, 1]);
    const before = baseRows[place];
    if (!before) {
      added.push(cellsOf(row));
      return;
    }
    const [old, now] = [cellsOf(before), cellsOf(row)];
    for (const column of columns) {
      if (sameCell(old[column], now[column])) continue;
      const step = stepBetween(old[column], now[column]);
      if (step === null) values.put(column, taken, now[column]);
      else steps.put(column, taken, step);
    }
    taken += 1;
  });
  return {
    runs,
    added:
      added.length > 0
        ? Object.fromEntries(columns.map((name) => [name, added.map((row) => row[name])]))
        : {},
    steps: steps.result(),
    values: values.result(),
    ...(uniform ? {} : { whole: true as const }),
  };
}

/**
 * The rows again; those that did not change are the base's own, which must not be written to.
 * @throws RangeError when `base` is not the one that they were encoded against.
 */
export function decodeRows(encoded: EncodedRows, base: readonly Row[] | null): Row[] {
  const { whole, added } = encoded;
  const columns = Object.keys(added);
  const rows: Row[] = [];
  /** Positions of the base's rows among all, and which of them are copies already. */
  const taken: number[] = [];
  const copied: boolean[] = [];
  let next = 0;
  for (const [start, length] of encoded.runs) {
    for (let offset = 0; offset < length; offset += 1) {
      if (start === -1) {
        const row: Row = {};
        for (const name of columns) row[name] = added[name]?.[next];
        rows.push(whole ? (row[WHOLE] as Row) : row);
        next += 1;
        continue;
      }
      const before = base?.[start + offset];
      if (!before) throw new RangeError('these rows were encoded against another base');
      taken.push(rows.length);
      rows.push(before);
    }
  }
  const change = (
    cells: Record<string, Cells>,
    apply: (row: Row, column: string, value: unknown) => void,
  ) => {
    for (const [column, [gaps, values]] of Object.entries(cells)) {
      let position = -1;
      gaps.forEach((gap, index) => {
        position += gap;
        const place = taken[position];
        if (place === undefined) throw new RangeError('these rows were encoded against another base');
        if (whole) {
          rows[place] = values[index] as Row;
          return;
        }
        if (!copied[position]) {
          rows[place] = { ...rows[place] };
          copied[position] = true;
        }
        apply(rows[place] as Row, column, values[index]);
      });
    }
  };
  change(encoded.steps, (row, column, step) => {
    row[column] = (row[column] as number) + (step as number);
  });
  change(encoded.values, (row, column, value) => {
    row[column] = value;
  });
  return rows;
}
