/**
 * Fast snapshots as they were written before format 2: JSON rows as differences from the row before. Read, never
 * written; the first one after an update goes on from them in the new format.
 */
import type { FastSnapshot, StatementRow } from '../domain/index.ts';
import { fromLeaves } from './leaves.ts';
import { decodeRows, type EncodedRows, type Row } from './row-delta.ts';
import { type SnapshotRows, unpackJson } from './snapshot-codec.ts';

type Noun = 'leaves' | 'statements' | 'tables' | 'indexes';

/** Rows as format 1 has them: `m2` is calls·stddev² as of the row before, `m2_code` what its interval adds. */
export interface OldFastState {
  format: 1;
  leaves: Row[];
  statements: Row[];
  tables: Row[];
  indexes: Row[];
}

const inSteps = (ms: number | null, perMs: number) => (ms === null ? null : Math.round(ms * perMs));

/** 0: nothing; else sign, exponent and 10 bits of mantissa. */
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

/** The row as the next difference is taken from it. */
function settle(given: Row): Row {
  const row = { ...given };
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

/** The columns of format 1, whatever a fast snapshot reads today. */
const tableColumns = [
  'oid',
  'seq_scan',
  'seq_tup_read',
  'idx_scan',
  'idx_tup_fetch',
  'n_tup_ins',
  'n_tup_upd',
  'n_tup_del',
  'n_tup_hot_upd',
  'n_tup_newpage_upd',
  'n_live_tup',
  'n_dead_tup',
  'n_mod_since_analyze',
  'n_ins_since_vacuum',
  'last_vacuum',
  'last_autovacuum',
  'last_analyze',
  'last_autoanalyze',
  'last_seq_scan',
  'last_idx_scan',
  'vacuum_count',
  'autovacuum_count',
  'analyze_count',
  'autoanalyze_count',
];
const indexColumns = ['oid', 'idx_scan', 'idx_tup_read', 'idx_tup_fetch', 'last_idx_scan'];
const momentColumns = ['last_seq_scan', 'last_idx_scan'];

function relationFromRow(row: Row): Row {
  const result = { ...row };
  for (const column of momentColumns) {
    if (typeof result[column] === 'number') result[column] = new Date(result[column] * 1000).toISOString();
  }
  return result;
}

function statementOfFull({ query_hash, ...full }: Row): Row {
  const {
    mean_exec_time_ms: _m,
    total_exec_time_ms,
    stddev_exec_time_ms,
    min_exec_time_ms,
    max_exec_time_ms,
    total_plan_time_ms,
    jit_time_ms,
    ...rest
  } = full as unknown as StatementRow;
  const total_us = Math.round(total_exec_time_ms * 1000);
  return {
    ...rest,
    query_hash,
    total_us,
    min_ns: inSteps(min_exec_time_ms, 1e6),
    max_ns: inSteps(max_exec_time_ms, 1e6),
    plan_us: inSteps(total_plan_time_ms, 1e3),
    jit_us: inSteps(jit_time_ms, 1e3),
    n0: rest.calls,
    t0: total_us,
    m2: rest.calls * stddev_exec_time_ms ** 2,
    m2_code: 0,
  };
}

function relationOfFull(row: Row, columns: readonly string[]): Row {
  const result: Row = {};
  for (const column of columns) {
    const value = row[column] ?? null;
    const isMoment = typeof value === 'string' && momentColumns.includes(column);
    result[column] = isMoment ? Math.floor(Date.parse(value) / 1000) : value;
  }
  return result;
}

/** What the first of a chain is a difference from. The columns are in the order that format 1 had them in. */
export function oldStateOfFull(rows: SnapshotRows): OldFastState {
  return {
    format: 1,
    leaves: [],
    statements: rows.statements.map(statementOfFull),
    tables: rows.tables.map((row) => relationOfFull(row, tableColumns)),
    indexes: rows.indexes.map((row) => relationOfFull(row, indexColumns)),
  };
}

export async function decodeOldFast(body: Buffer, before: OldFastState): Promise<OldFastState> {
  const { fast_version, rows } = (await unpackJson(body)) as {
    fast_version: number;
    rows: Record<Noun, EncodedRows>;
  };
  if (fast_version !== 1) throw new Error(`fast snapshot format ${fast_version} is not known here`);
  return {
    format: 1,
    leaves: decodeRows(rows.leaves, before.leaves),
    statements: decodeRows(rows.statements, before.statements).map(settle),
    tables: decodeRows(rows.tables, before.tables),
    indexes: decodeRows(rows.indexes, before.indexes),
  };
}

export function fastFromOldState(
  state: OldFastState,
  limits: FastSnapshot['limits'],
  texts: ReadonlyMap<string, string>,
): FastSnapshot {
  const rest = fromLeaves(state.leaves) as unknown as FastSnapshot;
  return {
    ...rest,
    // Older ones had none.
    collected_at: rest.collected_at ?? rest.taken_at,
    statements: state.statements.map((row) => statementFromRow(row, texts)),
    tables: state.tables.map(relationFromRow) as unknown as FastSnapshot['tables'],
    indexes: state.indexes.map(relationFromRow) as unknown as FastSnapshot['indexes'],
    limits,
  };
}
