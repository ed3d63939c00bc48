/** Which statements are about a table, or a change, by the names in their text. */
import type { Change } from '../../domain/index.ts';

/**
 * Does the text name the table as an identifier, outside literals and comments? The schema is not looked at: a
 * namesake in another schema counts as well, which only makes a verdict more careful.
 */
export function mentionsTable(query: string, table: string): boolean {
  const tokens =
    /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/g;
  for (const match of query.matchAll(tokens)) {
    const quoted = match[2]?.replaceAll('""', '"');
    // Unquoted identifiers are folded to lower case, ASCII letters only.
    const bare = match[3]?.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
    if ((quoted ?? bare) === table) return true;
  }
  return false;
}

/** Tables that a change is about; none of a setting, which is about all of them. */
function tablesOf(change: Change): string[] {
  switch (change.kind) {
    case 'index.create':
      return [change.index.table];
    case 'index.drop':
    case 'index.reindex':
    case 'vacuum':
    case 'analyze':
    case 'statistics.create':
      return [change.table];
    case 'table.reloptions':
      return [change.table, ...(change.others ?? []).map(({ table }) => table)];
    case 'setting':
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting':
    case 'finding':
      return [];
  }
}

/**
 * May the change have made this statement faster or slower, whether or not it was meant for it? Writes keep another
 * index up, reads may get a plan with it, and all of a table feel what is vacuumed or dropped.
 */
export const mayConcern = (change: Change, query: string): boolean =>
  tablesOf(change).some((table) => mentionsTable(query, table));
