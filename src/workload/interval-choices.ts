/** How far back an interval reaches. */
import { quoteLiteral } from '../domain/index.ts';
import type { Hint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import type { ParameterChoice } from './parameter-choice.ts';
import { parseTime, quantile } from './quantiles.ts';

/** `created_at > now() - $1::interval`: back to quantiles of the column's histogram, else a day, a week, a month. */
export function intervalChoice(
  { unit }: Extract<Hint, { kind: 'cast' }>,
  operator: string | null,
  values: OperandValues | null,
  takenAt: string,
  /** Share of the rows that a call returned; null: not known. */
  share: number | null,
): ParameterChoice {
  // Nothing tells which: the widest, which no index serves, counts as much as the narrowest.
  const weights = [1, 1, 1];
  if (unit) {
    const units = ['1', '3'].map((each, index) => ({
      sql: quoteLiteral(each),
      weight: index === 0 ? 0.7 : 0.3,
      frequency: null,
    }));
    return {
      column: values?.name ?? null,
      operator,
      choices: units,
      source: 'one and three of its unit',
      guessed: true,
    };
  }
  if (values !== null && (values.family === 'timestamp' || values.family === 'date')) {
    const { bounds } = values.pool;
    const places = share === null ? [0.99, 0.9, 0.5] : [1 - share];
    const seconds = places.flatMap((place) => {
      const bound = quantile(bounds, place, 'timestamp');
      const age = bound === null ? Number.NaN : (Date.parse(takenAt) - parseTime(bound)) / 1000;
      return age >= 1 ? [Math.round(age)] : [];
    });
    if (seconds.length === places.length) {
      return {
        column: values.name,
        operator,
        choices: seconds.map((each, index) => ({
          sql: quoteLiteral(`${each} seconds`),
          weight: share === null ? (weights[index] ?? 0) : 1,
          frequency: null,
        })),
        guessed: share === null,
        source:
          share === null
            ? 'reaching back to the newest 1%, 10% and 50% (pg_stats)'
            : `reaching back to the newest ${Number((share * 100).toPrecision(2))}% (pg_stats), the observed rows per call`,
      };
    }
  }
  const choices = ['1 day', '7 days', '30 days'].map((each, index) => ({
    sql: quoteLiteral(each),
    weight: weights[index] ?? 0,
    frequency: null,
  }));
  return {
    column: values?.name ?? null,
    operator,
    choices,
    source: 'a day, a week, a month',
    guessed: true,
  };
}
