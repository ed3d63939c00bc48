/** Numbers and lines as a person reads them. */

import { visibleLine } from './terminal-text.ts';

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with PostgreSQL's units: 1 kB is 1024 bytes. */
export function bytes(value: number): string {
  let amount = Math.abs(value);
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${value < 0 ? '-' : ''}${amount.toFixed(digits)} ${units[unit]}`;
}

/** A count or a cost without noise: 1,234,567 or 12.3. */
export function amount(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en-US')
    : value.toPrecision(3);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function milliseconds(value: number): string {
  if (value >= 3_600_000) return `${(value / 3_600_000).toFixed(1)} h`;
  if (value >= 60_000) return `${(value / 60_000).toFixed(1)} min`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(1)} ms`;
}

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
  return unit === null ? amount(value) : `${amount(value)} ${unit}`;
}
