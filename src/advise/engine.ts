/** Runs rules over a context; one that fails is a limit of the result, not the end of the others. */
import {
  type Limit,
  PgLuthierError,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  type RuleResult,
} from '../domain/index.ts';
import { withContradictions } from './repairs/contradictions.ts';
import { saidOnce } from './said-once.ts';
import { withinBudget } from './within-budget.ts';

/** Told of each rule that failed, with the whole error: for the log, never for the result. */
export type OnRuleFailure = (rule: Rule, error: unknown) => void;

/**
 * What all rules gave together, in the order in which they were given. A rule that throws gives nothing but a limit
 * `rule_failed`. Its message holds only what an error says to people (`PgLuthierError.message`): the text of any
 * other may quote values out of the database.
 */
export async function runRules(
  rules: readonly Rule[],
  context: RuleContext,
  onFailure?: OnRuleFailure,
): Promise<RuleResult> {
  const total: RuleResult = { recommendations: [], rejections: [], limits: [] };
  const yields = new Map<string, readonly string[]>();
  for (const [position, rule] of rules.entries()) {
    context.progress(`rule ${position + 1} of ${rules.length}: ${rule.title}`);
    try {
      const result = await rule.evaluate(context);
      total.recommendations.push(...result.recommendations);
      total.rejections.push(...result.rejections);
      total.limits.push(...result.limits);
      if (result.coverage) total.coverage = result.coverage;
      for (const [key, others] of result.yields ?? []) yields.set(key, others);
    } catch (error) {
      total.limits.push(failure(rule, error));
      onFailure?.(rule, error);
    }
  }
  const { recommendations, rejections } = saidOnce(total.recommendations, yields);
  const granted = withinBudget(recommendations, context.index_budget_bytes);
  total.rejections.push(...rejections, ...granted.rejections);
  return {
    ...total,
    recommendations: withContradictions(granted.recommendations),
    rejections: notRecommended(total.rejections, granted.recommendations),
  };
}

/** One rule may leave to another what that one recommends: such a change was not rejected. */
function notRecommended(
  rejections: readonly Rejection[],
  recommendations: readonly RecommendationDraft[],
): Rejection[] {
  const recommended = new Set(
    recommendations.flatMap(({ change, key }) => (change.kind === 'index.drop' ? [key] : [])),
  );
  return rejections.filter(({ key }) => key === undefined || !recommended.has(key));
}

function failure(rule: Rule, error: unknown): Limit {
  const known = error instanceof PgLuthierError;
  return {
    scope: rule.id,
    code: 'rule_failed',
    message: known
      ? `The rule ${rule.id} failed: ${error.message}`
      : `The rule ${rule.id} failed on a defect of its own; its advice is missing here.`,
    remedy:
      known && error.remedy ? error.remedy : 'Please report it with the snapshot, if you may share that.',
  };
}
