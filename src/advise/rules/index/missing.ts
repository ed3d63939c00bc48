/** Indexes that the workload wants: found in its statements, weighed by a real planner, chosen for all of them together. */
import {
  type Rejection,
  type Rule,
  type RuleContext,
  type RuleResult,
  weightWords,
} from '../../../domain/index.ts';
import { adviseIndexes, type IndexAdvice } from '../../index-advisor/advise.ts';
import { crossCheck } from '../../index-advisor/cross-check.ts';
import { draftIndex } from '../../index-advisor/draft.ts';
import { draftReplaced } from '../../index-advisor/draft-replaced.ts';
import { askWithoutEach, EvidenceTime, gainsOf, notAsked } from '../../index-advisor/evidence.ts';
import { addPlans } from '../../index-advisor/plan-evidence.ts';
import { keyOfIndex } from '../../index-advisor/standing.ts';

const ID = 'index/missing';
/** Statements that could not be simulated which a report names. */
const LISTED_STATEMENTS = 10;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index would make the workload cheaper',
  description:
    'Candidates come from the parse trees of the workload (equality, range, order, join, partial, expression, full text, ' +
    'jsonb, block ranges); a planner with the target’s statistics costs them, with sampled parameter values; a set is ' +
    'chosen that saves the most plan cost × calls, less what it costs the writes; existing indexes that a chosen one ' +
    'replaces are dropped in the same search. What was advised before is kept unless another set is better by a margin, ' +
    'what was approved counts as there, what was dismissed is left out until its evidence changes. Quiet where no index ' +
    'saves 0.2 % of the workload.',
  evaluate: async (context) => {
    const nothing: RuleResult = { recommendations: [], rejections: [], limits: [] };
    if (context.workload.queries.length === 0) {
      const message = 'No statement was seen, so no index can be advised.';
      return { ...nothing, limits: [{ scope: ID, code: 'no_workload', message, remedy: null }] };
    }
    if (!context.what_if) {
      const message = 'No planner could be had to simulate indexes with.';
      return { ...nothing, limits: [{ scope: ID, code: 'no_what_if', message, remedy: null }] };
    }
    const advice = await adviseIndexes(context, context.what_if, ID);
    const time = new EvidenceTime(context.deadline);
    context.progress('asking what each index saves beside the others');
    await askWithoutEach(advice, time.costs);
    const checked =
      context.cross_check && advice.selection.chosen.length > 0
        ? await crossCheck(context.cross_check, advice, time.check)
        : null;
    context.progress('asking what each index saves by itself');
    const gains = await gainsOf(advice, time.gains);
    const drafted = advice.selection.chosen.map((contender) =>
      draftIndex(contender, gains.get(contender) ?? null, { advice, context, checked, rule: ID }),
    );
    const recommendations = [
      ...drafted.map(({ draft }) => draft),
      ...advice.selection.dropped.map((leaving) => draftReplaced(leaving, { advice, context, rule: ID })),
    ];
    advice.limits.push(
      ...notAsked(
        ID,
        drafted.reduce((sum, { unasked }) => sum + unasked, 0),
      ),
    );
    const withoutGain = drafted.filter(({ draft }) => draft.gain === undefined).length;
    if (withoutGain > 0) {
      advice.limits.push({
        scope: ID,
        code: 'gain_not_asked',
        message: `There was no time to ask what ${withoutGain} recommended index(es) would save by themselves; what each saves beside the others is told.`,
        remedy: 'Give the analysis more time (--time-limit).',
      });
    }
    context.progress('asking for plans to show');
    const plans = { context, whatIf: context.what_if, rule: ID };
    const plansLimits = await addPlans(recommendations, advice, plans);
    const total = (pick: 'before' | 'after') =>
      advice.statements.reduce(
        (sum, { query }) => sum + query.calls * (advice.costs.get(query.query_id)?.[pick] ?? 0),
        0,
      );
    return {
      recommendations,
      rejections: eachOnce(advice.rejections),
      limits: [...advice.limits, ...(checked?.limits ?? []), ...plansLimits, ...notAnalysed(advice, context)],
      coverage: {
        analysed: advice.statements.map((statement) => statement.query.query_id),
        not_analysed: advice.not_analysed,
        cost_before: total('before'),
        cost_after: total('after'),
        cost_floor: advice.floor,
        cost_floor_is_estimate: advice.floor_is_estimate,
        concluded: advice.selection.concluded,
      },
    };
  },
};

/** A statement that reads no table could not profit from an index: it is counted in the summary only. */
const NOTHING_TO_GAIN = 'no_table';

/** The statements that could not be simulated, those of most time each by itself, the others counted. */
function notAnalysed({ not_analysed }: IndexAdvice, { workload }: RuleContext): RuleResult['limits'] {
  const queries = new Map(workload.queries.map((query) => [query.query_id, query]));
  const shareOf = (id: string) => queries.get(id)?.share_of_time ?? 0;
  const told = not_analysed
    .filter(({ code }) => code !== NOTHING_TO_GAIN)
    .toSorted((a, b) => shareOf(b.query_id) - shareOf(a.query_id));
  const limits = told.slice(0, LISTED_STATEMENTS).map(({ query_id, reason }) => {
    const text = queries.get(query_id)?.query.replace(/\s+/g, ' ').slice(0, 100) ?? query_id;
    return limitOf(
      `${percent(shareOf(query_id))} of ${weightWords(workload)} is in a statement`,
      reason,
      text,
    );
  });
  const rest = told.slice(LISTED_STATEMENTS);
  if (rest.length === 0) return limits;
  const share = rest.reduce((sum, { query_id }) => sum + shareOf(query_id), 0);
  const more = `${percent(share)} of ${weightWords(workload)} is in ${rest.length} more statements`;
  return [...limits, limitOf(more, 'the summary counts them by reason', 'each of less time')];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const limitOf = (what: string, reason: string, text: string): RuleResult['limits'][number] => ({
  scope: 'workload',
  code: 'statement_not_analysed',
  message: `${what} that could not be simulated (${reason}): ${text}`,
  remedy: null,
});

/** Each candidate once, by the last that was found of it; with its key, so that standing advice learns why it is not proposed any more. */
function eachOnce(given: Rejection[]): Rejection[] {
  const byCandidate = new Map(given.map((rejection) => [rejection.candidate, rejection]));
  return [...byCandidate.values()].map((rejection) => ({
    ...rejection,
    key: keyOfIndex(rejection.candidate),
  }));
}
