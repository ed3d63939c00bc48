/** Values at places of an ordered list, between its entries where numbers and times allow. */
import type { TypeFamily } from './type-family.ts';

/** A time's text as PostgreSQL prints it (ISO style), as milliseconds; NaN for infinity, BC and other styles. */
export function parseTime(text: string): number {
  const [day = '', clock = ''] = text.split(' ');
  if (clock === '') return Date.parse(day);
  const zone = Math.max(clock.lastIndexOf('+'), clock.lastIndexOf('-'));
  const offset = zone < 0 ? 'Z' : clock.slice(zone);
  return Date.parse(
    `${day}T${zone < 0 ? clock : clock.slice(0, zone)}${offset.length === 3 ? `${offset}:00` : offset}`,
  );
}

function between(low: string, high: string, part: number, family: TypeFamily): string | null {
  if (family === 'integer' || family === 'number') {
    const [a, b] = [Number(low), Number(high)];
    const value = a + (b - a) * part;
    if (!Number.isFinite(value)) return null;
    if (family === 'number') return String(Number(value.toPrecision(12)));
    return Number.isSafeInteger(a) && Number.isSafeInteger(b) ? String(Math.round(value)) : null;
  }
  if (family === 'timestamp' || family === 'date') {
    const [a, b] = [parseTime(low), parseTime(high)];
    const value = new Date(a + (b - a) * part);
    if (Number.isNaN(value.getTime())) return null;
    const iso = value.toISOString();
    return family === 'date' ? iso.slice(0, 10) : iso;
  }
  return null;
}

/** Value at a quantile (0..1) of an ascending list; null of an empty one. */
export function quantile(ordered: readonly string[], q: number, family: TypeFamily = 'other'): string | null {
  if (ordered.length === 0) return null;
  const place = Math.min(1, Math.max(0, q)) * (ordered.length - 1);
  const below = Math.floor(place);
  const [low, high] = [ordered[below], ordered[below + 1]];
  if (low === undefined) return null;
  if (high === undefined || place === below) return low;
  return between(low, high, place - below, family) ?? ordered[Math.round(place)] ?? null;
}

/**
 * The newest values are about as new as the snapshot: rows are appended as time goes on. "About": within a fiftieth of
 * what the histogram spans, or two days.
 */
export function endsNearNow(ordered: readonly string[], takenAt: string): boolean {
  const times = ordered.map(parseTime).filter((time) => !Number.isNaN(time));
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return false;
  return Math.abs(Date.parse(takenAt) - last) <= Math.max((last - first) / 50, 2 * 86_400_000);
}
