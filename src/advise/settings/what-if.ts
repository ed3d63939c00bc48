/**
 * Which plans of the top statements would be others under other settings or statistics, asked of the planner: evidence
 * for settings that planning reads, and often the reason not to touch them.
 */
import {
  type Configuration,
  PgLuthierError,
  type PlanChange,
  type PlannableStatement,
  type PlanTree,
  type RuleContext,
  type WhatIf,
} from '../../domain/index.ts';
import type { AdvisorStatement } from '../index-advisor/statement.ts';
import { comparePlans } from '../plans/compare.ts';
import { reducePlan } from '../plans/reduce.ts';
import { betterPlan } from '../repairs/better-plan.ts';
import { workloadStatements } from '../repairs/workload-statements.ts';

/** Statements that are planned, those of most time first; each sample is two questions, 0.2 ms to 1 ms. */
const STATEMENTS = 100;
/** Flips whose plan of now is asked for again under the new settings: some ten questions each. */
const RECKONED = 10;

/** What is different in the question; indexes stay as they are. */
export type SettingsQuestion = Pick<Configuration, 'settings' | 'statistics'>;

export interface Flip {
  statement: AdvisorStatement;
  sample: PlannableStatement;
  before: PlanTree;
  after: PlanTree;
  changes: PlanChange[];
  /** Cost of the plan of now under the new settings, where costs mean something else there; null: not to be had. */
  reckoned_before: number | null;
}

export interface SettingsAnswer {
  /** Statements that were planned, and their share of the workload's time (of its calls where it came from files). */
  statements: number;
  share_of_time: number;
  /** One a statement, of most time first. */
  flips: Flip[];
  /** Share of the workload's time of the statements whose plan changes. */
  flipped_share: number;
  /** Every planned statement's first sample, before and after, planner cost units under either's own settings. */
  costs: { statement: AdvisorStatement; before: number; after: number }[];
}

/** Changes that are another plan, not the same one at another price. */
const ANOTHER_PLAN: ReadonlySet<PlanChange['kind']> = new Set([
  'access',
  'join',
  'sort',
  'aggregate',
  'parallel',
  'node',
]);

const isAnotherPlan = ({ kind }: PlanChange) => ANOTHER_PLAN.has(kind);

/**
 * Another way to the rows: what page costs and the cache are there to decide. That a sort on disk is reckoned cheaper
 * (cost_tuplesort() takes part of random_page_cost for it), so that workers go or come, is no such thing.
 */
export function isAnotherPath({ kind, before, after }: PlanChange): boolean {
  const method = (text: string | null) => text?.replaceAll('Parallel ', '') ?? null;
  return (kind === 'access' || kind === 'join') && method(before) !== method(after);
}

/**
 * Asks for the plans of the top statements twice.
 * @param options.masked_by a setting: statements of roles that all have a value of their own for it are left out.
 * @param options.before what the first plans are asked with; absent: what is in force.
 * @param options.of_role statements that this role alone sends, whatever masks it.
 * @param options.counts which changes make another plan for this question; absent: any of its shape.
 * @param options.reprices costs mean something else under the new settings: then the plan of now is reckoned anew.
 * @returns a reason where there is nobody to ask, or nothing to ask about.
 */
export async function askSettings(
  context: RuleContext,
  question: SettingsQuestion,
  options: {
    masked_by?: string;
    of_role?: string;
    before?: SettingsQuestion;
    reprices: boolean;
    counts?: (change: PlanChange) => boolean;
  },
): Promise<SettingsAnswer | { reason: string }> {
  const { what_if: whatIf } = context;
  if (whatIf === null) return { reason: 'there was no planner to ask' };
  const statements = await topStatements(context, options);
  if (statements.length === 0) {
    return { reason: 'no statement could be planned that the server’s own value counts for' };
  }
  try {
    const now = await plansOf(context, whatIf, options.before ?? {}, statements);
    const then = await plansOf(context, whatIf, question, statements);
    const answer = compareAll(statements, now, then, options.counts ?? isAnotherPlan);
    if (answer.statements === 0) return { reason: 'no statement of the workload could be planned' };
    if (options.reprices) await reckon(context, whatIf, question, answer.flips);
    return answer;
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { reason: error.message };
  }
}

/** The present plan of each of these statements (of its first sample), by query_id; those without one are missing. */
export async function plansOfNow(
  context: RuleContext,
  query_ids: ReadonlySet<string>,
): Promise<Map<string, PlanTree> | { reason: string }> {
  const { what_if: whatIf } = context;
  if (whatIf === null) return { reason: 'there was no planner to ask' };
  const wanted = (await workloadStatements(context)).filter(({ query }) => query_ids.has(query.query_id));
  const plans = await plansOf(context, whatIf, {}, wanted);
  return new Map(
    wanted.flatMap(({ query, samples: [first] }) => {
      const plan = first && plans.get(first);
      return plan ? [[query.query_id, plan] as const] : [];
    }),
  );
}

async function topStatements(
  context: RuleContext,
  { masked_by: maskedBy, of_role: role }: { masked_by?: string; of_role?: string },
): Promise<AdvisorStatement[]> {
  const here = context.snapshot.server.database;
  const masks = context.snapshot.setting_overrides.filter(
    ({ name, database }) => name === maskedBy && (database === null || database === here),
  );
  // ALTER ROLE ALL goes before the server's value for everybody; ALTER DATABASE does, too, but is what advice changes then.
  if (masks.some(({ role, database }) => role === null && database === null)) return [];
  const masking = new Set(masks.flatMap(({ role }) => role ?? []));
  return (await workloadStatements(context))
    .filter(({ query: { users } }) =>
      role === undefined
        ? users.length === 0 || !users.every((user) => masking.has(user))
        : users.length > 0 && users.every((user) => user === role),
    )
    .toSorted((a, b) => b.query.share_of_time - a.query.share_of_time)
    .slice(0, STATEMENTS);
}

type Plans = ReadonlyMap<PlannableStatement, PlanTree>;

/** Plans of now are asked for once for all rules. */
const plansNow = new WeakMap<RuleContext, Map<PlannableStatement, PlanTree>>();

async function plansOf(
  context: RuleContext,
  whatIf: WhatIf,
  question: SettingsQuestion,
  statements: readonly AdvisorStatement[],
): Promise<Plans> {
  const isNow = Object.keys(question).length === 0;
  const plans = (isNow ? plansNow.get(context) : undefined) ?? new Map<PlannableStatement, PlanTree>();
  if (isNow) plansNow.set(context, plans);
  for (const { samples } of statements) {
    for (const sample of samples) {
      if (plans.has(sample) || Date.now() > context.deadline) continue;
      try {
        const explained = await whatIf.explain({ created: [], hidden: [], ...question }, sample);
        plans.set(sample, reducePlan(explained));
      } catch (error) {
        if (!(error instanceof PgLuthierError) || SETTING_ERRORS.has(error.code)) throw error;
        // One that cannot be planned is left out of both.
      }
    }
  }
  return plans;
}

/** The question itself is refused: no statement would have an answer. */
const SETTING_ERRORS: ReadonlySet<string> = new Set(['setting_not_simulated', 'setting_refused']);

function compareAll(
  statements: readonly AdvisorStatement[],
  now: Plans,
  then: Plans,
  counts: (change: PlanChange) => boolean,
): SettingsAnswer {
  const answer: SettingsAnswer = {
    statements: 0,
    share_of_time: 0,
    flips: [],
    flipped_share: 0,
    costs: [],
  };
  for (const statement of statements) {
    const planned = statement.samples.flatMap((sample) => {
      const [before, after] = [now.get(sample), then.get(sample)];
      return before && after ? [{ sample, before, after }] : [];
    });
    const [first] = planned;
    if (!first) continue;
    answer.statements += 1;
    answer.share_of_time += statement.query.share_of_time;
    answer.costs.push({ statement, before: first.before.total_cost, after: first.after.total_cost });
    const flip = planned
      .map((each) => ({ ...each, changes: comparePlans(each.before, each.after) }))
      .find(({ changes }) => changes.some(counts));
    if (!flip) continue;
    answer.flips.push({ statement, ...flip, reckoned_before: null });
    answer.flipped_share += statement.query.share_of_time;
  }
  return answer;
}

async function reckon(
  context: RuleContext,
  whatIf: WhatIf,
  question: SettingsQuestion,
  flips: readonly Flip[],
): Promise<void> {
  for (const flip of flips.slice(0, RECKONED)) {
    if (Date.now() > context.deadline) return;
    const plan = await betterPlan(
      whatIf,
      { created: [], hidden: [], ...question },
      flip.sample,
      context.snapshot.indexes,
    );
    if (plan !== null && plan !== 'unknown') flip.reckoned_before = plan.cost_before;
  }
}
