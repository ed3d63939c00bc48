/** The figures of an analysis in sentences: what it costs, how far from the best, what was left out. */
import type { Report } from '../domain/index.ts';
import { amount, percent } from './format.ts';
import { metricValue } from './metric-value.ts';

type Summary = Report['summary'];

/** Plan costs now and then, and what a better choice could still save. */
export function costFacts(summary: Summary): string[] {
  const { cost_before, cost_after, cost_floor, cost_floor_is_estimate, optimality_gap } = summary;
  if (cost_before === null || cost_after === null || cost_before <= 0) return [];
  const facts = [
    `plan cost of the workload: ${amount(cost_before)} now, ${amount(cost_after)} with all recommended indexes (${percent(1 - cost_after / cost_before)} less)`,
  ];
  if (optimality_gap !== null && cost_floor !== null) {
    const bound = cost_floor_is_estimate ? 'an estimated' : 'at most';
    facts.push(
      `optimality gap: ${bound} ${percent(optimality_gap)} of the read cost that is left could be saved by other indexes among the candidates (none of their sets ${cost_floor_is_estimate ? 'is expected to go' : 'goes'} below ${amount(cost_floor)}), if disk, writes and a budget did not count`,
    );
  }
  return facts;
}

/** Statements that were not analysed, a sentence a reason. */
export function notAnalysedFacts({ not_analysed }: Summary, time: string): string[] {
  return not_analysed.map(
    ({ reason, statements, share_of_time }) =>
      `not analysed: ${statements} statement(s) with ${percent(share_of_time)} of ${time.replace(/^.*database time$/, 'the database time')}: ${reason}`,
  );
}

/** The scorecard in short, where there is one. */
export function scorecardFacts({ scorecard }: Summary): string[] {
  if (!scorecard) return [];
  const wanting = scorecard.wanting.map(
    ({ title, value, unit, grade, provisional }) =>
      `${title} ${metricValue(value, unit)} (${grade}${provisional ? ', provisional' : ''})`,
  );
  const rest = wanting.length > 0 ? `: ${wanting.join('; ')}` : '';
  const { overall } = scorecard;
  // "target" by itself reads as if it were the database's.
  const said = overall === 'target' ? 'all that was seen is at its target' : overall;
  return [`scorecard: ${said}${rest}`];
}
