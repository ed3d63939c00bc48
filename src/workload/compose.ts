/** A long window out of short ones that follow each other, so that a reset or a restart within it costs only its gap. */
import {
  type CountersDelta,
  type IndexDelta,
  type Limit,
  PgLuthierError,
  type StatementDelta,
  statementKey,
  type TableDelta,
  type Window,
} from '../domain/index.ts';
import { joinMoments } from './moments.ts';

/** Adds up the number-valued properties of two rows but for the named ones, which stay the first's. */
function added<T extends object>(first: T, second: T, kept: ReadonlySet<string>): T {
  const sum = { ...first } as Record<string, unknown>;
  for (const [key, value] of Object.entries(second)) {
    if (kept.has(key) || typeof value !== 'number') continue;
    const before = sum[key];
    sum[key] = typeof before === 'number' ? before + value : value;
  }
  return sum as T;
}

const IDENTITY = new Set(['userid', 'dbid', 'mean_exec_time_ms', 'stddev_exec_time_ms']);
const OID = new Set(['oid']);
const NONE = new Set<string>();

/** Null where a part with temporary blocks was not timed: a sum of some would be taken for the time of all. */
function addTemporary(
  first: StatementDelta,
  second: StatementDelta,
  key: 'temp_blk_read_time_ms' | 'temp_blk_write_time_ms',
): number | null {
  const [a, b] = [first, second].map(
    (row) => row[key] ?? (row.temp_blks_read + row.temp_blks_written === 0 ? 0 : null),
  );
  return a == null || b == null ? null : a + b;
}

function addStatements(first: StatementDelta, second: StatementDelta): StatementDelta {
  const moments = joinMoments(
    { n: first.calls, mean: first.mean_exec_time_ms, stddev: first.stddev_exec_time_ms },
    { n: second.calls, mean: second.mean_exec_time_ms, stddev: second.stddev_exec_time_ms },
  );
  return {
    ...added(first, second, IDENTITY),
    temp_blk_read_time_ms: addTemporary(first, second, 'temp_blk_read_time_ms'),
    temp_blk_write_time_ms: addTemporary(first, second, 'temp_blk_write_time_ms'),
    mean_exec_time_ms: moments.mean,
    stddev_exec_time_ms: moments.stddev,
    user: second.user ?? first.user,
    query: second.query ?? first.query,
  };
}

function joined<T>(
  parts: readonly (readonly T[])[],
  key: (row: T) => string | number,
  add: (a: T, b: T) => T,
): T[] {
  const rows = new Map<string | number, T>();
  for (const row of parts.flat()) {
    const known = rows.get(key(row));
    rows.set(key(row), known === undefined ? row : add(known, row));
  }
  return [...rows.values()];
}

/** What was not counted in any of the parts is null; what some did not see counts in the others: a lower bound. */
function addCounters(parts: readonly CountersDelta[]): CountersDelta {
  const sum = <T extends object>(rows: readonly (T | null)[]): T | null =>
    rows.reduce<T | null>((a, b) => (a === null || b === null ? (a ?? b) : added(a, b, NONE)), null);
  return {
    database: sum(parts.map((part) => part.database)),
    checkpoints: sum(parts.map((part) => part.checkpoints)),
    wal: sum(parts.map((part) => part.wal)),
    bgwriter: sum(parts.map((part) => part.bgwriter)),
    archiver: sum(parts.map((part) => part.archiver)),
    xids: parts.reduce<number | null>((all, { xids }) => (xids === null ? all : (all ?? 0) + xids), null),
    mxids: parts.reduce<number | null>((all, { mxids }) => (mxids == null ? all : (all ?? 0) + mxids), null),
    io: parts.some((part) => part.io)
      ? joined(
          parts.map((part) => part.io ?? []),
          (row) => `${row.backend_type}/${row.object}/${row.context}`,
          (a, b) => added(a, b, NONE),
        )
      : null,
  };
}

/** Limits of a part say when it was; the same said of all parts is said once. */
function joinLimits(parts: readonly Window[]): Limit[] {
  const seen = new Map<string, { limit: Limit; parts: Window[] }>();
  for (const part of parts) {
    for (const limit of part.limits) {
      const key = `${limit.scope} ${limit.code} ${limit.message}`;
      const entry = seen.get(key) ?? { limit, parts: [] };
      entry.parts.push(part);
      seen.set(key, entry);
    }
  }
  return [...seen.values()].map(({ limit, parts: [part, ...others] }) =>
    part === undefined || others.length + 1 === parts.length
      ? limit
      : { ...limit, message: `${limit.message} (Between ${part.from} and ${(others.at(-1) ?? part).to}.)` },
  );
}

/**
 * One window of several that follow each other without a gap. Counters add up; means and standard deviations are those
 * of all calls together. A statement that was evicted in between counts with what each part saw of it.
 * @throws PgLuthierError `window_invalid` when there are none, or one does not begin where the one before ended.
 */
export function composeWindows(parts: readonly Window[]): Window {
  const [first] = parts;
  const last = parts.at(-1);
  const gap = parts.findIndex((part, index) => index > 0 && parts[index - 1]?.to !== part.from);
  if (!first || !last || gap > 0) {
    throw new PgLuthierError({
      code: 'window_invalid',
      status: 422,
      message: first
        ? `The windows do not follow each other: one ends at ${parts[gap - 1]?.to}, the next begins at ${parts[gap]?.from}.`
        : 'There is no window to compose one of.',
      remedy:
        'Give windows of one target in their order, each beginning at the snapshot where the one before ended.',
    });
  }
  if (parts.length === 1) return first;
  const counters = parts.flatMap((part) => part.counters ?? []);
  return {
    from: first.from,
    to: last.to,
    seconds: parts.reduce((sum, part) => sum + part.seconds, 0),
    statements: joined(
      parts.map((part) => part.statements),
      statementKey,
      addStatements,
    ),
    tables: joined<TableDelta>(
      parts.map((part) => part.tables),
      (row) => row.oid,
      (a, b) => added(a, b, OID),
    ),
    indexes: joined<IndexDelta>(
      parts.map((part) => part.indexes),
      (row) => row.oid,
      (a, b) => added(a, b, OID),
    ),
    ...(counters.length > 0 ? { counters: addCounters(counters) } : {}),
    limits: joinLimits(parts),
  };
}
