/** What a statement's text is: its class, or the code under which it is set aside. */
import type { Node, ParseResult } from '@pgsql/types';
import type { StatementClass } from '../domain/index.ts';
import { fetchedCursor, innerStatement } from './inner-statement.ts';
import { mendNormalised } from './mend.ts';
import { fingerprintOf, scanTokens, tryParse } from './parser.ts';
import { walk } from './tree.ts';

/** A text that the advisors can work with. */
export interface ClassifiedStatement {
  query_id: string;
  /** The text, mended where the server's normalisation had broken it. */
  query: string;
  class: StatementClass;
}

/**
 * Either a statement or the code of why not.
 * `cursor`: of a statement, the cursor that DECLARE opened for it, whose work is in the FETCHes; of a code, the cursor
 * that is fetched from. `wrapped`: what the statement within (CREATE TABLE AS, EXPLAIN) would be by itself.
 */
export type Classified =
  | { statement: ClassifiedStatement; cursor?: string }
  | { code: string; cursor?: string; wrapped?: ClassifiedStatement };

/** What pg_stat_statements shows in place of a text that this role may not read. */
const HIDDEN_TEXT = '<insufficient privilege>';

/**
 * Every statement that this project sends to a target carries a comment of this text. PostgreSQL 18 keeps comments
 * within a statement only, those before it are gone from pg_stat_statements; up to 17 both stay.
 */
const OWN_MARK = 'pgluthier';

function isOwn(sql: string): boolean {
  if (!sql.includes(OWN_MARK)) return false;
  const tokens = scanTokens(sql) ?? [];
  return tokens.some(
    (token) => token.tokenName === 'C_COMMENT' && token.text.slice(2).trimStart().startsWith(OWN_MARK),
  );
}

function classOf(statement: Node): StatementClass {
  if ('SelectStmt' in statement) return 'select';
  if ('InsertStmt' in statement) return 'insert';
  if ('UpdateStmt' in statement) return 'update';
  if ('DeleteStmt' in statement) return 'delete';
  if ('MergeStmt' in statement) return 'merge';
  return 'utility';
}

/**
 * All relations are of the system: in pg_catalog or information_schema, or unqualified with the prefix `pg_`, which
 * PostgreSQL resolves to pg_catalog before any schema of the search path (and which its extensions' views use).
 */
function readsCatalogsOnly(tree: ParseResult): boolean {
  let system = 0;
  let others = 0;
  const ctes = new Set<string>();
  walk(tree, (node) => {
    if ('CommonTableExpr' in node) ctes.add(node.CommonTableExpr.ctename ?? '');
  });
  walk(tree, (node) => {
    if (!('RangeVar' in node)) return;
    const { schemaname, relname = '' } = node.RangeVar;
    if (schemaname === undefined && ctes.has(relname)) return;
    if (schemaname === 'pg_catalog' || schemaname === 'information_schema') system++;
    else if (relname.startsWith('pg_') && (schemaname === undefined || relname.startsWith('pg_stat_')))
      system++;
    else others++;
  });
  return system > 0 && others === 0;
}

/** Judges one text as pg_stat_statements, or a file, gave it. Needs `loadGrammar()` first. */
export function classify(query: string | null): Classified {
  if (query === null || query === HIDDEN_TEXT) return { code: 'text_hidden' };
  if (isOwn(query)) return { code: 'own_query' };
  const parsed = tryParse(query);
  if ('fault' in parsed) return { code: parsed.fault.at_end ? 'truncated' : 'unparsable' };
  const statements = parsed.tree.stmts ?? [];
  const first = statements[0]?.stmt;
  if (first === undefined) return { code: 'utility' };
  if (statements.length > 1) return { code: 'several_statements' };
  const kind = classOf(first);
  if (kind === 'utility') return classifyUtility(query, first);
  if (readsCatalogsOnly(parsed.tree)) return { code: 'catalog_only' };
  const mended = mendNormalised(query, parsed.tree);
  const again = mended === query ? parsed : tryParse(mended);
  if ('fault' in again) return { code: 'unparsable' };
  return { statement: { query_id: fingerprintOf(mended, again.tree), query: mended, class: kind } };
}

function classifyUtility(query: string, statement: Node): Classified {
  const fetched = fetchedCursor(statement);
  if (fetched !== null) return { code: 'utility', cursor: fetched };
  const inner = innerStatement(query, statement);
  if (inner === null) return { code: 'utility' };
  const verdict = classify(inner.sql);
  // What a statement within is set aside for (catalogs only, a cut text) holds for the whole.
  if ('code' in verdict) return verdict.code === 'several_statements' ? { code: 'utility' } : verdict;
  if (inner.kind === 'prepare') return { statement: verdict.statement };
  if (inner.cursor !== null) return { statement: verdict.statement, cursor: inner.cursor };
  return { code: 'utility', wrapped: verdict.statement };
}
