/** Entries of arrays and tsvectors: what ANALYZE lists of them, and those that are too rare for its list. */
import type { EntryClass } from './gin-entries.ts';
import type { KeyFacts } from './key-facts.ts';

/** Of a tsvector's lexeme beside its text: WordEntry, a count of positions and one position, aligned (ts_type.h). */
const LEXEME_OVERHEAD = 8;
/** A short lexeme with all that belongs to it: the listed ones may be longer than the others. */
const SHORT_LEXEME = 14;
/** vl_len and the number of lexemes. */
const TSVECTOR_HEADER = 8;
/** Ranks whose frequencies are compared: the list's last quarter. */
const TAIL = 0.75;
/** Less than so many entries a document, and the list has them all but for errors of the estimate. */
const NEGLIGIBLE = 0.02;

/**
 * Known entries each with their rows, and the rest of what a document has on average: ANALYZE leaves out what is in less
 * than about a thousandth of the rows, and what does not fit into its list (ts_typanalyze.c, array_typanalyze.c). Their
 * frequencies go on to fall as those of the list's last quarter do. Behind a full list there is at least as much again as
 * in that quarter: how many lexemes a tsvector of so many bytes has is known too roughly to say that there is nothing.
 * @param most elements that ANALYZE keeps at most: ten for each unit of the statistics target.
 */
export function elementClasses(key: KeyFacts, rows: number, most: number): EntryClass[] {
  const { element_freqs, element_bytes: bytes } = key;
  const known = element_freqs.map((share) => ({ keys: 1, rows: Math.max(1, share * rows), bytes }));
  const ofWidth = (key.width - TSVECTOR_HEADER) / (bytes - 1 + LEXEME_OVERHEAD);
  const perRow = key.elements ?? Math.max(ofWidth, key.width / SHORT_LEXEME);
  const left = perRow - element_freqs.reduce((sum, share) => sum + share, 0);
  const sorted = element_freqs.toSorted((a, b) => b - a);
  const tail = sorted.slice(Math.floor(sorted.length * TAIL)).reduce((sum, share) => sum + share, 0);
  const rest = most > 0 && element_freqs.length >= most ? Math.max(left, tail) : left;
  if (rest < NEGLIGIBLE * perRow) return known;
  return [...known, ...rarer(element_freqs, rest, rows, bytes)];
}

/** Entries behind the last of the list, in classes whose ranks double, until they make up for the rest. */
function rarer(freqs: readonly number[], rest: number, rows: number, bytes: number): EntryClass[] {
  const sorted = freqs.toSorted((a, b) => b - a);
  const last = sorted.at(-1) ?? 1 / rows;
  const count = Math.max(1, sorted.length);
  const from = Math.floor(count * TAIL);
  const middle = sorted[from] ?? last;
  const slope = from > 0 && count > from + 1 ? Math.log(middle / last) / Math.log(count / (from + 1)) : 0;
  const classes: EntryClass[] = [];
  let left = rest;
  for (let rank = count; left > 0; rank *= 1.25) {
    const share = last * (rank / count) ** -slope;
    if (share * rows <= 1) {
      classes.push({ keys: left * rows, rows: 1, bytes });
      break;
    }
    const keys = Math.min(Math.max(1, rank * 0.25), left / share);
    classes.push({ keys, rows: share * rows, bytes });
    left -= keys * share;
  }
  return classes;
}
