/** Statements without the constants and comments that pg_stat_statements leaves in them. */
import { isComment, loadGrammar, scanTokens, tryParse } from './parser.ts';
import { applyEdits, type Edit } from './splice.ts';

/**
 * Constants by their tokens; the scanner leaves those of bits and of U&'…' without a name. Integers below 100 stay:
 * `ORDER BY 1`, `numeric(10, 2)` mean something by them, and pg_stat_statements has replaced those that are data.
 */
function isConstant({ tokenName, text }: { tokenName: string; text: string }): boolean {
  if (tokenName === 'ICONST') return text.length > 2;
  return tokenName === 'FCONST' || tokenName === 'SCONST' || text.endsWith("'");
}
const NUMBERS = new Set(['FCONST', 'ICONST']);

/**
 * The statement with a new parameter for each constant and without comments. Where the grammar wants a constant
 * (`SET x TO '…'`, `varchar(10)`), strings become 'x' and numbers 1. Null: PostgreSQL's grammar takes neither, so that
 * nobody can say what in it is a constant.
 */
export async function stripConstants(sql: string): Promise<string | null> {
  await loadGrammar();
  const tokens = scanTokens(sql);
  if (tokens === null) return null;
  if (!('tree' in tryParse(sql))) return null;
  const constants = tokens.filter((token) => !isComment(token) && isConstant(token));
  const comments = tokens.filter(isComment).map(({ start, end }): Edit => ({ start, end, text: ' ' }));
  let parameter = 0;
  for (const token of tokens) {
    if (token.tokenName === 'PARAM') parameter = Math.max(parameter, Number(token.text.slice(1)) || 0);
  }
  const asParameters = constants.map(({ start, end }): Edit => {
    parameter += 1;
    return { start, end, text: `$${parameter}` };
  });
  const asPlain = constants.map(
    ({ start, end, tokenName }): Edit => ({ start, end, text: NUMBERS.has(tokenName) ? '1' : "'x'" }),
  );
  for (const edits of [asParameters, asPlain]) {
    const stripped = applyEdits(
      sql,
      [...comments, ...edits].sort((a, b) => a.start - b.start),
    ).trim();
    if ('tree' in tryParse(stripped)) return stripped;
  }
  return null;
}
