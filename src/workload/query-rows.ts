/** Adding rows up: to a query of the workload, to the statements that were set aside. */
import type { SetAside, StatementDelta, WorkloadQuery } from '../domain/index.ts';
import type { ClassifiedStatement } from './classify.ts';
import { joinMoments } from './moments.ts';

const SUMS = [
  'rows',
  'shared_blks_hit',
  'shared_blks_read',
  'shared_blks_dirtied',
  'temp_blks_written',
  'wal_bytes',
  'total_exec_time_ms',
] as const satisfies readonly (keyof WorkloadQuery & keyof StatementDelta)[];

/** A query under construction, with the time of the row whose text stands for it. */
export interface Gathering {
  query: WorkloadQuery;
  text_time_ms: number;
}

/** A query of which nothing was measured: one that a file gives, or that the server runs on its own behalf. */
export function unmeasuredQuery(
  statement: Pick<WorkloadQuery, 'query_id' | 'query' | 'class'>,
  calls: number,
): WorkloadQuery {
  return {
    query_id: statement.query_id,
    query: statement.query,
    class: statement.class,
    calls,
    total_exec_time_ms: 0,
    mean_exec_time_ms: 0,
    stddev_exec_time_ms: 0,
    rows: 0,
    shared_blks_hit: 0,
    shared_blks_read: 0,
    shared_blks_dirtied: 0,
    temp_blks_written: 0,
    wal_bytes: 0,
    share_of_time: 0,
    users: [],
    queryids: [],
  };
}

/** A query without any row yet: no temporary file is one that was not timed. */
export function startQuery(statement: ClassifiedStatement): WorkloadQuery {
  return { ...unmeasuredQuery(statement, 0), temp_io_time_ms: 0 };
}

/** Temporary files' time of a row, ms; null: it was not timed. */
export function temporaryTime(
  row: Pick<StatementDelta, 'temp_blk_read_time_ms' | 'temp_blk_write_time_ms'>,
): number | null {
  const { temp_blk_read_time_ms: read = null, temp_blk_write_time_ms: write = null } = row;
  return read === null || write === null ? null : read + write;
}

function addSums(query: WorkloadQuery, row: StatementDelta): void {
  for (const key of SUMS) query[key] += row[key];
  // A row without files has none to time.
  if (row.temp_blks_written + row.temp_blks_read === 0) return;
  const time = temporaryTime(row);
  const sum = query.temp_io_time_ms ?? null;
  query.temp_io_time_ms = time === null || sum === null ? null : sum + time;
}

/** Adds a row to the query that it is of. */
export function addRow(gathering: Gathering, statement: ClassifiedStatement, row: StatementDelta): void {
  const { query } = gathering;
  const moments = joinMoments(
    { n: query.calls, mean: query.mean_exec_time_ms, stddev: query.stddev_exec_time_ms },
    { n: row.calls, mean: row.mean_exec_time_ms, stddev: row.stddev_exec_time_ms },
  );
  if (query.calls === 0 && !row.toplevel) query.nested = true;
  if (row.toplevel) delete query.nested;
  query.calls += row.calls;
  query.mean_exec_time_ms = moments.mean;
  query.stddev_exec_time_ms = moments.stddev;
  addSums(query, row);
  const user = row.user ?? String(row.userid);
  if (!query.users.includes(user)) query.users.push(user);
  if (!query.queryids.includes(row.queryid)) query.queryids.push(row.queryid);
  if (row.total_exec_time_ms > gathering.text_time_ms) {
    query.query = statement.query;
    gathering.text_time_ms = row.total_exec_time_ms;
  }
}

/** Adds a FETCH: its time and rows are the query's, its calls are not. */
export function addFetched(query: WorkloadQuery, row: StatementDelta): void {
  addSums(query, row);
  const fetches = row.calls / query.calls;
  query.mean_exec_time_ms += row.mean_exec_time_ms * fetches;
  // Fetches are taken to vary by themselves.
  query.stddev_exec_time_ms = Math.hypot(
    query.stddev_exec_time_ms,
    row.stddev_exec_time_ms * Math.sqrt(fetches),
  );
}

/** Set-aside statements, one entry for each code and text. */
export class SetAsideTally {
  private readonly entries = new Map<string, SetAside>();

  add(code: string, row: StatementDelta): void {
    // A role that may not see a statement gets neither its text nor its queryid.
    const unnamed = row.queryid === '' ? `statements of ${row.user ?? row.userid}` : `queryid ${row.queryid}`;
    const text = code === 'text_hidden' || code === 'text_lost' ? unnamed : (row.query ?? unnamed);
    const key = `${code}\n${text}`;
    const entry = this.entries.get(key) ?? { query: text, calls: 0, total_exec_time_ms: 0, code };
    entry.calls += row.calls;
    entry.total_exec_time_ms += row.total_exec_time_ms;
    this.entries.set(key, entry);
  }

  list(): SetAside[] {
    return [...this.entries.values()].sort((a, b) => b.total_exec_time_ms - a.total_exec_time_ms);
  }
}
