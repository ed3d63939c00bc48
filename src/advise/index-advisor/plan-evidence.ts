/**
 * Plans as evidence: of the statements that a recommended index helps most, the plan now and with all recommended
 * indexes. Asked at the very end, a few statements at a time: as it is now, then with the set.
 */
import {
  type AffectedStatement,
  type Configuration,
  type Limit,
  PgLuthierError,
  type PlanComparison,
  type PlanTree,
  type RecommendationDraft,
  type RuleContext,
  type WhatIf,
} from '../../domain/index.ts';
import { comparePlans } from '../plans/compare.ts';
import { type ReduceOptions, reducePlan } from '../plans/reduce.ts';
import { shortenPlan } from '../plans/shorten.ts';
import type { IndexAdvice } from './advise.ts';
import type { SamplePlans } from './search/statement-plans.ts';
import type { AdvisorStatement } from './statement.ts';

/** Statements of a recommendation with their plans, by what they gain. */
const STATEMENTS_EACH = 3;
/** Statements in all; each is two questions (0.8 ms each, measured), so a run asks at most 800 for this. */
const STATEMENTS_IN_ALL = 400;
/** Statements between two switches of the engine. */
const AT_ONCE = 16;

/**
 * Puts `plan_change` to the statements of the drafts.
 * @returns a limit where some that should have one have none.
 */
export async function addPlans(
  drafts: readonly RecommendationDraft[],
  advice: IndexAdvice,
  { context, whatIf, rule }: { context: RuleContext; whatIf: WhatIf; rule: string },
): Promise<Limit[]> {
  const wanted = wantedPlans(drafts);
  // Each recommendation's best statement first.
  const ranked = [...wanted]
    .sort(([, a], [, b]) => a.place - b.place || gain(b.items) - gain(a.items))
    .slice(0, STATEMENTS_IN_ALL);
  const byId = new Map(advice.statements.map((statement) => [statement.query.query_id, statement]));
  const { handles } = advice.selection;
  const asked = ranked.flatMap(([query_id]) => {
    const statement = byId.get(query_id);
    return statement ? [{ query_id, sample: tellingSample(statement, advice, handles), statement }] : [];
  });
  const names = new Map(
    advice.selection.chosen.map(({ handle, candidate }) => [handle, candidate.definition.name]),
  );
  const schemas = schemasOf(context);
  const [before, after] = [new Map<string, PlanTree>(), new Map<string, PlanTree>()];
  const ask = async (
    some: typeof asked,
    plans: Map<string, PlanTree>,
    { created, hidden }: Configuration,
  ): Promise<void> => {
    for (const { query_id, sample, statement } of some) {
      if (!sample || Date.now() > context.deadline) continue;
      const options: ReduceOptions = {
        indexName: (name) => names.get(name) ?? name,
        schemaOf: (relation, alias) => schemas(statement, relation, alias),
      };
      try {
        plans.set(query_id, reducePlan(await whatIf.explain({ created, hidden }, sample), options));
      } catch (error) {
        // It was planned before; if it is not now (a timeout), the advice stands without a plan to look at.
        if (error instanceof PgLuthierError && error.code !== 'plan_unreadable') throw error;
      }
    }
  };
  const recommended: Configuration = {
    created: advice.selection.chosen.map(({ handle }) => handle).sort(),
    hidden: advice.selection.dropped.map(({ handle }) => handle).sort(),
  };
  // One plan of a pair says nothing: few at a time, so that time which runs out leaves whole pairs.
  for (let start = 0; start < asked.length; start += AT_ONCE) {
    const some = asked.slice(start, start + AT_ONCE);
    await ask(some, before, { created: [], hidden: [] });
    await ask(some, after, recommended);
  }
  let missing = 0;
  for (const [query_id, { items }] of wanted) {
    const [was, is] = [before.get(query_id), after.get(query_id)];
    if (!was || !is) {
      missing += 1;
      continue;
    }
    // Compared whole, kept short.
    const plan_change: PlanComparison = {
      before: shortenPlan(was),
      after: shortenPlan(is),
      changes: comparePlans(was, is),
    };
    for (const affected of items) affected.plan_change = plan_change;
  }
  if (missing === 0) return [];
  const message = `The plans of ${missing} statements that recommended indexes help are not shown: at most ${STATEMENTS_IN_ALL} are asked about, those that gain most of each first, and none past the time limit.`;
  return [{ scope: rule, code: 'plans_not_shown', message, remedy: null }];
}

interface WantedPlan {
  /** The same statement in each draft that has it. */
  items: AffectedStatement[];
  /** Its best place among the statements of a draft. */
  place: number;
}

const gain = (items: readonly AffectedStatement[]) =>
  Math.max(...items.map(({ calls, cost_before, cost_after }) => calls * (cost_before - cost_after)));

/** The statements that gain most of each draft, by query_id: one may be in several drafts. */
function wantedPlans(drafts: readonly RecommendationDraft[]): Map<string, WantedPlan> {
  const wanted = new Map<string, WantedPlan>();
  for (const { affects } of drafts) {
    // They stand in the order of what they gain.
    const helped = affects.filter((item) => item.cost_after < item.cost_before);
    for (const [place, item] of helped.slice(0, STATEMENTS_EACH).entries()) {
      const known = wanted.get(item.query_id) ?? { items: [], place };
      known.items.push(item);
      known.place = Math.min(known.place, place);
      wanted.set(item.query_id, known);
    }
  }
  return wanted;
}

/** Of a statement's samples the one that gains most by its weight: of a skewed column a common value's plan may stay. */
function tellingSample(
  statement: AdvisorStatement,
  { book }: IndexAdvice,
  chosen: ReadonlySet<string>,
): AdvisorStatement['samples'][number] | undefined {
  const plans = book.plans(statement);
  // Without a sample that could not be planned the places would not be those of the samples.
  if (plans.length !== statement.samples.length) return statement.samples[0];
  const there = [...book.relevant(statement)];
  const gains = plans.map((sample) => {
    const [now, then] = [book.present, chosen].map((set) => costUnder(sample, set, there));
    return now === undefined || then === undefined ? 0 : sample.share * (now - then);
  });
  return statement.samples[gains.indexOf(Math.max(...gains))];
}

function costUnder(
  { plans }: SamplePlans,
  set: ReadonlySet<string>,
  relevant: readonly string[],
): number | undefined {
  return plans.find(
    ({ on, needs }) =>
      needs.every((handle) => set.has(handle)) &&
      relevant.every((handle) => !set.has(handle) || on.has(handle)),
  )?.cost;
}

/** A relation's schema by what the statement says of it, else by a name that only one schema has. */
function schemasOf({ snapshot }: RuleContext) {
  const known = new Map<string, string | null>();
  for (const { schema, name } of snapshot.tables) known.set(name, known.has(name) ? null : schema);
  return (statement: AdvisorStatement, relation: string, alias: string): string | null => {
    const named = statement.usages
      .flatMap(({ relations }) => relations)
      .filter(({ table }) => table === relation);
    const aliased = named.filter((item) => item.alias === alias);
    const schemas = new Set((aliased.length > 0 ? aliased : named).map(({ schema }) => schema));
    const [only] = schemas;
    return (schemas.size === 1 ? only : known.get(relation)) ?? null;
  };
}
