/** Which statements are about a table, by the names in their text. */

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
