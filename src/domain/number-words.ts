/** Numbers as a person reads them. */

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with PostgreSQL's units: 1 kB is 1024 bytes. */
export function bytesWords(value: number): string {
  let amount = Math.abs(value);
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${value < 0 ? '-' : ''}${amount.toFixed(digits)} ${units[unit]}`;
}

/** Roughly known seconds: two digits, for more would claim more than is known. */
export function roughSeconds(seconds: number): string {
  return durationWords(1000 * Number(seconds.toPrecision(2))).replace('.0 ', ' ');
}

const DAY_HOURS = 24;

/** How long something has been counted, in the unit in which it is short: `12 minutes`, `3.5 hours`, `12.4 days`. */
export function ageWords(days: number): string {
  const hours = Math.max(0, days) * DAY_HOURS;
  const [value, unit] =
    hours < 1 ? [60 * hours, 'minute'] : hours < 2 * DAY_HOURS ? [hours, 'hour'] : [days, 'day'];
  const short = hours < 1 ? value.toFixed(0) : String(Number(value.toFixed(1)));
  return `${short} ${unit}${short === '1' ? '' : 's'}`;
}

/** A count or a cost without noise: 1,234,567 or 12.3. */
export function amountWords(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)));
}

/** A share of 1 in per cent, to a tenth. */
export function percentWords(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Milliseconds in the unit in which they are short; below one, with as many digits as say something. */
export function durationWords(ms: number): string {
  if (ms >= 3_600_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return Math.abs(ms) >= 1 || ms === 0 ? `${ms.toFixed(1)} ms` : `${Number(ms.toPrecision(2))} ms`;
}
