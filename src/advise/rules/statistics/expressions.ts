/** Expressions in conditions that the planner knows nothing of, where a planner that knew would plan better. */
import { createHash } from 'node:crypto';
import {
  type AffectedStatement,
  type Evidence,
  PgLuthierError,
  quoteIdentifier,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  type WhatIf,
} from '../../../domain/index.ts';
import { findingDraft } from '../../health/finding.ts';
import { type AdvisorTable, advisorCatalog } from '../../index-advisor/catalog.ts';
import { plain } from '../../index-advisor/covered.ts';
import type { AdvisorStatement } from '../../index-advisor/statement.ts';
import { type BetterPlan, betterPlan } from '../../repairs/better-plan.ts';
import { workloadStatements } from '../../repairs/workload-statements.ts';
import { measured } from '../../settings/facts.ts';

const ID = 'statistics/expressions';
/** A plan that gets cheaper by less is not worth an object more. */
const MINIMUM_GAIN = 0.05;
/** Expressions that a planner is asked about in a run, the dearest statements' first. */
const MOST_EXPRESSIONS = 40;
const KINDS: ReadonlySet<string> = new Set(['equality', 'in', 'range']);

/** One expression of a table with the statements that compare it. */
interface Wanted {
  table: AdvisorTable;
  expression: string;
  statements: AdvisorStatement[];
}

interface Improved {
  statement: AdvisorStatement;
  plan: BetterPlan;
}

export const rule: Rule = {
  id: ID,
  area: 'statistics',
  title: 'The planner knows nothing of an expression',
  description:
    'A finding: fires where a condition compares an expression (lower(email) = …) that has no statistics of its own, so that ' +
    'the planner takes 0.5 % of the rows for equal and a third for a range (DEFAULT_EQ_SEL, DEFAULT_INEQ_SEL of selfuncs.h), and ' +
    'where a planner with statistics derived from those of the column plans a statement of the workload otherwise and for at ' +
    'least 5 % less, both plans reckoned with what is known then. CREATE STATISTICS on one expression is there since PostgreSQL 14. ' +
    'Quiet where an index on the expression exists, whose statistics are the same, and where nothing can be derived.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const { what_if: whatIf } = context;
    const result = { recommendations, rejections, limits: [] };
    if (whatIf?.addStatistics === undefined) return result;
    for (const wanted of await expressionsOf(context)) {
      const judged = await judge(context, whatIf, wanted);
      if ('code' in judged) {
        const { schema, name } = wanted.table.row;
        const candidate = `statistics on ${schema}.${name} ((${wanted.expression}))`;
        rejections.push({ rule: ID, candidate, table: quoteQualified(schema, name), ...judged });
      } else recommendations.push(judged);
    }
    return result;
  },
};

/** Of the dearest statements first. */
async function expressionsOf(context: RuleContext): Promise<Wanted[]> {
  const catalog = advisorCatalog(context.snapshot);
  const found = new Map<string, Wanted>();
  const statements = await workloadStatements(context);
  for (const statement of statements.toSorted((a, b) => b.query.share_of_time - a.query.share_of_time)) {
    // Of the samples: there a parameter beside the expression does no harm, and guesses are taken out.
    for (const usage of statement.usages.slice(0, 2)) {
      for (const { relation, expression, kind, joins } of usage.predicates) {
        const table =
          relation === null ? undefined : catalog.tables.get(usage.relations[relation]?.table_oid ?? 0);
        if (!table || expression === null || joins !== null || !KINDS.has(kind)) continue;
        if (hasStatistics(context, table, expression)) continue;
        const key = `${table.row.oid} ${expression}`;
        const wanted = found.get(key) ?? { table, expression, statements: [] };
        if (!wanted.statements.includes(statement)) wanted.statements.push(statement);
        found.set(key, wanted);
      }
    }
  }
  return [...found.values()].slice(0, MOST_EXPRESSIONS);
}

function hasStatistics({ snapshot }: RuleContext, table: AdvisorTable, expression: string): boolean {
  const wanted = plain(expression);
  return (
    table.indexes.some(({ keys }) => keys.some((key) => plain(key) === wanted)) ||
    snapshot.schema.extended_statistics.some(
      (item) => item.table_oid === table.row.oid && item.expressions.some((each) => plain(each) === wanted),
    )
  );
}

async function judge(
  context: RuleContext,
  whatIf: WhatIf,
  wanted: Wanted,
): Promise<RecommendationDraft | { code: string; reason: string }> {
  const { table, expression, statements } = wanted;
  const { schema, name } = table.row;
  try {
    const described = await whatIf.describeExpression?.(schema, name, expression);
    if (!described)
      return {
        code: 'not_derived',
        reason: 'what ANALYZE would find of it cannot be derived from its column',
      };
    const definition = { schema, table: name, columns: [], expressions: [expression] };
    const handle = await whatIf.addStatistics?.(definition, {});
    if (handle === undefined)
      return { code: 'not_derived', reason: 'the planner at hand knows no such statistics' };
    const improved: Improved[] = [];
    for (const statement of statements) {
      const sample = statement.samples.toSorted((a, b) => b.weight - a.weight)[0];
      const known = { created: [], hidden: [], statistics: [handle] };
      const plan = sample ? await betterPlan(whatIf, known, sample, context.snapshot.indexes) : null;
      if (plan === null || plan === 'unknown') continue;
      if (plan.cost_before - plan.cost_after >= MINIMUM_GAIN * plan.cost_before)
        improved.push({ statement, plan });
    }
    if (improved.length > 0) return draft(wanted, improved, whatIf);
    return { code: 'no_plan_change', reason: 'no plan gets better where the planner knows its values' };
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { code: error.code, reason: error.message };
  }
}

function draft(
  { table, expression }: Wanted,
  improved: readonly Improved[],
  whatIf: WhatIf,
): RecommendationDraft {
  const { schema, name } = table.row;
  const affects = improved.map(
    ({ statement: { query }, plan }): AffectedStatement => ({
      query_id: query.query_id,
      query: query.query,
      calls: query.calls,
      share_of_time: query.share_of_time,
      cost_before: plan.cost_before,
      cost_after: plan.cost_after,
    }),
  );
  const total = (pick: 'cost_before' | 'cost_after') =>
    affects.reduce((sum, each) => sum + each.calls * each[pick], 0);
  const from = quoteQualified(schema, name);
  // The same on every night, and another for each expression.
  const hash = createHash('sha256').update(`${name} ${expression}`).digest('hex').slice(0, 8);
  const statistics = quoteQualified(schema, `expression_stats_${hash}`);
  const notes = [
    `CREATE STATISTICS ${statistics} ON (${expression}) FROM ${from};`,
    `ANALYZE ${from};`,
    `Way back: DROP STATISTICS ${statistics};`,
    'An index on the expression brings the same statistics: where index/missing proposes one, this is not needed beside.',
  ];
  const evidence: Evidence[] = [
    measured('expression', expression, null, 'workload'),
    measured('rows', table.row.reltuples, 'rows', 'pg_class.reltuples'),
    ...improved.map(
      ({ plan }): Evidence => ({
        name: 'plan',
        value: `${plan.before} → ${plan.after}`,
        unit: null,
        source: `${whatIf.engine} EXPLAIN`,
        level: 'simulated',
        formula: 'statistics of the expression derived from those of its column',
      }),
    ),
  ];
  return {
    ...findingDraft({
      rule: ID,
      key: `finding expression-statistics ${schema}.${name} (${expression})`,
      title: `Statistics of ${expression} on ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
      rationale: `The planner guesses how many rows ${expression} lets through. With statistics of it, as they would follow from those of the column, it plans ${improved.length} statement(s) otherwise and cheaper. What ANALYZE will find is not known before.`,
      severity: 'low',
      evidence,
      restart: false,
      notes,
    }),
    evidence_level: 'simulated',
    confidence: 0.5,
    estimate: {
      cost_before: total('cost_before'),
      cost_after: total('cost_after'),
      size_bytes: null,
      write_overhead: 0,
    },
    affects,
    risk: { locks: 'none: nothing is changed', restart: false, reload: false, notes },
  };
}
