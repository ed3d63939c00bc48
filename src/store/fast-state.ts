/** A fast snapshot as the next difference is taken from it: counters as columns, the rest as it is. */
import { type FastSnapshot, type StatementRow, statementKey } from '../domain/index.ts';
import {
  type CounterColumn,
  cellOf,
  cellValue,
  indexColumns,
  statementColumns,
  tableColumns,
} from './counter-models.ts';
import { type CounterTable, newTable, type Spreads, tableBytes } from './counter-table.ts';
import type { OldFastState } from './fast-codec-v1.ts';
import { fromLeaves } from './leaves.ts';
import type { Row } from './row-delta.ts';
import type { SnapshotRows } from './snapshot-codec.ts';

export const counterNouns = ['statements', 'tables', 'indexes'] as const;
export type CounterNoun = (typeof counterNouns)[number];

export interface FastState extends Record<CounterNoun, CounterTable> {
  format: 2;
  /** When it was collected, ms since 1970, and for how long the intervals since the full one lasted, s. */
  at_ms: number;
  history_s: number;
  leaves: Row[];
}

export const columnsOf: Record<CounterNoun, readonly CounterColumn[]> = {
  statements: statementColumns,
  tables: tableColumns,
  indexes: indexColumns,
};

export const keyOf: Record<CounterNoun, (row: Row) => string> = {
  statements: (row) => statementKey(row as unknown as StatementRow),
  tables: (row) => String(row.oid),
  indexes: (row) => String(row.oid),
};

/** Not kept as they are: counters, and what follows from them or stands elsewhere. */
export const derived = ['mean_exec_time_ms', 'stddev_exec_time_ms', 'query'];
const apart = Object.fromEntries(
  counterNouns.map((noun) => [
    noun,
    new Set([...columnsOf[noun].map(({ name }) => name), ...(noun === 'statements' ? derived : [])]),
  ]),
) as unknown as Record<CounterNoun, ReadonlySet<string>>;

/** What of a row is no counter: of a relation, its OID alone. */
export function plainPart(noun: CounterNoun, row: Row): Row {
  if (noun !== 'statements') return { oid: row.oid };
  const plain: Row = {};
  for (const name of Object.keys(row)) if (!apart[noun].has(name)) plain[name] = row[name];
  return plain;
}

/** What of a row its whole is, where a cell cannot be a number. */
function wholePart(noun: CounterNoun, row: Row): Row {
  if (noun === 'statements') {
    const { query: _q, ...whole } = row;
    return whole;
  }
  return {
    oid: row.oid,
    ...Object.fromEntries(columnsOf[noun].map(({ name }) => [name, row[name] ?? null])),
  };
}

/** Puts a row's cells at a position. Null; or the row, where one of them is no safe integer. */
export function putCells(noun: CounterNoun, row: Row, cells: Float64Array[], position: number): Row | null {
  const columns = columnsOf[noun];
  for (let c = 0; c < columns.length; c += 1) {
    const { name, unit, nullable } = columns[c] as CounterColumn;
    const cell = cellOf(unit, row[name] ?? null);
    if (cell === undefined || (Number.isNaN(cell) && !nullable)) {
      for (const column of cells) column[position] = 0;
      return wholePart(noun, row);
    }
    (cells[c] as Float64Array)[position] = cell;
  }
  return null;
}

/** Sum of squared deviations of all calls, ms². */
export function m2Of(row: Row): number {
  return (row.calls as number) * (row.stddev_exec_time_ms as number) ** 2;
}

function tableOf(noun: CounterNoun, rows: readonly Row[]): CounterTable {
  const table = newTable(
    rows.map((row) => plainPart(noun, row)),
    columnsOf[noun],
    noun === 'statements',
  );
  rows.forEach((row, position) => {
    const odd = putCells(noun, row, table.cells, position);
    if (odd) table.odd.set(position, odd);
    else if (table.spreads) {
      table.spreads.m2[position] = m2Of(row);
      // A full snapshot's own bound: no reason to make it good at a lone call.
      table.spreads.slack[position] = m2Of(row) * 2 ** -20;
    }
  });
  return table;
}

const states = new WeakMap<object, FastState>();

/** The state that the first fast snapshot after a full one differs from; made once of the same rows. */
export function stateOfFull(rows: Omit<SnapshotRows, 'parts'>, collectedAt: string): FastState {
  const known = states.get(rows);
  if (known?.at_ms === Date.parse(collectedAt)) return known;
  const state = newStateOf(rows, collectedAt);
  states.set(rows, state);
  return state;
}

function newStateOf(rows: Omit<SnapshotRows, 'parts'>, collectedAt: string): FastState {
  return {
    format: 2,
    at_ms: Date.parse(collectedAt),
    history_s: 0,
    leaves: [],
    statements: tableOf('statements', rows.statements),
    tables: tableOf('tables', rows.tables),
    indexes: tableOf('indexes', rows.indexes),
  };
}

/** The state of a snapshot of the format before. */
export function stateOfOld(old: OldFastState): FastState {
  const { taken_at, collected_at } = fromLeaves(old.leaves) as unknown as FastSnapshot;
  const statements = old.statements.map(
    ({ total_us, min_ns, max_ns, plan_us, jit_us, n0: _n, t0: _t, m2, m2_code: _c, ...rest }): Row => ({
      ...rest,
      total_exec_time_ms: (total_us as number) / 1e3,
      min_exec_time_ms: (min_ns as number) / 1e6,
      max_exec_time_ms: (max_ns as number) / 1e6,
      total_plan_time_ms: (plan_us as number) / 1e3,
      jit_time_ms: jit_us === null ? null : (jit_us as number) / 1e3,
      stddev_exec_time_ms:
        (rest.calls as number) > 0 ? Math.sqrt((m2 as number) / (rest.calls as number)) : 0,
    }),
  );
  const moments = (row: Row): Row => {
    const at = (name: string) =>
      typeof row[name] === 'number' ? { [name]: new Date((row[name] as number) * 1000).toISOString() } : {};
    return { ...row, ...at('last_seq_scan'), ...at('last_idx_scan') };
  };
  return {
    ...stateOfFull(
      {
        server: [],
        host: [],
        counters: [],
        statements_info: [],
        statements,
        tables: old.tables.map(moments),
        indexes: old.indexes.map(moments),
      },
      collected_at ?? taken_at,
    ),
    leaves: old.leaves,
  };
}

/** The rows with their counters. */
export function rowsOf(noun: CounterNoun, table: CounterTable): Row[] {
  const columns = columnsOf[noun];
  return table.rows.map((plain, position) => {
    const odd = table.odd.get(position);
    if (odd) return { ...odd };
    const row: Row = { ...plain };
    columns.forEach(({ name, unit }, c) => {
      row[name] = cellValue(unit, (table.cells[c] as Float64Array)[position] as number);
    });
    if (table.spreads) putMoments(row, table.spreads, position);
    return row;
  });
}

function putMoments(row: Row, { m2 }: Spreads, position: number): void {
  const calls = row.calls as number;
  row.mean_exec_time_ms = calls > 0 ? (row.total_exec_time_ms as number) / calls : 0;
  row.stddev_exec_time_ms = calls > 0 ? Math.sqrt((m2[position] as number) / calls) : 0;
}

/** The snapshot again, in the rows' order of its chain. */
export function fastFromState(
  state: FastState,
  limits: FastSnapshot['limits'],
  texts: ReadonlyMap<string, string>,
): FastSnapshot {
  const textOf = (hash: unknown) => {
    const text = hash === null ? null : texts.get(hash as string);
    if (text === undefined) throw new Error(`statement text ${hash} is missing from the store`);
    return text;
  };
  return {
    ...(fromLeaves(state.leaves) as unknown as FastSnapshot),
    statements: rowsOf('statements', state.statements).map(
      ({ query_hash, ...row }) => ({ ...row, query: textOf(query_hash) }) as unknown as StatementRow,
    ),
    tables: rowsOf('tables', state.tables) as unknown as FastSnapshot['tables'],
    indexes: rowsOf('indexes', state.indexes) as unknown as FastSnapshot['indexes'],
    limits,
  };
}

/** Bytes that it takes in memory, about. */
export function stateBytes(state: FastState): number {
  return counterNouns.reduce((sum, noun) => sum + tableBytes(state[noun]), 0) + state.leaves.length * 100;
}
