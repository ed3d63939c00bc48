/** Numbers as a person reads them. */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** 1,234,567 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Bytes with PostgreSQL's units (1 kB is 1024 bytes). */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as a span: `3.5 hours`. */
export function span(ms: number): string {
  if (ms >= 2 * DAY) return `${(ms / DAY).toFixed(1)} days`;
  if (ms >= 2 * HOUR) return `${(ms / HOUR).toFixed(1)} hours`;
  if (ms >= 2 * MINUTE) return `${Math.round(ms / MINUTE)} minutes`;
  return `${Math.round(ms / 1000)} seconds`;
}

/** A share 0..1: `87 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Milliseconds from a moment to when the snapshot was taken; null: no such moment. Never negative. */
export function elapsed(since: string | null, taken_at: string): number | null {
  if (since === null) return null;
  return Math.max(0, Date.parse(taken_at) - Date.parse(since));
}
