/** PostgreSQL's own grammar, compiled to WASM, behind the few calls that this room needs. */
import { createHash } from 'node:crypto';
import type { Node, ParseResult } from '@pgsql/types';
import { fingerprintSync, hasSqlDetails, loadModule, parseSync, type ScanToken, scanSync } from 'libpg-query';
import { deparseSync } from 'pgsql-deparser';
import { PgLuthierError } from '../domain/index.ts';
import { walk } from './tree.ts';

/** Waits until the grammar is loaded; every public entry of the room awaits it once, then works synchronously. */
export async function loadGrammar(): Promise<void> {
  await loadModule();
}

/** Where and why a text is not SQL. */
export interface SyntaxFault {
  message: string;
  /** Character offset of the error, 0-based. */
  offset: number;
  /** The text ended before the statement did: it was cut off. */
  at_end: boolean;
}

/** Length of `text` in bytes: what the grammar's locations count. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** The parse tree, or why there is none. Needs `loadGrammar()` first. */
export function tryParse(sql: string): { tree: ParseResult } | { fault: SyntaxFault } {
  if (sql.trim() === '') return { fault: { message: 'empty text', offset: 0, at_end: true } };
  if (sql.includes('\0')) {
    return { fault: { message: 'a NUL character', offset: sql.indexOf('\0'), at_end: false } };
  }
  try {
    return { tree: parseSync(sql) };
  } catch (error) {
    const offset = hasSqlDetails(error) ? (error.sqlDetails?.cursorPosition ?? 0) : 0;
    const message = error instanceof Error ? error.message : String(error);
    // An unterminated quote or comment is reported where it opens, the end of input where the text stops.
    const at_end = message.startsWith('unterminated') || offset >= sql.trimEnd().length;
    return { fault: { message, offset, at_end } };
  }
}

function faultError(sql: string, fault: SyntaxFault): PgLuthierError {
  const line = sql.slice(0, fault.offset).split('\n').length;
  return new PgLuthierError({
    code: 'sql_syntax',
    status: 422,
    message: `PostgreSQL's grammar does not take this text: ${fault.message} (line ${line})`,
    remedy: 'Correct the statement.',
    details: { offset: fault.offset, line },
  });
}

/** Synchronous `parseSql`. Needs `loadGrammar()` first. */
export function parseTree(sql: string): ParseResult {
  const result = tryParse(sql);
  if ('fault' in result) throw faultError(sql, result.fault);
  return result.tree;
}

/**
 * The parse tree of one or more statements. Locations in it are bytes of the UTF-8 text.
 * @throws PgLuthierError `sql_syntax` with line and offset.
 */
export async function parseSql(sql: string): Promise<ParseResult> {
  await loadGrammar();
  return parseTree(sql);
}

/**
 * SQL of a tree or of one expression node, on one line. The deparser is not PostgreSQL's own: callers that hand its
 * text to a server compare fingerprints first (`deparseFaithfully`).
 */
function deparseSql(tree: ParseResult | Node): string {
  return deparseSync(tree, { pretty: false });
}

/** An expression's SQL if it reads back as the same tree; null where the deparser does not manage. */
export function deparseFaithfully(expression: Node): string | null {
  try {
    const text = deparseSql(expression);
    const back = parseTree(`SELECT ${text}`).stmts?.[0]?.stmt;
    if (back === undefined || !('SelectStmt' in back)) return null;
    const target = back.SelectStmt.targetList?.[0];
    if (target === undefined || !('ResTarget' in target) || target.ResTarget.val === undefined) return null;
    return shapeOf(target.ResTarget.val) === shapeOf(expression) ? text : null;
  } catch {
    // Whatever the deparser stumbled over: there is no text that could be trusted.
    return null;
  }
}

/** A node as JSON without its positions, keys in order: equal for equal expressions. */
export function shapeOf(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => {
    if (key === 'location' || key.startsWith('rexpr_list_') || key.startsWith('list_')) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Tokens with byte offsets; null where the scanner gives up (an unterminated quote or comment). */
export function scanTokens(sql: string): ScanToken[] | null {
  try {
    return scanSync(sql).tokens;
  } catch {
    // libpg-query hands the scanner's error over as text that is no JSON: there is nothing to tell apart in it.
    return null;
  }
}

/** Tells whether a token is a comment of either kind. */
export function isComment(token: ScanToken): boolean {
  return token.tokenName === 'SQL_COMMENT' || token.tokenName === 'C_COMMENT';
}

/**
 * What libpg_query's fingerprint leaves out and an advisor must not: it ignores schemas, digits of table names (so
 * that partitions look alike), IN against =, and LIMIT against OFFSET. Lists of any length stay alike.
 */
function distinguishingMarks(tree: ParseResult): string[] {
  const marks = new Set<string>();
  walk(tree, (node) => {
    if ('RangeVar' in node) {
      const { schemaname, relname } = node.RangeVar;
      if (schemaname !== undefined) marks.add(`schema ${schemaname}.${relname ?? ''}`);
      const digits = (relname ?? '').replace(/\D+/g, ' ').trim();
      if (digits.split(' ').some((run) => run.length > 1)) marks.add(`table ${relname ?? ''}`);
    } else if ('A_Expr' in node) {
      const { kind, lexpr, name } = node.A_Expr;
      if (kind === 'AEXPR_IN' || kind === 'AEXPR_OP_ANY')
        marks.add(`list ${shapeOf(lexpr)} ${shapeOf(name)}`);
    } else if ('SelectStmt' in node) {
      const { limitCount, limitOffset } = node.SelectStmt;
      if (limitCount !== undefined) marks.add('limit');
      if (limitOffset !== undefined) marks.add('offset');
    }
  });
  return [...marks].sort();
}

/** Synchronous `fingerprint`, of a text already parsed. */
export function fingerprintOf(sql: string, tree: ParseResult): string {
  const base = fingerprintSync(sql);
  const marks = distinguishingMarks(tree);
  if (marks.length === 0) return base;
  return createHash('sha256')
    .update([base, ...marks].join('\n'))
    .digest('hex')
    .slice(0, 16);
}

/**
 * 16 hex digits that are the same for the same statement whatever its constants, its spacing and the lengths of its
 * lists: libpg_query's fingerprint, told apart further by schema, table digits, list operators and LIMIT/OFFSET.
 * @throws PgLuthierError `sql_syntax`.
 */
export async function fingerprint(sql: string): Promise<string> {
  await loadGrammar();
  return fingerprintOf(sql, parseTree(sql));
}
