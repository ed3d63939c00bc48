/** The columns that an expression reads which belongs to one table: an index's key, its predicate, a CHECK. */
import { PgLuthierError } from '../domain/index.ts';
import { parseTree } from './parser.ts';
import { stringOf, walk } from './tree.ts';

const NONE: ReadonlySet<string> = new Set();

/** Texts that are kept with what was read in them: a run asks thousands of times about the same few. */
const MOST_KEPT = 10_000;
const kept = new Map<string, ReadonlySet<string>>();

/**
 * Names of the columns, as the catalog has them. Within one table nothing else can stand where a column stands: what is in
 * a constant or names a function is none. Needs the grammar, which every reading of statements loads.
 * @param expression as PostgreSQL writes it, or as we do; null reads nothing.
 * @throws PgLuthierError `sql_syntax`.
 */
export function columnsRead(expression: string | null): ReadonlySet<string> {
  if (expression === null) return NONE;
  const known = kept.get(expression);
  if (known) return known;
  const names = new Set<string>();
  walk(parseTree(`SELECT (${expression})`), (node) => {
    if (!('ColumnRef' in node)) return;
    const name = stringOf(node.ColumnRef.fields?.at(-1));
    if (name !== undefined) names.add(name);
  });
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(expression, names);
  return names;
}

/** Whether the parser at hand can read it: a server that is newer than the parser may have grammar of its own. */
export function isReadable(expression: string | null): boolean {
  try {
    columnsRead(expression);
    return true;
  } catch (error) {
    if (error instanceof PgLuthierError && error.code === 'sql_syntax') return false;
    throw error;
  }
}
