/** Rows of pg_stat_statements joined to fingerprinted statements, and what is set aside. */
import type { Snapshot, StatementDelta, Workload } from '../domain/index.ts';
import { type Classified, type ClassifiedStatement, classify } from './classify.ts';
import { loadGrammar } from './parser.ts';
import { addFetched, addRow, type Gathering, SetAsideTally, startQuery } from './query-rows.ts';
import { SearchPaths } from './search-paths.ts';
import { textLimits } from './text-limits.ts';
import { usageCatalog } from './usage-catalog.ts';

/** What the rows come to. */
export type Gathered = Pick<Workload, 'queries' | 'set_aside' | 'database_time_ms' | 'limits'>;

/** Work done through a cursor, by the cursor's name. */
interface CursorWork {
  /** Statements that were declared for it. */
  declared: Set<string>;
  fetches: StatementDelta[];
}

/**
 * A row under the text of DECLARE that is not of DECLARE itself, which returns no rows: since 18, with track = all, the
 * cursor's statement has a row of its own, at the top or not as it was closed by the transaction's end or by CLOSE.
 */
function isExecution(row: StatementDelta): boolean {
  return !row.toplevel || row.rows > 0;
}

/** Characters of texts that are remembered by; twice as many at most. */
const REMEMBERED = 8 * 1024 ** 2;
/**
 * What texts were found to be of late: the same come again with each window of a target, by the thousand. Half of it
 * goes at once, the older half.
 */
let recent = new Map<string, Classified>();
let older = new Map<string, Classified>();
let characters = 0;

/** Shared, so nobody may write to it. */
function classifiedOnce(query: string | null): Classified {
  if (query === null) return classify(query);
  const known = recent.get(query);
  if (known) return known;
  const verdict = older.get(query) ?? Object.freeze(classify(query));
  if ('statement' in verdict) Object.freeze(verdict.statement);
  else if (verdict.wrapped) Object.freeze(verdict.wrapped);
  recent.set(query, verdict);
  characters += query.length;
  if (characters > REMEMBERED) {
    older = recent;
    recent = new Map();
    characters = 0;
  }
  return verdict;
}

class Gatherer {
  private readonly gatherings = new Map<string, Gathering>();
  private readonly tally = new SetAsideTally();
  private readonly cursors = new Map<string, CursorWork>();
  private readonly paths: SearchPaths | null;
  /** Statements of cursors that have rows of their own, beside those of DECLARE and FETCH. */
  private readonly executed = new Set<string>();

  constructor(paths: SearchPaths | null) {
    this.paths = paths;
  }

  private cursor(name: string): CursorWork {
    const work = this.cursors.get(name) ?? { declared: new Set(), fetches: [] };
    this.cursors.set(name, work);
    return work;
  }

  /** The statement that a row's counters are of, or the code under which it is set aside. */
  private meaning(row: StatementDelta): Classified {
    if (row.query === null && row.queryid !== '') return { code: 'text_lost' };
    const verdict = classifiedOnce(row.query);
    if ('code' in verdict) {
      // With track = all the statement within has a row of its own, under the text of the whole.
      const inner = !row.toplevel && verdict.wrapped !== undefined;
      return inner ? { statement: verdict.wrapped as ClassifiedStatement } : verdict;
    }
    const { query_id } = verdict.statement;
    if (verdict.cursor !== undefined && !isExecution(row) && this.executed.has(query_id))
      return { code: 'utility' };
    return verdict;
  }

  /** The row is of a cursor's statement itself: the same time is in the rows of FETCH. */
  private isCursorsOwn(row: StatementDelta): boolean {
    const verdict = classifiedOnce(row.query);
    return 'statement' in verdict && verdict.cursor !== undefined && isExecution(row);
  }

  add(rows: readonly StatementDelta[]): void {
    const active = rows.filter((row) => row.calls > 0);
    for (const row of active) {
      const verdict = classifiedOnce(row.query);
      if ('statement' in verdict && this.isCursorsOwn(row)) this.executed.add(verdict.statement.query_id);
    }
    const ambiguous = this.ambiguous(active);
    for (const row of active) {
      const verdict = this.meaning(row);
      if ('code' in verdict) {
        if (verdict.cursor === undefined) this.tally.add(verdict.code, row);
        else this.cursor(verdict.cursor).fetches.push(row);
        continue;
      }
      const statement = this.paths?.resolve(verdict.statement, row.user) ?? verdict.statement;
      if (ambiguous.has(`${row.userid} ${statement.query_id}`)) {
        this.tally.add('ambiguous_schema', row);
        continue;
      }
      const gathering = this.gatherings.get(statement.query_id) ?? {
        query: startQuery(statement),
        text_time_ms: -1,
      };
      this.gatherings.set(statement.query_id, gathering);
      addRow(gathering, statement, row);
      if (verdict.cursor !== undefined && !isExecution(row)) {
        this.cursor(verdict.cursor).declared.add(statement.query_id);
      }
    }
    this.addFetches();
  }

  /**
   * Statements of one user that the server counts under several queryids although their texts are the same, over
   * tables that several schemas have: sessions set their own search_path, and it is not told which table was meant.
   * (Up to 17 the queryid holds the tables' OIDs. 18 takes their names: there the server has joined them already.)
   */
  private ambiguous(rows: readonly StatementDelta[]): Set<string> {
    const queryids = new Map<string, Set<string>>();
    if (this.paths === null) return new Set();
    for (const row of rows) {
      const verdict = this.meaning(row);
      if ('code' in verdict || verdict.cursor !== undefined) continue;
      const statement = this.paths.resolve(verdict.statement, row.user);
      if (!this.paths.isAmbiguous(statement)) continue;
      const key = `${row.userid} ${statement.query_id}`;
      // The same text twice: lists of other lengths make other queryids as well.
      const texts = queryids.get(`${key}\n${row.query}`) ?? new Set();
      queryids.set(`${key}\n${row.query}`, texts.add(row.queryid));
    }
    return new Set(
      [...queryids].flatMap(([key, ids]) => (ids.size > 1 ? [key.slice(0, key.indexOf('\n'))] : [])),
    );
  }

  /** FETCH does what DECLARE only began: its work is added to the statement of its cursor, if there is one alone. */
  private addFetches(): void {
    for (const { declared, fetches } of this.cursors.values()) {
      const [only, ...more] = declared;
      const gathering = only === undefined || more.length > 0 ? undefined : this.gatherings.get(only);
      for (const row of fetches) {
        if (gathering === undefined) this.tally.add('utility', row);
        else addFetched(gathering.query, row);
      }
    }
  }

  result(rows: readonly StatementDelta[]): Gathered {
    const set_aside = this.tally.list();
    const queries = [...this.gatherings.values()].map((gathering) => gathering.query);
    queries.sort((a, b) => b.total_exec_time_ms - a.total_exec_time_ms || (a.query_id < b.query_id ? -1 : 1));
    const database_time_ms = databaseTime(rows.filter((row) => !this.isCursorsOwn(row)));
    for (const query of queries) {
      query.share_of_time =
        database_time_ms > 0 ? Math.min(1, query.total_exec_time_ms / database_time_ms) : 0;
    }
    const limits = textLimits(set_aside, rows, database_time_ms);
    const joined = queries.filter((query) => this.paths?.isJoinedByServer(query) === true);
    if (joined.length > 0) {
      limits.push({
        scope: 'workload',
        code: 'statements_schemas_joined',
        message: `${joined.length} statements name tables that several schemas have. Since 18 pg_stat_statements counts them as one whichever schema was meant: they are taken for the one on the search path.`,
        remedy:
          'Qualify the tables in the statements, or give each role its search_path (ALTER ROLE … SET search_path).',
      });
    }
    return { queries, set_aside, database_time_ms, limits };
  }
}

/**
 * Time of the statements that clients sent: those inside of functions are within it. Where these are all that is
 * counted (their callers are not: pg_stat_statements.track_utility off, a DO block), their own time.
 */
function databaseTime(rows: readonly StatementDelta[]): number {
  const time = (toplevel: boolean) =>
    rows.reduce((sum, row) => (row.toplevel === toplevel ? sum + row.total_exec_time_ms : sum), 0);
  return Math.max(time(true), time(false));
}

/** Gathers rows; with a snapshot, by what their names mean to each user. */
export async function gather(rows: readonly StatementDelta[], snapshot: Snapshot | null): Promise<Gathered> {
  await loadGrammar();
  const paths = snapshot === null ? null : new SearchPaths(snapshot, await usageCatalog(snapshot));
  const gatherer = new Gatherer(paths);
  gatherer.add(rows);
  return gatherer.result(rows);
}
