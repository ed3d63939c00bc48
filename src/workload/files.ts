/** A workload out of SQL files: each statement weighs one call, or what a comment `-- calls: n` of it says. */
import { PgLuthierError, type SetAside, type Workload, type WorkloadQuery } from '../domain/index.ts';
import { classify } from './classify.ts';
import { byteLength, isComment, loadGrammar, scanTokens, tryParse } from './parser.ts';
import { unmeasuredQuery } from './query-rows.ts';
import { MAX_SAMPLES } from './sampling.ts';
import { sliceBytes } from './splice.ts';

/** A file of statements as the caller read it. */
export interface WorkloadFile {
  name: string;
  text: string;
  /** Calls of each of its statements that has no comment of its own; absent: one. */
  calls?: number;
}

/** One statement of a file with its weight. */
interface FileStatement {
  sql: string;
  /** Null: no comment says. */
  calls: number | null;
}

function fileError(
  code: string,
  file: string,
  line: number,
  message: string,
  remedy: string,
): PgLuthierError {
  return new PgLuthierError({
    code,
    status: 422,
    message: `${file}, line ${line}: ${message}`,
    remedy,
    details: { file, line },
  });
}

function lineOf(text: string, byteOffset: number): number {
  return sliceBytes(text, 0, byteOffset).split('\n').length;
}

type Tokens = NonNullable<ReturnType<typeof scanTokens>>;

/** Weight that a comment gives, e.g. `-- calls: 120`; null for every other comment. */
function callsOf(comment: string): string | null {
  const body = comment.startsWith('--') ? comment.slice(2) : comment.slice(2, -2);
  const [key, ...rest] = body.split(':');
  return key?.trim().toLowerCase() === 'calls' && rest.length > 0 ? rest.join(':').trim() : null;
}

/** A backslash outside of quotes is no SQL: it is a command of psql. */
function refusePsqlCommands(file: WorkloadFile, tokens: Tokens): void {
  const command = tokens.find((token) => token.text === '\\');
  if (command === undefined) return;
  throw fileError(
    'workload_psql_command',
    file.name,
    lineOf(file.text, command.start),
    'a psql command (\\…), which is not SQL.',
    'Remove it; only SQL statements are taken.',
  );
}

/** Byte ranges of the statements, from the grammar; by top-level semicolons where one statement does not parse. */
function statementRanges(text: string, tokens: Tokens): { start: number; end: number }[] {
  const total = byteLength(text);
  const parsed = tryParse(text);
  if ('tree' in parsed) {
    let previous = 0;
    const found = (parsed.tree.stmts ?? []).map((raw) => {
      // The grammar of 18 leaves comments before a statement out of it: they belong to it here.
      const start = previous;
      const end = raw.stmt_len ? (raw.stmt_location ?? 0) + raw.stmt_len : total;
      previous = end;
      return { start, end };
    });
    // Comments behind the last one.
    return [...found, { start: previous, end: total }];
  }
  const ranges: { start: number; end: number }[] = [];
  let start = 0;
  for (const token of tokens) {
    if (token.text !== ';' || isComment(token)) continue;
    ranges.push({ start, end: token.start });
    start = token.end;
  }
  ranges.push({ start, end: total });
  return ranges;
}

/** Splits a file into statements with their weights. */
function splitFile(file: WorkloadFile): { sql: string; calls: number }[] {
  const tokens = scanTokens(file.text);
  if (tokens === null) {
    const parsed = tryParse(file.text);
    const fault = 'fault' in parsed ? parsed.fault : null;
    throw fileError(
      'workload_file_unreadable',
      file.name,
      file.text.slice(0, fault?.offset ?? 0).split('\n').length,
      fault?.message ?? 'not readable as SQL.',
      'Close the quote or comment.',
    );
  }
  refusePsqlCommands(file, tokens);
  const statements: FileStatement[] = [];
  for (const range of statementRanges(file.text, tokens)) {
    const within = tokens.filter((token) => token.start >= range.start && token.end <= range.end);
    const first = within.find((token) => !isComment(token) && token.text !== ';');
    const before = statements.at(-1);
    const weights: Weight[] = within.flatMap((token, position) => {
      const given = isComment(token) ? callsOf(token.text) : null;
      if (given === null) return [];
      const line = lineOf(file.text, token.start);
      const next = within[position + 1];
      // `SELECT …; -- calls: 5` is about the statement that it stands behind.
      const isBehind =
        before !== undefined &&
        (first === undefined || token.start < first.start) &&
        line === lineOf(file.text, range.start) &&
        (next === undefined || lineOf(file.text, next.start) > line);
      return [{ given, line, isBehind }];
    });
    for (const weight of weights.filter(({ isBehind }) => isBehind)) {
      if (before) before.calls = callsGiven(file, before.calls, weight);
    }
    const own = weights.filter(({ isBehind }) => !isBehind);
    if (first === undefined) {
      const [lost] = own;
      if (lost) throw callsError(file, lost, 'stands before no statement.');
      continue;
    }
    const calls = own.reduce((sum: number | null, weight) => callsGiven(file, sum, weight), null);
    statements.push({ sql: sliceBytes(file.text, first.start, range.end).trim(), calls });
  }
  return statements.map(({ sql, calls }) => ({ sql, calls: calls ?? file.calls ?? 1 }));
}

/** What a comment says, and where. */
interface Weight {
  given: string;
  line: number;
  isBehind: boolean;
}

const callsError = (file: WorkloadFile, { given, line }: Weight, what: string) =>
  fileError(
    'workload_calls_invalid',
    file.name,
    line,
    `\`calls: ${given}\` ${what}`,
    'Write `-- calls: 120` before the statement, once.',
  );

/** @throws PgLuthierError `workload_calls_invalid`: no number above zero, or a second weight. */
function callsGiven(file: WorkloadFile, known: number | null, weight: Weight): number {
  const calls = /^\d+(\.\d+)?$/.test(weight.given) ? Number(weight.given) : Number.NaN;
  if (!Number.isFinite(calls) || calls <= 0) {
    throw callsError(file, weight, 'is not a number above zero.');
  }
  if (known !== null) throw callsError(file, weight, 'is a second weight of one statement.');
  return calls;
}

/** The texts to be samples: the most called, the first of them first; none where parameters are to be given values. */
function mostCalled(texts: ReadonlyMap<string, number>): { query: string; calls: number }[] {
  const hasParameters = (query: string) =>
    scanTokens(query)?.some(({ tokenName }) => tokenName === 'PARAM') ?? true;
  const most = [...texts].sort(([, a], [, b]) => b - a).slice(0, MAX_SAMPLES);
  if (most.length < 2 || most.some(([query]) => hasParameters(query))) return [];
  return most.map(([query, calls]) => ({ query, calls }));
}

/**
 * A workload of the statements in files. Times are zero: nothing was run; `share_of_time` is the share of the calls.
 * Statements that differ in their constants only are one query, with the calls added up; its most called texts stay, for
 * plans hang on constants. What does not parse is set
 * aside like a text of the server would be.
 * @throws PgLuthierError `workload_psql_command`, `workload_file_unreadable`, `workload_calls_invalid` (file and line
 *   named), `workload_empty`.
 */
export async function workloadFromFiles(files: readonly WorkloadFile[]): Promise<Workload> {
  await loadGrammar();
  const queries = new Map<string, WorkloadQuery>();
  const texts = new Map<string, Map<string, number>>();
  const setAside = new Map<string, SetAside>();
  let calls = 0;
  for (const statement of files.flatMap(splitFile)) {
    calls += statement.calls;
    const verdict = classify(statement.sql);
    if ('code' in verdict) {
      const key = `${verdict.code}\n${statement.sql}`;
      const entry = setAside.get(key) ?? {
        query: statement.sql,
        calls: 0,
        total_exec_time_ms: 0,
        code: verdict.code,
      };
      entry.calls += statement.calls;
      setAside.set(key, entry);
      continue;
    }
    const { query_id, query } = verdict.statement;
    const known = queries.get(query_id);
    if (known === undefined) queries.set(query_id, unmeasuredQuery(verdict.statement, statement.calls));
    else known.calls += statement.calls;
    const ofQuery = texts.get(query_id) ?? new Map<string, number>();
    texts.set(query_id, ofQuery.set(query, (ofQuery.get(query) ?? 0) + statement.calls));
  }
  if (queries.size === 0 && setAside.size === 0) {
    throw new PgLuthierError({
      code: 'workload_empty',
      status: 422,
      message: `No statement in ${files.length === 1 ? (files[0]?.name ?? 'the file') : `${files.length} files`}.`,
      remedy: 'Give files with SQL statements that end in semicolons.',
    });
  }
  const list = [...queries.values()];
  for (const query of list) {
    query.share_of_time = query.calls / calls;
    const different = mostCalled(texts.get(query.query_id) ?? new Map());
    if (different.length > 1) query.texts = different;
  }
  list.sort((a, b) => b.calls - a.calls || (a.query_id < b.query_id ? -1 : 1));
  return {
    source: 'files',
    from: null,
    to: null,
    seconds: null,
    queries: list,
    set_aside: [...setAside.values()],
    database_time_ms: 0,
    limits: [],
  };
}
