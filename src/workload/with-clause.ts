/** Reading WITH: each query once, and whether conditions on it can be checked inside. */
import type { WithClause } from '@pgsql/types';
import type { Analysis } from './analysis.ts';
import type { Scope } from './scope.ts';
import { namesOf, walk } from './tree.ts';

/** Registers WITH queries in the scope and reads each of them once. */
export function readWith(
  analysis: Analysis,
  scope: Scope,
  clause: WithClause | undefined,
  statement: unknown,
): void {
  for (const node of clause?.ctes ?? []) {
    if (!('CommonTableExpr' in node)) continue;
    const { ctename = '', ctequery, ctematerialized, aliascolnames } = node.CommonTableExpr;
    if (ctequery === undefined) continue;
    let references = 0;
    let refersToItself = false;
    walk(statement, (each) => {
      if ('RangeVar' in each && each.RangeVar.schemaname === undefined && each.RangeVar.relname === ctename) {
        references++;
      }
    });
    if (clause?.recursive === true) {
      walk(ctequery, (each) => {
        if (
          'RangeVar' in each &&
          each.RangeVar.schemaname === undefined &&
          each.RangeVar.relname === ctename
        ) {
          refersToItself = true;
        }
      });
      if (refersToItself) scope.ctes.set(ctename, { columns: null });
    }
    // PostgreSQL folds a WITH query into its parent if it is a plain SELECT that is referred to once (docs, 7.8.3).
    const folded =
      'SelectStmt' in ctequery &&
      !refersToItself &&
      ctematerialized !== 'CTEMaterializeAlways' &&
      (references === 1 || ctematerialized === 'CTEMaterializeNever');
    const columns = analysis.readers.readQuery(ctequery, scope, folded ? 'derived' : 'value');
    const names = namesOf(aliascolnames);
    scope.ctes.set(ctename, {
      columns: columns.map((column, index) => ({
        ...column,
        name: names[index] ?? column.name,
        transparent: column.transparent && folded,
      })),
    });
  }
}
