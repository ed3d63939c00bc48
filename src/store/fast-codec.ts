/**
 * A fast snapshot as rows that differ little from those of the one before it, and back.
 *
 * Lossy, by design and within bounds that never add up (each difference is taken from what a reader will see):
 * times of statements are kept to 1 µs (the extremes to 1 ns), an interval's sum of squared deviations to 2^-10 of
 * itself, last_seq_scan and last_idx_scan cut to 1 s; the mean is derived. All else is exact.
 * The error of an interval's spread is made good in the next one: that carries 2^-10 of the spread of the one before. Full snapshots are exact.
 */
import {
  type FastSnapshot,
  indexCounterColumns,
  type StatementRow,
  statementKey,
  tableCounterColumns,
} from '../domain/index.ts';
import { decodeRows, type EncodedRows, encodeRows, type Row } from './row-delta.ts';
import { contentHash, packJson, type SnapshotRows, unpackJson } from './snapshot-codec.ts';

const nouns = ['leaves', 'statements', 'tables', 'indexes'] as const;
type Noun = (typeof nouns)[number];
/** What the next difference is taken from. */
export type FastState = Record<Noun, Row[]>;

const keyOf: Record<Noun, (row: Row) => string> = {
  leaves: (row) => row.path as string,
  statements: (row) => statementKey(row as unknown as StatementRow),
  tables: (row) => String(row.oid),
  indexes: (row) => String(row.oid),
};

/** Leaves of a JSON value with their paths: what is not a row of a large noun is kept so, whatever fields it has. */
function leavesOf(value: unknown, path: (string | number)[] = [], leaves: Row[] = []): Row[] {
  const isBranch = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isBranch) {
    if (value !== undefined) leaves.push({ path: JSON.stringify(path), value });
    return leaves;
  }
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  for (const [key, item] of entries) leavesOf(item, [...path, key], leaves);
  return leaves;
}

function fromLeaves(leaves: readonly Row[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, value } of leaves) {
    const keys = JSON.parse(path as string) as (string | number)[];
    let at = root;
    keys.forEach((key, index) => {
      const next = keys[index + 1];
      // An empty object or list is shared with the state: copied.
      if (next === undefined) at[key] = structuredClone(value);
      else at[key] ??= typeof next === 'number' ? [] : {};
      at = at[key] as Record<string, unknown>;
    });
  }
  return root;
}

const inSteps = (ms: number | null, perMs: number) => (ms === null ? null : Math.round(ms * perMs));

/** The number rounded to 10 bits of mantissa (an error of at most 2^-10) as an integer that is small for usual ones; 0: nothing. */
function codeOf(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  // Below 2^-60 ms² nothing is meant.
  if (exponent < -60) return 0;
  const mantissa = Math.round(Math.abs(value) * 2 ** (9 - exponent));
  return Math.sign(value) * ((exponent + 61) * 1024 + mantissa);
}

function numberOf(code: number): number {
  const size = Math.abs(code);
  // A mantissa of 1024 (rounded up) reads as the next exponent's 0: 512 to 1023 are all others.
  const [exponent, mantissa] =
    size % 1024 === 0 ? [size / 1024 - 62, 1024] : [Math.floor(size / 1024) - 61, size % 1024];
  return code === 0 ? 0 : Math.sign(code) * mantissa * 2 ** (exponent - 9);
}

/** What M2 grows by because an interval's mean differs from that of all before it (see workload/moments.ts). */
function growthByMean(row: Row): number {
  const [calls, before] = [row.calls as number, row.n0 as number];
  const n = calls - before;
  if (n <= 0 || before <= 0) return 0;
  const gap = ((row.total_us as number) - (row.t0 as number)) / n - (row.t0 as number) / before;
  return ((gap / 1000) ** 2 * before * n) / calls;
}

/**
 * A statement's row: `m2` is calls·stddev² as of the row before (n0 calls, t0 µs), `m2_code` what its interval adds
 * to it beyond the change of the mean. An interval's own spread is so kept to its own precision.
 */
function statementToRow(row: StatementRow, before: Row | undefined, hash: string | null): Row {
  const {
    query: _q,
    mean_exec_time_ms: _m,
    total_exec_time_ms,
    stddev_exec_time_ms,
    min_exec_time_ms,
    max_exec_time_ms,
    total_plan_time_ms,
    jit_time_ms,
    ...rest
  } = row;
  const total_us = Math.round(total_exec_time_ms * 1000);
  const exact = row.calls * stddev_exec_time_ms ** 2;
  const follows = before && row.calls >= (before.calls as number) && total_us >= (before.total_us as number);
  const result: Row = {
    ...rest,
    query_hash: hash ?? before?.query_hash ?? null,
    total_us,
    min_ns: inSteps(min_exec_time_ms, 1e6),
    max_ns: inSteps(max_exec_time_ms, 1e6),
    plan_us: inSteps(total_plan_time_ms, 1e3),
    jit_us: inSteps(jit_time_ms, 1e3),
    n0: follows ? before.n0 : row.calls,
    t0: follows ? before.t0 : total_us,
    m2: follows ? before.m2 : exact,
    m2_code: 0,
  };
  if (follows && row.calls > (before.calls as number)) {
    const code = codeOf(exact - (before.m2 as number) - growthByMean(result));
    // A single value has no spread of its own: what is left is rounding.
    const isRounding = Math.abs(numberOf(code)) < 1e-13 * exact;
    result.m2_code = isRounding ? 0 : code;
  }
  return result;
}

/** The row as the next difference is taken from it. */
function settle(row: Row): Row {
  row.m2 = Math.max(0, (row.m2 as number) + growthByMean(row) + numberOf(row.m2_code as number));
  row.m2_code = 0;
  row.n0 = row.calls;
  row.t0 = row.total_us;
  return row;
}

function statementFromRow(row: Row, texts: ReadonlyMap<string, string>): StatementRow {
  const {
    query_hash,
    total_us,
    min_ns,
    max_ns,
    plan_us,
    jit_us,
    n0: _n,
    t0: _t,
    m2,
    m2_code: _c,
    ...rest
  } = row;
  const calls = row.calls as number;
  const text = query_hash === null ? null : texts.get(query_hash as string);
  if (text === undefined) throw new Error(`statement text ${query_hash} is missing from the store`);
  return {
    ...(rest as unknown as StatementRow),
    query: text,
    total_exec_time_ms: (total_us as number) / 1e3,
    mean_exec_time_ms: calls > 0 ? (total_us as number) / 1e3 / calls : 0,
    stddev_exec_time_ms: calls > 0 ? Math.sqrt((m2 as number) / calls) : 0,
    min_exec_time_ms: (min_ns as number) / 1e6,
    max_exec_time_ms: (max_ns as number) / 1e6,
    total_plan_time_ms: (plan_us as number) / 1e3,
    jit_time_ms: jit_us === null ? null : (jit_us as number) / 1e3,
  };
}

const momentColumns = ['last_seq_scan', 'last_idx_scan'];

function relationToRow(row: object, columns: readonly string[]): Row {
  const result: Row = {};
  for (const column of columns) {
    const value = (row as Row)[column] ?? null;
    const isMoment = typeof value === 'string' && momentColumns.includes(column);
    result[column] = isMoment ? Math.floor(Date.parse(value) / 1000) : value;
  }
  return result;
}

function relationFromRow(row: Row): Row {
  const result = { ...row };
  for (const column of momentColumns) {
    if (typeof result[column] === 'number') result[column] = new Date(result[column] * 1000).toISOString();
  }
  return result;
}

/** The state that the first fast snapshot after a full one differs from. */
export function stateOfFull(rows: SnapshotRows): FastState {
  return {
    leaves: [],
    statements: rows.statements.map((row) =>
      settle(statementToRow(withoutHash(row), undefined, row.query_hash as string | null)),
    ),
    tables: rows.tables.map((row) => relationToRow(row, tableCounterColumns)),
    indexes: rows.indexes.map((row) => relationToRow(row, indexCounterColumns)),
  };
}

function withoutHash({ query_hash: _h, ...row }: Row): StatementRow {
  return row as unknown as StatementRow;
}

/**
 * @param before what the difference is taken from.
 * @param newest the newest snapshot's state: texts that the store had then were not read again.
 */
export async function encodeFast(
  fast: FastSnapshot,
  before: FastState,
  newest: FastState,
): Promise<{ body: Buffer; texts: Map<string, string> }> {
  // Limits are in the header.
  const { statements, tables, indexes, limits: _l, ...rest } = fast;
  const known = new Map(before.statements.map((row) => [keyOf.statements(row), row]));
  const hashes = new Map(
    newest.statements.map((row) => [keyOf.statements(row), row.query_hash as string | null]),
  );
  const texts = new Map<string, string>();
  const rows: FastState = {
    leaves: leavesOf(rest),
    statements: statements.map((row) => {
      const key = statementKey(row);
      const hash = row.query === null ? (hashes.get(key) ?? null) : contentHash(row.query);
      if (hash !== null && row.query !== null) texts.set(hash, row.query);
      return statementToRow(row, known.get(key), hash);
    }),
    tables: tables.map((row) => relationToRow(row, tableCounterColumns)),
    indexes: indexes.map((row) => relationToRow(row, indexCounterColumns)),
  };
  const encoded = nouns.map((noun) => [noun, encodeRows(rows[noun], before[noun], keyOf[noun])]);
  return { body: await packJson({ fast_version: 1, rows: Object.fromEntries(encoded) }), texts };
}

export async function decodeFast(body: Buffer, before: FastState): Promise<FastState> {
  const { fast_version, rows } = (await unpackJson(body)) as {
    fast_version: number;
    rows: Record<Noun, EncodedRows>;
  };
  if (fast_version !== 1) throw new Error(`fast snapshot format ${fast_version} is not known here`);
  return {
    leaves: decodeRows(rows.leaves, before.leaves),
    statements: decodeRows(rows.statements, before.statements).map(settle),
    tables: decodeRows(rows.tables, before.tables),
    indexes: decodeRows(rows.indexes, before.indexes),
  };
}

/** Hashes of the statements' texts. */
export function textsOfState(state: FastState): string[] {
  return [
    ...new Set(state.statements.flatMap(({ query_hash: hash }) => (hash === null ? [] : [hash as string]))),
  ];
}

export function fastFromState(
  state: FastState,
  limits: FastSnapshot['limits'],
  texts: ReadonlyMap<string, string>,
): FastSnapshot {
  return {
    ...(fromLeaves(state.leaves) as unknown as FastSnapshot),
    statements: state.statements.map((row) => statementFromRow(row, texts)),
    tables: state.tables.map(relationFromRow) as unknown as FastSnapshot['tables'],
    indexes: state.indexes.map(relationFromRow) as unknown as FastSnapshot['indexes'],
    limits,
  };
}
