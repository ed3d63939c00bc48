/**
 * Text of others (names, statements, messages) made fit for a terminal: a name may hold an escape sequence that
 * would rewrite the screen, or a line break that would forge a line of the report.
 */

/** Control characters, C1 included, and Unicode's line breaks and direction overrides; tabs and line feeds apart. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Control characters but for line feeds and tabs shown as escapes, e.g. `\x1b`; the text is otherwise untouched. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n' || character === '\t') return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same on one line: any white space becomes one space. */
export function visibleLine(text: string): string {
  return visible(text.replace(/\s+/g, ' ').trim());
}
