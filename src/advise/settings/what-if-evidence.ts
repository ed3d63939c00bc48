/** What the planner said to other settings, as evidence, as affected statements, and as a reason against. */
import type { AffectedStatement, Evidence, RuleContext } from '../../domain/index.ts';
import { shortenPlan } from '../plans/shorten.ts';
import type { Flip, SettingsAnswer } from './what-if.ts';

/** Flips that are kept with both plans. */
const SHOWN = 5;
/** With less of the time planned, that nothing flips says nothing. */
const ENOUGH_TIME = 0.5;

/** Nothing flips, and enough was asked that this says something. */
export function nothingFlips(answer: SettingsAnswer): boolean {
  return answer.flips.length === 0 && answer.share_of_time >= ENOUGH_TIME;
}

/** For a rejection: what was asked, and that it changed nothing. */
export function noFlipReason(answer: SettingsAnswer): string {
  return `${answer.statements} statement(s) with ${percent(answer.share_of_time)} of the time were planned with both values: each keeps its plan`;
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

/** The statements whose plan changes, with both plans of those of most time. */
export function affectedBy({ flips }: SettingsAnswer): AffectedStatement[] {
  return flips.map(({ statement, before, after, changes, reckoned_before }, position) => ({
    query_id: statement.query.query_id,
    query: statement.query.query,
    calls: statement.query.calls,
    share_of_time: statement.query.share_of_time,
    cost_before: reckoned_before ?? before.total_cost,
    cost_after: after.total_cost,
    ...(position < SHOWN
      ? { plan_change: { before: shortenPlan(before), after: shortenPlan(after), changes } }
      : {}),
  }));
}

/** What was asked and what came of it, or why nobody was asked. */
export function answerEvidence(
  context: RuleContext,
  answer: SettingsAnswer | { reason: string },
  question: string,
): Evidence[] {
  const row = (name: string, value: Evidence['value'], unit: string | null, formula: string | null) => ({
    name,
    value,
    unit,
    source: `${context.what_if?.engine ?? 'no'} EXPLAIN of the statements of most time`,
    level: 'simulated' as const,
    formula,
  });
  if ('reason' in answer) {
    return [
      {
        name: 'plans under the proposed value',
        value: 'not asked',
        unit: null,
        source: answer.reason,
        level: 'estimated',
        formula: null,
      },
    ];
  }
  const reckoned = answer.flips.filter(({ reckoned_before }) => reckoned_before !== null);
  return [
    row('statements planned with both values', answer.statements, 'statements', question),
    row('their share of the time', answer.share_of_time, 'share', null),
    row('statements whose plan changes', answer.flips.length, 'statements', null),
    row('their share of the time (changed plans)', answer.flipped_share, 'share', null),
    ...(reckoned.length === 0
      ? []
      : [
          row(
            'cost of the old plans ÷ cost of the new ones, both under the new value',
            sum(reckoned, ({ reckoned_before }) => reckoned_before ?? 0) /
              sum(reckoned, ({ after }) => after.total_cost),
            'ratio',
            `Σ calls × cost over ${reckoned.length} statement(s); the old plan is forced under the new value`,
          ),
        ]),
  ];
}

/** What changes in the plans of the first flips, in words. */
export function flipEvidence(context: RuleContext, { flips }: SettingsAnswer): Evidence[] {
  return flips.slice(0, SHOWN).map(({ statement, changes }) => ({
    name: `plan of ${statement.query.query_id}`,
    value: changes
      .filter(({ kind }) => kind !== 'cost' && kind !== 'rows')
      .map(({ text }) => text)
      .join('; '),
    unit: null,
    source: `${context.what_if?.engine} EXPLAIN`,
    level: 'simulated' as const,
    formula: null,
  }));
}

function sum(flips: readonly Flip[], cost: (flip: Flip) => number): number {
  return flips.reduce((total, flip) => total + flip.statement.query.calls * cost(flip), 0);
}
