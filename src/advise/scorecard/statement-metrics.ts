/** Times of the statements that clients sent: mean, and quantiles derived from means and deviations. */
import type { WorkloadQuery } from '../../domain/index.ts';
import { computed, measured } from '../settings/facts.ts';
import { type MetricsInput, type Span, spanOf } from './input.ts';
import type { Observation, Unseen } from './metric.ts';
import { meanStatementTime, statementTimeQuantile } from './statement-time.ts';

/** Calls below which a quantile is nothing but the slowest few. */
const ENOUGH_CALLS = { mean: 20, 0.95: 100, 0.99: 500 } as const;

/** Set aside because nobody could read or place them; the other codes are none of the clients' statements. */
const NOT_SEEN = new Set([
  'text_hidden',
  'text_lost',
  'truncated',
  'unparsable',
  'several_statements',
  'ambiguous_schema',
]);

const TIMES =
  'execution on the server: waits for locks within, planning, network and fetching by the client not. BEGIN, COMMIT, COPY, DDL and other utility statements are left out.';

interface Sent {
  statements: WorkloadQuery[];
  calls: number;
  /** Calls that could not be counted in. */
  missing: number;
  span: Span;
}

/** What clients sent: statements that only ran inside of functions are within those. */
function sentBy(input: MetricsInput, least: number): Sent | Unseen {
  const { workload, snapshot } = input;
  const refused = snapshot.limits.find(({ scope }) => scope === 'statements');
  const statements = workload.queries.filter(({ nested }) => nested !== true);
  const calls = statements.reduce((sum, { calls }) => sum + calls, 0);
  if (calls === 0) {
    return {
      code: refused ? 'not_collected' : 'too_few_observations',
      message: refused
        ? `pg_stat_statements could not be read: ${refused.message}`
        : 'no statement of a client was counted.',
      remedy: refused?.remedy ?? 'Watch it while the application works.',
    };
  }
  if (calls < least) {
    return {
      code: 'too_few_observations',
      message: `${calls} calls were counted; ${least} are wanted before it says anything.`,
      remedy: 'Take a longer window.',
      evidence: [measured('calls', calls, 'calls', 'pg_stat_statements.calls')],
    };
  }
  const missing = workload.set_aside.reduce(
    (sum, { code, calls }) => (NOT_SEEN.has(code) ? sum + calls : sum),
    0,
  );
  return { statements, calls, missing, span: spanOf(input, snapshot.statements_info?.stats_reset ?? null) };
}

function momentsOf(statements: readonly WorkloadQuery[]) {
  return statements.map(({ calls, mean_exec_time_ms: mean, stddev_exec_time_ms: stddev }) => ({
    calls,
    mean,
    stddev,
  }));
}

function evidenceOf({ statements, calls, missing, span }: Sent) {
  return [
    measured('calls', calls, 'calls', `pg_stat_statements.calls, ${span.words}`),
    measured('statements', statements.length, 'statements', 'fingerprinted texts of pg_stat_statements'),
    ...(missing > 0
      ? [measured('calls left out', missing, 'calls', 'statements whose text could not be read or placed')]
      : []),
  ];
}

export function meanTime(input: MetricsInput): Observation {
  const sent = sentBy(input, ENOUGH_CALLS.mean);
  if ('code' in sent) return sent;
  return {
    value: meanStatementTime(momentsOf(sent.statements)) ?? 0,
    span: sent.span,
    evidence: [
      ...evidenceOf(sent),
      computed('mean', meanStatementTime(momentsOf(sent.statements)), 'ms', 'Σ total_exec_time ÷ Σ calls'),
    ],
    note: TIMES,
  };
}

/** Named after the quantile in the evidence, since no view holds it. */
export function quantileTime(input: MetricsInput, q: 0.95 | 0.99): Observation {
  const sent = sentBy(input, ENOUGH_CALLS[q]);
  if ('code' in sent) return sent;
  const derived = statementTimeQuantile(momentsOf(sent.statements), q);
  if (derived === null) return { code: 'too_few_observations', message: 'no calls.', remedy: null };
  const name = `P${100 * q}`;
  return {
    value: derived.estimate,
    range: { low: derived.low, high: derived.high },
    span: sent.span,
    evidence: [
      ...evidenceOf(sent),
      computed(
        name,
        derived.estimate,
        'ms',
        `derived: each statement's times taken as log-normal with its own mean and standard deviation ${sent.span.words}, mixed by calls; where a share ${q} of the mixture lies`,
      ),
      computed(
        `${name} at least`,
        derived.low,
        'ms',
        "Cantelli's inequality for each statement, mixed by calls: holds for any shape",
      ),
      computed(
        `${name} at most`,
        derived.high,
        'ms',
        "the same from above, and Markov's: holds for any shape",
      ),
    ],
    note: `Derived, not measured: pg_stat_statements keeps means and deviations only. It is ${TIMES}`,
  };
}
