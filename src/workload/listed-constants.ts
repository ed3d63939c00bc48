/** The constants of a list that a column is compared with. */
import type { A_Const, Node } from '@pgsql/types';

/**
 * The constants of `('a', 'b')` or `ARRAY['a'::text, 'b'::text]` as a column's statistics write plain values; null: it is
 * no list, or one of its items is not a constant or is null.
 */
export function listedConstants(node: Node): string[] | null {
  if ('TypeCast' in node && node.TypeCast.arg) return listedConstants(node.TypeCast.arg);
  const items =
    'List' in node ? node.List.items : 'A_ArrayExpr' in node ? node.A_ArrayExpr.elements : undefined;
  if (items === undefined) return null;
  const texts = items.map(constantText);
  return texts.every((text) => text !== null) ? texts : null;
}

function constantText(node: Node): string | null {
  if ('TypeCast' in node && node.TypeCast.arg) return constantText(node.TypeCast.arg);
  return 'A_Const' in node ? textOf(node.A_Const) : null;
}

function textOf({ ival, fval, sval, boolval }: A_Const): string | null {
  if (sval) return sval.sval ?? '';
  // A zero is left out of the tree.
  if (ival) return String(ival.ival ?? 0);
  if (fval) return fval.fval ?? null;
  return boolval ? (boolval.boolval ? 't' : 'f') : null;
}
