/**
 * What must not be kept although it can be read: statements may hold passwords, keys and people's data. The server
 * replaces the constants of SELECT, INSERT, UPDATE, DELETE and MERGE by `$n` (not always: an entry that was evicted
 * while its statement ran is written as it came); those of other statements (ALTER ROLE ... PASSWORD, SET, CREATE
 * SUBSCRIPTION, COPY ... PROGRAM, DO, ...) stand as they were written.
 */
import { createHash } from 'node:crypto';
import { loadModule, parseSync, type ScanToken, scanSync } from 'libpg-query';

/** Statements whose constants are the server's to replace. */
const NORMALISED = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);
/** Functions whose arguments are connection strings, passwords and keys. */
const CONFIDING = [
  'dblink',
  'pgp_',
  'crypt',
  'encrypt',
  'decrypt',
  'hmac',
  'digest',
  'set_config',
  'gen_salt',
  'scram',
];
/** What a string that holds a secret often has in it; a constant's content is no SQL. */
const TELLTALE = /passw|pwd|secret|token|credential|api.?key|private.?key|:\/\/[^/\s]*:[^/\s]*@/i;
const HIDDEN = "'***'";

/** `password=...` and its like, or a password within a URL. */
const ASSIGNED = /(passw(or)?d|pwd|secret|token|api.?key)\s*=\s*\S|:\/\/[^/\s]*:[^/\s]*@/i;

/** Whether a value that is no SQL (a setting, a session's name, a function's text) seems to hold a secret. */
export function seemsSecret(value: string | null): boolean {
  return value !== null && ASSIGNED.test(value);
}

/** Such a value as it may be kept. */
export function withoutSecretValue<T extends string | null>(value: T): T | '***' {
  return seemsSecret(value) ? '***' : value;
}

/** Waits until PostgreSQL's grammar is loaded: once, before `withoutSecrets`. */
export async function loadGrammar(): Promise<void> {
  await loadModule();
}

/** Texts (SHA-256) with nothing to hide, the last used last: a target's texts come again with each snapshot. */
const harmless = new Set<string>();
/** pg_stat_statements.max is 5,000 by default; some 100 bytes each. */
const MOST_REMEMBERED = 50_000;

/**
 * The text of a statement as it may be kept: of SELECT and its like without string constants that look like secrets
 * or are given to functions that take such, of all others without any string constant and without the values of
 * settings that are not the server's. What does not parse counts as "other"; what cannot even be told into tokens is
 * cut off at its first quote. Needs `loadGrammar()` first.
 */
export function withoutSecrets(query: string): string {
  if (!mayHoldConstants(query)) return query;
  // A digest, so that no secret stays in memory for it.
  const key = createHash('sha256').update(query).digest('base64');
  if (harmless.delete(key)) {
    harmless.add(key);
    return query;
  }
  const kept = cleaned(query);
  if (kept === query) {
    harmless.add(key);
    for (const oldest of harmless) {
      if (harmless.size <= MOST_REMEMBERED) break;
      harmless.delete(oldest);
    }
  }
  return kept;
}

function cleaned(query: string): string {
  const tokens = tokensOf(query);
  // Without a quote: a comment, which the collecting query opened where it cut a long text off.
  if (tokens === null && firstQuote(query) === query.length) return query;
  if (tokens === null) return `${query.slice(0, firstQuote(query))}${HIDDEN} /* not understood, cut off`;
  const tree = treeOf(query);
  const hidden = new Set<number>();
  const isData = tree?.every((statement) => NORMALISED.has(Object.keys(statement)[0] ?? '')) ?? false;
  const confided = new Set<number>();
  walk(tree, (kind, node) => {
    if (kind === 'VariableSetStmt' && String(node.name).includes('.')) locations(node.args, hidden);
    if (kind === 'FuncCall' && isConfiding(node)) locations(node.args, confided);
  });
  for (const token of tokens) {
    // The scanner has no name for the kinds U&'', B'' and X''; no other token ends in a quote.
    if (token.tokenName !== 'SCONST' && !token.text.endsWith("'")) continue;
    if (!isData || confided.has(token.start) || TELLTALE.test(token.text)) hidden.add(token.start);
  }
  return splice(query, tokens, hidden);
}

/** A quote, a dollar quote or a SET (its value may stand without quotes): else there is nothing to hide or to parse. */
function mayHoldConstants(query: string): boolean {
  return firstQuote(query) < query.length || query.toLowerCase().includes('set');
}

/** Character offset of the first quote or dollar quote, or the text's length. */
function firstQuote(query: string): number {
  for (let at = 0; at < query.length; at += 1) {
    const next = query.charCodeAt(at + 1);
    // `$1` is a parameter, `$$` and `$tag$` open a constant.
    const opensDollarQuote = query[at] === '$' && !(next >= 48 && next <= 57);
    if (query[at] === "'" || opensDollarQuote) return at;
  }
  return query.length;
}

/** Null: the scanner gives up (an unterminated quote or comment). */
function tokensOf(query: string): ScanToken[] | null {
  try {
    return scanSync(query).tokens;
  } catch {
    return null;
  }
}

function treeOf(query: string): object[] | null {
  try {
    return (parseSync(query).stmts ?? []).map((raw) => raw.stmt ?? {});
  } catch {
    return null;
  }
}

type Fields = Record<string, unknown>;

/** Every node with its kind: `{ Kind: { fields } }`, or fields of a known kind (`setstmt`). */
function walk(value: unknown, visit: (kind: string, node: Fields) => void): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (typeof child !== 'object' || child === null) continue;
    if (!Array.isArray(child)) visit(key === 'setstmt' ? 'VariableSetStmt' : key, child as Fields);
    walk(child, visit);
  }
}

function isConfiding(call: Fields): boolean {
  const last = (call.funcname as { String?: { sval?: string } }[] | undefined)?.at(-1)?.String?.sval ?? '';
  return CONFIDING.some((name) => last.toLowerCase().startsWith(name));
}

/** Positions (bytes) of all constants beneath. */
function locations(value: unknown, into: Set<number>): void {
  walk({ value }, (kind, node) => {
    if (kind === 'A_Const') into.add(typeof node.location === 'number' ? node.location : 0);
  });
}

/** The text with these tokens replaced; positions are bytes of the UTF-8 text. */
function splice(query: string, tokens: ScanToken[], hidden: ReadonlySet<number>): string {
  if (hidden.size === 0) return query;
  const bytes = Buffer.from(query, 'utf8');
  const parts: string[] = [];
  let from = 0;
  for (const token of tokens) {
    if (!hidden.has(token.start)) continue;
    parts.push(bytes.toString('utf8', from, token.start), HIDDEN);
    from = token.end;
  }
  return parts.join('') + bytes.toString('utf8', from);
}
