/**
 * What must not be kept although it can be read: statements and settings may hold passwords. Constants of SELECT,
 * INSERT, UPDATE, DELETE and MERGE are `$n` already; those of other statements (ALTER ROLE … PASSWORD, SET, CREATE
 * SUBSCRIPTION, …) stand in pg_stat_statements as they were written.
 */

/** Blanks, comments and parentheses, then the first word. */
const NORMALISED =
  /^(?:\s|\(|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:select|insert|update|delete|merge|with|values|table)\b/i;

/** E'' strings, plain strings, dollar-quoted strings. */
const LITERALS = /\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$([a-z_]\w*)?\$.*?\$\1\$/gis;

/** The text of a statement as it may be kept: of utility statements without their string constants. */
export function withoutSecrets(query: string): string {
  return NORMALISED.test(query) ? query : query.replace(LITERALS, "'***'");
}
