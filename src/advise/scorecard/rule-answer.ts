/** Questions that rules answer: nothing found is a yes only where they could look. */
import type { Evidence, Rule, RuleContext, RuleResult } from '../../domain/index.ts';
import { runRules } from '../engine.ts';

export interface Answer {
  answer: 'yes' | 'no' | 'unknown';
  because: string;
  evidence: Evidence[];
  remedy: string | null;
}

/** Rejections that say that a rule came to no judgement. */
const NO_JUDGEMENT = new Set(['statistics_too_young', 'no_window', 'no_workload', 'no_what_if']);
/** Limits that belong to the facts a rule wanted. */
const FACTS = new Set(['host', 'settings']);
const NAMED = 3;

/** Whether the name is one of these; `settings/` stands for all that begin so. */
function named(id: string, names: readonly string[]): boolean {
  return names.some((name) => (name.endsWith('/') ? id.startsWith(name) : id === name));
}

/**
 * Runs the rules and answers: no where one of them recommends something (what is of severity info apart), unknown where
 * one could not judge, otherwise yes.
 * @param names ids, or areas as `settings/`.
 */
export async function answerByRules(
  rules: readonly Rule[],
  names: readonly string[],
  context: RuleContext,
): Promise<Answer> {
  const chosen = rules.filter(({ id }) => named(id, names));
  if (chosen.length === 0) {
    return { answer: 'unknown', because: 'No rule that looks at it was loaded.', evidence: [], remedy: null };
  }
  const result = await runRules(chosen, context);
  const evidence = result.recommendations.slice(0, 8).map(
    ({ rule, title, evidence_level, severity }): Evidence => ({
      name: rule,
      value: title,
      unit: null,
      source: `rule ${rule}, ${severity}`,
      level: evidence_level,
      formula: null,
    }),
  );
  return { ...verdictOf(result, chosen, context), evidence };
}

function ruleNames(rules: readonly Rule[]): string {
  const names = rules.slice(0, NAMED).map(({ id }) => id);
  const more = rules.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more rules` : ''}`;
}

function verdictOf(
  { recommendations, rejections, limits }: RuleResult,
  chosen: readonly Rule[],
  { snapshot }: RuleContext,
): Omit<Answer, 'evidence'> {
  const found = recommendations.filter(({ severity }) => severity !== 'info');
  if (found.length > 0) {
    const more = found.length > NAMED ? `, and ${found.length - NAMED} more` : '';
    const titles = found.slice(0, NAMED).map(({ title }) => title);
    return {
      answer: 'no',
      because: `${titles.join('; ')}${more}.`,
      remedy: 'pgluthier analyze says what to do about each.',
    };
  }
  const ids = new Set(chosen.map(({ id }) => id));
  const limit = limits.find(({ scope }) => ids.has(scope) || FACTS.has(scope));
  if (limit) return { answer: 'unknown', because: limit.message, remedy: limit.remedy };
  const young = rejections.find(({ code }) => NO_JUDGEMENT.has(code));
  if (young) return { answer: 'unknown', because: `${young.candidate}: ${young.reason}.`, remedy: null };
  return {
    answer: 'yes',
    because: `${ruleNames(chosen)} looked at the snapshot of ${snapshot.taken_at} and found nothing.`,
    remedy: null,
  };
}
