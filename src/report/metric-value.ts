/** Values of a scorecard's metrics as a person reads them. */
import { amount, milliseconds, percent } from './format.ts';

/** A value of a metric in its unit; null: `unknown`. */
export function metricValue(value: number | null, unit: string): string {
  if (value === null) return 'unknown';
  if (unit === 'ms') return value < 10 ? `${value.toPrecision(2)} ms` : milliseconds(value);
  if (unit === 'share') return percent(value);
  const number = value >= 100 ? amount(value) : String(Number(value.toPrecision(3)));
  return unit === '1/day' ? `${number} a day` : unit === '1/s' ? `${number} a second` : number;
}
