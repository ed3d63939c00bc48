/** Runs rules over a context; one that fails is a limit of the result, not the end of the others. */
import { PgLuthierError, type Rule, type RuleContext, type RuleResult } from '../domain/index.ts';

/** What all rules gave together. */
export async function runRules(rules: readonly Rule[], context: RuleContext): Promise<RuleResult> {
  const total: RuleResult = { recommendations: [], rejections: [], limits: [] };
  for (const rule of rules) {
    context.progress(`rule ${rule.id}`);
    try {
      const result = await rule.evaluate(context);
      total.recommendations.push(...result.recommendations);
      total.rejections.push(...result.rejections);
      total.limits.push(...result.limits);
      if (result.coverage) total.coverage = result.coverage;
    } catch (error) {
      total.limits.push({
        scope: rule.id,
        code: 'rule_failed',
        message:
          error instanceof PgLuthierError
            ? `The rule ${rule.id} failed: ${error.message}`
            : `The rule ${rule.id} failed unexpectedly (${error instanceof Error ? error.message : String(error)}); its advice is missing here.`,
        remedy: 'Please report it with the snapshot, if you may share that.',
      });
    }
  }
  return total;
}
