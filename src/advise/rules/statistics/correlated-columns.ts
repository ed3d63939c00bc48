/** Columns that depend on each other, where a planner that knew it would plan better. */
import { createHash } from 'node:crypto';
import {
  type AffectedStatement,
  type Change,
  type Evidence,
  MAX_IDENTIFIER_BYTES,
  PgLuthierError,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  type Snapshot,
  type WhatIf,
} from '../../../domain/index.ts';
import { advisorCatalog } from '../../index-advisor/catalog.ts';
import type { AdvisorStatement } from '../../index-advisor/statement.ts';
import { type BetterPlan, betterPlan } from '../../repairs/better-plan.ts';
import {
  type ColumnGroup,
  correlatedGroups,
  equalColumns,
  MISESTIMATE,
} from '../../repairs/column-groups.ts';
import { type FittedStatistics, fitStatistics } from '../../repairs/fitted-statistics.ts';
import { workloadStatements } from '../../repairs/workload-statements.ts';

const ID = 'statistics/correlated-columns';
/** A plan that gets cheaper by less is not worth an object more. */
const MINIMUM_GAIN = 0.05;
/** Rows of a table may have changed by this share since ANALYZE. */
const STALE_SHARE = 0.2;

export const rule: Rule = {
  id: ID,
  area: 'statistics',
  title: 'Columns depend on each other and the planner does not know',
  description:
    `Fires where a statement that compares two to four columns of a table returns, a call, ${MISESTIMATE} times the rows that ` +
    'their most common values could bring about together if they were independent, or where a GROUP BY of a whole table ' +
    'gives a tenth of the groups that the planner expects; and where, with statistics fitted to those rows, a planner plans ' +
    'a statement of the workload otherwise and for at least 5 % less, both plans reckoned with the observed rows. What ANALYZE ' +
    'will really find nobody knows before. Quiet without pg_stat_statements, and where such statistics exist.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const { what_if: whatIf, workload } = context;
    const result = { recommendations, rejections, limits: [] };
    // Statements of files were never run: there are no rows to compare with.
    if (workload.source === 'files' || whatIf?.addStatistics === undefined) return result;
    const statements = await workloadStatements(context);
    const { groups, rejected } = await correlatedGroups(
      context,
      advisorCatalog(context.snapshot),
      statements,
    );
    const reject = (
      { table, columns }: Pick<ColumnGroup, 'table' | 'columns'>,
      code: string,
      reason: string,
    ) =>
      rejections.push({
        rule: ID,
        candidate: `statistics on ${table.row.schema}.${table.row.name} (${columns.join(', ')})`,
        table: quoteQualified(table.row.schema, table.row.name),
        code,
        reason,
      });
    for (const each of rejected) reject(each, each.code, each.reason);
    for (const group of groups) {
      const against = refusal(group, context.snapshot);
      const judged = against ?? (await judge(context, whatIf, group, statements));
      if ('code' in judged) reject(group, judged.code, judged.reason);
      else recommendations.push(judged);
    }
    return result;
  },
};

/** Why it is not even asked of the planner. */
function refusal({ table, columns, kind }: ColumnGroup, snapshot: Snapshot) {
  const letter = kind === 'dependencies' ? 'f' : 'd';
  const existing = snapshot.schema.extended_statistics.find(
    (item) =>
      item.table_oid === table.row.oid &&
      item.kinds.includes(letter) &&
      columns.every((name) => item.columns.includes(name)),
  );
  if (existing) {
    const empty = existing.data === null ? ', but hold nothing that this role sees: ANALYZE the table' : '';
    return { code: 'exists', reason: `the statistics ${existing.schema}.${existing.name} are there${empty}` };
  }
  const { n_mod_since_analyze, relkind } = table.row;
  if (relkind !== 'p' && n_mod_since_analyze > STALE_SHARE * Math.max(1, table.row.reltuples)) {
    return {
      code: 'statistics_stale',
      reason: 'the table has changed much since it was analysed: that comes first',
    };
  }
  return null;
}

interface Improved {
  statement: AdvisorStatement;
  plan: BetterPlan;
}

async function judge(
  context: RuleContext,
  whatIf: WhatIf,
  group: ColumnGroup,
  statements: readonly AdvisorStatement[],
): Promise<RecommendationDraft | { code: string; reason: string }> {
  try {
    const fitted = await fitStatistics(context, whatIf, group);
    if ('code' in fitted) return fitted;
    const improved: Improved[] = [];
    let changed = false;
    for (const statement of statements.filter((each) => concerns(each, group))) {
      const sample = statement.samples.toSorted((a, b) => b.weight - a.weight)[0];
      const known = { created: [], hidden: [], statistics: [fitted.handle] };
      const plan = sample ? await betterPlan(whatIf, known, sample, context.snapshot.indexes) : null;
      changed ||= plan !== null;
      if (plan === null || plan === 'unknown') continue;
      if (plan.cost_before - plan.cost_after >= MINIMUM_GAIN * plan.cost_before) {
        improved.push({ statement, plan });
      }
    }
    if (improved.length > 0) return draft(group, fitted, improved, context, whatIf);
    const said = `the planner expects ${Math.round(fitted.rows_before)} rows where ${Math.round(group.observed)} come`;
    return changed
      ? {
          code: 'gain_not_shown',
          reason: `${said}; with the right rows a plan changes, but no gain could be shown`,
        }
      : { code: 'no_plan_change', reason: `${said}, but plans as it would if it knew` };
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { code: error.code, reason: error.message };
  }
}

/** Statements that compare two of the columns, or group by them. */
function concerns(statement: AdvisorStatement, { table, columns, statement: own }: ColumnGroup): boolean {
  if (statement === own) return true;
  const [usage] = statement.usages;
  return (usage?.relations ?? []).some((relation, position) => {
    if (relation.table_oid !== table.row.oid) return false;
    const grouped = (usage?.groups ?? [])
      .filter((group) => group.relation === position)
      .flatMap(({ operands }) => operands.flatMap(({ column }) => column ?? []));
    const used = new Set([...equalColumns(statement, position), ...grouped]);
    return columns.filter((name) => used.has(name)).length >= 2;
  });
}

type StatisticsChange = Extract<Change, { kind: 'statistics.create' }>;

function draft(
  group: ColumnGroup,
  fitted: FittedStatistics,
  improved: readonly Improved[],
  { snapshot }: RuleContext,
  whatIf: WhatIf,
): RecommendationDraft {
  const { table, columns, kind, observed, independent, formula, statement } = group;
  const { schema, name } = table.row;
  const change: StatisticsChange = {
    kind: 'statistics.create',
    schema,
    table: name,
    name: statisticsName(name, columns, kind, snapshot),
    kinds: kind === 'dependencies' ? ['dependencies', 'mcv'] : ['ndistinct'],
    columns,
  };
  const affects = improved.map(
    ({ statement: each, plan }): AffectedStatement => ({
      query_id: each.query.query_id,
      query: each.query.query,
      calls: each.query.calls,
      share_of_time: each.query.share_of_time,
      cost_before: plan.cost_before,
      cost_after: plan.cost_after,
    }),
  );
  const total = (pick: 'cost_before' | 'cost_after') =>
    affects.reduce((sum, each) => sum + each.calls * each[pick], 0);
  const what = kind === 'dependencies' ? 'rows' : 'groups';
  const engine = `${whatIf.engine} EXPLAIN`;
  return {
    rule: ID,
    change,
    key: `statistics.create ${schema}.${name} (${columns.join(', ')}) ${kind}`,
    title: `Statistics of ${columns.join(' and ')} of ${schema}.${name} together`,
    rationale: `A statement that uses ${columns.join(' and ')} together returns ${Math.round(observed)} ${what} a call; the planner, which takes them as independent, expects ${Math.round(fitted.rows_before)}. With statistics fitted to what was seen it plans ${improved.length} statement(s) otherwise. What ANALYZE will find is not known before: verify it afterwards.`,
    severity: 'medium',
    evidence_level: 'simulated',
    confidence: 0.6,
    estimate: {
      cost_before: total('cost_before'),
      cost_after: total('cost_after'),
      size_bytes: null,
      write_overhead: 0,
    },
    affects,
    evidence: [
      {
        name: `${what} a call`,
        value: observed,
        unit: 'rows',
        source: 'pg_stat_statements',
        level: 'measured',
        formula: `rows ÷ calls = ${statement.query.rows} ÷ ${statement.query.calls} of: ${statement.query.query.replaceAll(/\s+/g, ' ').slice(0, 120)}`,
      },
      {
        name: kind === 'dependencies' ? 'rows at most, if independent' : 'groups, if independent',
        value: independent,
        unit: 'rows',
        source: 'pg_stats',
        level: 'estimated',
        formula,
      },
      simulated('the planner expects', fitted.rows_before, 'rows', engine),
      simulated('it expects with the statistics', fitted.rows_after, 'rows', engine),
      {
        name: kind === 'dependencies' ? 'degree of the dependency' : 'distinct combinations',
        value: fitted.fitted,
        unit: kind === 'dependencies' ? 'share' : null,
        source: 'fitted to the observed rows',
        level: 'estimated',
        formula: null,
      },
      ...improved.map(({ plan }) => simulated('plan', `${plan.before} → ${plan.after}`, null, engine)),
    ],
    risk: {
      locks: 'CREATE STATISTICS and ANALYZE: ShareUpdateExclusive; reads and writes go on.',
      restart: false,
      reload: false,
      notes: [
        'ANALYZE of the table takes a little longer from then on; plans of other statements on it may change, too.',
        ...(kind === 'dependencies'
          ? [
              'mcv is created beside: where the columns depend on each other only for some values, it tells more.',
            ]
          : []),
      ],
    },
  };
}

function simulated(name: string, value: number | string, unit: string | null, source: string): Evidence {
  return { name, value, unit, source, level: 'simulated', formula: null };
}

/** The same on every night; where it is taken or too long, with a hash. */
function statisticsName(table: string, columns: readonly string[], kind: string, snapshot: Snapshot): string {
  const plain = [table, ...columns, kind === 'ndistinct' ? 'ndistinct' : 'stats'].join('_');
  const taken = snapshot.schema.extended_statistics.some((item) => item.name === plain);
  if (!taken && Buffer.byteLength(plain) <= MAX_IDENTIFIER_BYTES) return plain;
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 8);
  let start = plain;
  while (Buffer.byteLength(start) > MAX_IDENTIFIER_BYTES - hash.length - 1) start = start.slice(0, -1);
  return `${start}_${hash}`;
}
