/** A metric of the scorecard out of what was observed of it, or out of the reason why nothing was. */
import {
  type Evidence,
  gradeOf,
  type Limit,
  type ScorecardMetric,
  type ScorecardMetricId,
  type ScorecardThresholds,
  scorecardMetrics,
  thresholdsOf,
} from '../../domain/index.ts';
import type { Span } from './input.ts';

/** Shorter than this it shows no habit: a day has its quiet and its busy hours. */
export const YOUNG_SECONDS = 86_400;

export interface Observed {
  value: number;
  /** For derived values: what they are at least and at most. */
  range?: { low: number; high: number };
  /** Null: a single moment. */
  span: Span | null;
  evidence: Evidence[];
  note?: string;
}

/** Why there is no value. */
export interface Unseen {
  code: string;
  message: string;
  remedy: string | null;
  /** What was seen nevertheless. */
  evidence?: Evidence[];
}

export type Observation = Observed | Unseen;

export function isUnseen(observation: Observation): observation is Unseen {
  return 'code' in observation;
}

/** The metric with its grade, and the limit where it has no value. */
export function metricOf(
  id: ScorecardMetricId,
  observation: Observation,
  overrides: ScorecardThresholds,
): { metric: ScorecardMetric; limits: Limit[] } {
  const { title, unit, better, source } = scorecardMetrics[id];
  const thresholds = thresholdsOf(id, overrides);
  const thresholds_source = overrides[id] === undefined ? source : "this target's own";
  const shared = { id, title, unit, better, thresholds, thresholds_source };
  if (isUnseen(observation)) {
    const { code, message, remedy, evidence = [] } = observation;
    return {
      metric: {
        ...shared,
        value: null,
        low: null,
        high: null,
        level: 'measured',
        grade: 'unknown',
        certain: true,
        provisional: false,
        covers_seconds: null,
        evidence,
        note: message,
      },
      limits: [{ scope: `scorecard/${id}`, code, message: `${title}: ${message}`, remedy }],
    };
  }
  const { value, range, span, evidence, note } = observation;
  const grade = gradeOf(id, value, thresholds);
  const ends = range ? [gradeOf(id, range.low, thresholds), gradeOf(id, range.high, thresholds)] : [];
  const covers_seconds = span?.seconds ?? null;
  return {
    metric: {
      ...shared,
      value,
      low: range?.low ?? null,
      high: range?.high ?? null,
      level: range ? 'estimated' : 'measured',
      grade,
      certain: ends.every((end) => end === grade),
      provisional: span === null || (covers_seconds !== null && covers_seconds < YOUNG_SECONDS),
      covers_seconds,
      evidence,
      note: note ?? null,
    },
    limits: [],
  };
}
