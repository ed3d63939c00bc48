/** Making texts that pg_stat_statements normalised into statements that PostgreSQL takes again. */
import type { ParseResult } from '@pgsql/types';
import { isComment, scanTokens, tryParse } from './parser.ts';
import { applyEdits, type Edit, sliceBytes } from './splice.ts';
import { lastName, walk } from './tree.ts';

/**
 * pg_stat_statements puts `$n` where a constant stood, also where the grammar has a literal only: `interval $1`,
 * `timestamptz $1`, `schema.type $1`, `extract($1 FROM x)`. libpg_query reads these forms, PostgreSQL does not;
 * here they become `$1::interval` and `pg_catalog.extract($1, x)`, at the places that the tree names.
 */
export function mendNormalised(sql: string, tree: ParseResult): string {
  const edits: Edit[] = [];
  const casts: { type: number; parameter: number }[] = [];
  const extracts: number[] = [];
  walk(tree, (node) => {
    if ('TypeCast' in node) {
      const { arg, typeName } = node.TypeCast;
      if (arg === undefined || !('ParamRef' in arg)) return;
      const type = typeName?.location ?? 0;
      const parameter = arg.ParamRef.location ?? 0;
      // `type $1` alone has the type before the operand and no position of its own; `CAST($1 AS type)` has one.
      if (type >= 0 && type < parameter) casts.push({ type, parameter });
    } else if ('FuncCall' in node) {
      const { funcname, funcformat, args, location } = node.FuncCall;
      if (funcformat !== 'COERCE_SQL_SYNTAX' || lastName(funcname) !== 'extract') return;
      if (args?.[0] !== undefined && 'ParamRef' in args[0]) extracts.push(location ?? 0);
    }
  });
  if (casts.length === 0 && extracts.length === 0) return sql;
  const tokens = (scanTokens(sql) ?? []).filter((token) => !isComment(token));
  for (const { type, parameter } of casts) {
    const token = tokens.find((each) => each.start === parameter);
    if (token === undefined) continue;
    const name = sliceBytes(sql, type, parameter).trimEnd();
    edits.push({ start: type, end: token.end, text: `${token.text}::${name}` });
  }
  for (const location of extracts) {
    const at = tokens.findIndex((token) => token.start === location);
    const [word, , , from] = tokens.slice(at, at + 4);
    if (at < 0 || word === undefined || from === undefined) continue;
    edits.push({ start: word.start, end: word.end, text: 'pg_catalog.extract' });
    edits.push({ start: from.start, end: from.end, text: ',' });
  }
  const mended = applyEdits(sql, edits);
  return 'tree' in tryParse(mended) ? mended : sql;
}
