/** A workload out of a window or of one snapshot's cumulative counters. */
import type {
  Limit,
  SetAside,
  Snapshot,
  StatementDelta,
  Window,
  Workload,
  WorkloadQuery,
} from '../domain/index.ts';
import { type Classified, type ClassifiedStatement, classify } from './classify.ts';
import { joinMoments } from './moments.ts';
import { loadGrammar } from './parser.ts';

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
interface Gathering {
  query: WorkloadQuery;
  text_time_ms: number;
}

function startQuery(statement: ClassifiedStatement): WorkloadQuery {
  return {
    query_id: statement.query_id,
    query: statement.query,
    class: statement.class,
    calls: 0,
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

function addRow(gathering: Gathering, statement: ClassifiedStatement, row: StatementDelta): void {
  const { query } = gathering;
  const moments = joinMoments(
    { n: query.calls, mean: query.mean_exec_time_ms, stddev: query.stddev_exec_time_ms },
    { n: row.calls, mean: row.mean_exec_time_ms, stddev: row.stddev_exec_time_ms },
  );
  query.calls += row.calls;
  query.mean_exec_time_ms = moments.mean;
  query.stddev_exec_time_ms = moments.stddev;
  for (const key of SUMS) query[key] += row[key];
  const user = row.user ?? String(row.userid);
  if (!query.users.includes(user)) query.users.push(user);
  if (!query.queryids.includes(row.queryid)) query.queryids.push(row.queryid);
  if (row.total_exec_time_ms > gathering.text_time_ms) {
    query.query = statement.query;
    gathering.text_time_ms = row.total_exec_time_ms;
  }
}

/** Set-aside statements, one entry for each code and text. */
class SetAsideTally {
  private readonly entries = new Map<string, SetAside>();

  add(code: string, row: StatementDelta): void {
    // A role that may not see a statement gets neither its text nor its queryid.
    const unnamed = row.queryid === '' ? `statements of ${row.user ?? row.userid}` : `queryid ${row.queryid}`;
    const text = code === 'text_hidden' ? unnamed : (row.query ?? unnamed);
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

function textLimits(setAside: readonly SetAside[], rows: readonly StatementDelta[]): Limit[] {
  const limits: Limit[] = [];
  const count = (code: string) => setAside.filter((entry) => entry.code === code).length;
  const hidden = count('text_hidden');
  if (hidden > 0) {
    limits.push({
      scope: 'workload',
      code: 'statement_texts_hidden',
      message: `The text of ${hidden} statements could not be read: other users' statements, or texts that the server discarded.`,
      remedy: 'GRANT pg_read_all_stats (or pg_monitor) to the collecting role.',
    });
  }
  const broken = count('unparsable') + count('truncated');
  if (broken > 0) {
    limits.push({
      scope: 'workload',
      code: 'statement_texts_unparsable',
      message: `${broken} statement texts are cut off or not understood by the grammar: they count, but are not analysed.`,
      remedy: null,
    });
  }
  const nested = rows.filter((row) => !row.toplevel).length;
  if (nested > 0) {
    limits.push({
      scope: 'workload',
      code: 'nested_statements',
      message: `${nested} statements ran inside functions: their time is also in the time of the statements that called the functions.`,
      remedy: null,
    });
  }
  return limits;
}

type Gathered = Pick<Workload, 'queries' | 'set_aside' | 'database_time_ms' | 'limits'>;

async function gather(rows: readonly StatementDelta[]): Promise<Gathered> {
  await loadGrammar();
  const judged = new Map<string | null, Classified>();
  const gatherings = new Map<string, Gathering>();
  const tally = new SetAsideTally();
  for (const row of rows) {
    if (row.calls <= 0) continue;
    const verdict = judged.get(row.query) ?? classify(row.query);
    judged.set(row.query, verdict);
    if ('code' in verdict) {
      tally.add(verdict.code, row);
      continue;
    }
    const { statement } = verdict;
    const gathering = gatherings.get(statement.query_id) ?? {
      query: startQuery(statement),
      text_time_ms: -1,
    };
    gatherings.set(statement.query_id, gathering);
    addRow(gathering, statement, row);
  }
  const set_aside = tally.list();
  const queries = [...gatherings.values()].map((gathering) => gathering.query);
  queries.sort((a, b) => b.total_exec_time_ms - a.total_exec_time_ms || (a.query_id < b.query_id ? -1 : 1));
  const database_time_ms = [...queries, ...set_aside].reduce((sum, each) => sum + each.total_exec_time_ms, 0);
  for (const query of queries) {
    query.share_of_time = database_time_ms > 0 ? query.total_exec_time_ms / database_time_ms : 0;
  }
  return { queries, set_aside, database_time_ms, limits: textLimits(set_aside, rows) };
}

/** The workload of a window: statements joined by fingerprint over users and queryids, what was set aside counted. */
export async function workloadFromWindow(window: Window): Promise<Workload> {
  const gathered = await gather(window.statements);
  return {
    source: 'window',
    from: window.from,
    to: window.to,
    seconds: window.seconds,
    ...gathered,
    limits: gathered.limits,
  };
}

/**
 * The workload since pg_stat_statements' last reset, out of one snapshot: the counters as they stand. `from` and
 * `seconds` are null where the reset's time is not known.
 */
export async function workloadFromSnapshot(snapshot: Snapshot): Promise<Workload> {
  const gathered = await gather(snapshot.statements);
  const from = snapshot.statements_info?.stats_reset ?? null;
  const dealloc = snapshot.statements_info?.dealloc ?? 0;
  const evicted: Limit[] =
    dealloc > 0
      ? [
          {
            scope: 'statements',
            code: 'statements_evicted',
            message: `pg_stat_statements dropped its least used entries ${dealloc} times since its reset: rarely run statements went unseen.`,
            remedy: 'Raise pg_stat_statements.max.',
          },
        ]
      : [];
  return {
    source: 'cumulative',
    from,
    to: snapshot.taken_at,
    seconds: from === null ? null : (Date.parse(snapshot.taken_at) - Date.parse(from)) / 1000,
    ...gathered,
    limits: [...evicted, ...gathered.limits],
  };
}
