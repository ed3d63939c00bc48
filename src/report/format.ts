/** Numbers and lines as a person reads them. */

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
  if (value >= 60_000) return `${(value / 60_000).toFixed(1)} min`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(1)} ms`;
}

/** One line, cut at `length`. */
export function shorten(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

/** Words in lines of at most `width`, each behind `indent`. */
export function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
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

/** A value of evidence with its unit. */
export function evidenceValue(value: number | string | boolean | null, unit: string | null): string {
  if (typeof value !== 'number') return value === null ? 'unknown' : String(value);
  if (unit === 'bytes') return bytes(value);
  if (unit === 'share') return percent(value);
  if (unit === 'ms') return milliseconds(value);
  return unit === null ? amount(value) : `${amount(value)} ${unit}`;
}
