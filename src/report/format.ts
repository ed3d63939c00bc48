/** Numbers and lines as a person reads them. */

import {
  amountWords as amount,
  bytesWords as bytes,
  durationWords as milliseconds,
  percentWords as percent,
  roughSeconds,
} from '../domain/index.ts';
import { visibleLine } from './terminal-text.ts';

export { amount, bytes, milliseconds, percent, roughSeconds };

/** One line, cut at `length`. */
export function shorten(text: string, length: number): string {
  const line = visibleLine(text);
  return line.length <= length ? line : `${line.slice(0, Math.max(0, length - 1))}…`;
}

/** Words in lines of at most `width`, each behind `indent`; a word that is longer than a line has one of its own. */
export function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of visibleLine(text).split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width - indent.length) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push(indent + line);
  return lines;
}

/** The same with a mark before the first line, e.g. `- `. */
export function wrapItem(text: string, width: number, indent: string, mark: string): string[] {
  return wrap(text, width, indent + ' '.repeat(mark.length)).map((line, position) =>
    position === 0 ? indent + mark + line.slice(indent.length + mark.length) : line,
  );
}

/** A value of evidence with its unit. */
export function evidenceValue(value: number | string | boolean | null, unit: string | null): string {
  if (typeof value !== 'number') return value === null ? 'unknown' : String(value);
  if (unit === 'bytes') return bytes(value);
  if (unit === 'share') return percent(value);
  if (unit === 'ms') return milliseconds(value);
  if (unit === 's') return milliseconds(1000 * value);
  if (unit === 'cost') return `${amount(value)} cost units`;
  return unit === null ? amount(value) : `${amount(value)} ${unit}`;
}
