/** Statements within statements: PREPARE, DECLARE CURSOR, CREATE TABLE AS and EXPLAIN carry the one that is planned. */
import type { Node } from '@pgsql/types';
import { isComment, scanTokens } from './parser.ts';
import { sliceBytes } from './splice.ts';

/** What a wrapping statement is, and the text of what it wraps. */
export interface InnerStatement {
  /**
   * prepare: the row's counters are those of the inner statement's executions (pg_stat_statements counts EXECUTE under
   * the text of PREPARE). cursor: those of DECLARE only, FETCH has the work. other: those of the whole.
   */
  kind: 'prepare' | 'cursor' | 'other';
  sql: string;
  /** Name of the cursor; null for the others. */
  cursor: string | null;
}

/** Text from behind the first `keyword` outside of parentheses on, or from the first of `starts`. */
function textBehind(sql: string, keyword: string | null): string | null {
  const tokens = (scanTokens(sql) ?? []).filter((token) => !isComment(token));
  const starts = new Set(['SELECT', 'WITH', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'VALUES', 'TABLE']);
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.text === '(') depth++;
    else if (token.text === ')') depth--;
    if (depth > 0) continue;
    // The scanner names no keywords; a quoted identifier keeps its quotes.
    const word = token.text.toUpperCase();
    if (keyword === null && index > 0 && starts.has(word)) return sliceBytes(sql, token.start);
    if (keyword !== null && word === keyword) {
      const next = tokens[index + 1];
      return next === undefined ? null : sliceBytes(sql, next.start);
    }
  }
  return null;
}

/** The statement that another one carries; null for all that carry none. */
export function innerStatement(sql: string, statement: Node): InnerStatement | null {
  const inner = (kind: InnerStatement['kind'], text: string | null, cursor: string | null = null) =>
    text === null ? null : { kind, sql: text, cursor };
  if ('PrepareStmt' in statement) return inner('prepare', textBehind(sql, 'AS'));
  if ('DeclareCursorStmt' in statement) {
    const { portalname } = statement.DeclareCursorStmt;
    return inner('cursor', textBehind(sql, 'FOR'), portalname ?? null);
  }
  if ('CreateTableAsStmt' in statement) return inner('other', textBehind(sql, 'AS'));
  if ('ExplainStmt' in statement) return inner('other', textBehind(sql, null));
  return null;
}

/** Cursor that a FETCH or MOVE reads; null for all other statements. */
export function fetchedCursor(statement: Node): string | null {
  return 'FetchStmt' in statement ? (statement.FetchStmt.portalname ?? null) : null;
}
