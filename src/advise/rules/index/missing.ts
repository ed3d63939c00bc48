/** Indexes that the workload wants: found in its statements, weighed by a real planner, chosen for all of them together. */
import type {
  AffectedStatement,
  Evidence,
  RecommendationDraft,
  Rejection,
  Rule,
  RuleContext,
  RuleResult,
  Severity,
} from '../../../domain/index.ts';
import { renderIndexDefinition } from '../../../domain/index.ts';
import { adviseIndexes, type IndexAdvice } from '../../index-advisor/advise.ts';
import type { Contender } from '../../index-advisor/selection.ts';
import { megabytes } from '../../index-advisor/selection.ts';

const ID = 'index/missing';
/** Rejections that a report lists one by one; the rest is counted. */
const LISTED_REJECTIONS = 60;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index would make the workload cheaper',
  description:
    'Candidates come from the parse trees of the workload (equality, range, order, join, partial, expression, full text, ' +
    'jsonb, block ranges); a planner with the target’s statistics costs them, with sampled parameter values; a set is ' +
    'chosen that saves the most plan cost × calls, less what it costs the writes. Quiet where no index saves 0.2 % of ' +
    'the workload.',
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
    const recommendations: RecommendationDraft[] = [];
    for (const contender of advice.selection.chosen) {
      recommendations.push(await draft(contender, advice, context));
    }
    const total = (pick: 'before' | 'after') =>
      advice.statements.reduce(
        (sum, { query }) => sum + query.calls * (advice.costs.get(query.query_id)?.[pick] ?? 0),
        0,
      );
    return {
      recommendations,
      rejections: shortened(advice.rejections),
      limits: [...advice.limits, ...notAnalysed(advice, context)],
      coverage: {
        analysed: advice.statements.map((statement) => statement.query.query_id),
        not_analysed: advice.not_analysed,
        cost_before: total('before'),
        cost_after: total('after'),
      },
    };
  },
};

function notAnalysed(advice: IndexAdvice, context: RuleContext): RuleResult['limits'] {
  const share = new Map(context.workload.queries.map((query) => [query.query_id, query]));
  return advice.not_analysed.map(({ query_id, reason }) => {
    const query = share.get(query_id);
    const percent = (100 * (query?.share_of_time ?? 0)).toFixed(1);
    return {
      scope: 'workload',
      code: 'statement_not_analysed',
      message: `${percent} % of the database time is in a statement that could not be simulated (${reason}): ${query?.query.replace(/\s+/g, ' ').slice(0, 100) ?? query_id}`,
      remedy: null,
    };
  });
}

/** The most telling first: what was refused or does exist already, then what nearly paid. */
function shortened(rejections: Rejection[]): Rejection[] {
  const rank = [
    'over_budget',
    'dominated_by_chosen',
    'exchanged',
    'covered_by_existing',
    'refused_by_postgresql',
    'too_small_gain',
  ];
  const order = (rejection: Rejection) =>
    (rank.indexOf(rejection.code) + rank.length + 1) % (rank.length + 1);
  const unique = [...new Map(rejections.map((rejection) => [rejection.candidate, rejection])).values()];
  const sorted = unique.toSorted((a, b) => order(a) - order(b));
  if (sorted.length <= LISTED_REJECTIONS) return sorted;
  const rest = sorted.length - LISTED_REJECTIONS;
  return [
    ...sorted.slice(0, LISTED_REJECTIONS),
    {
      rule: ID,
      candidate: `${rest} further candidates`,
      code: 'no_gain',
      reason: 'no noticeable gain; left out of this list',
    },
  ];
}

/** One chosen index with what it does: the costs are those of the whole set with and without it. */
async function draft(
  contender: Contender,
  advice: IndexAdvice,
  context: RuleContext,
): Promise<RecommendationDraft> {
  const chosen = advice.selection.chosen.map((other) => other.handle);
  const others = chosen.filter((handle) => handle !== contender.handle);
  const affects: AffectedStatement[] = [];
  let without = 0;
  let withIt = 0;
  const samples: Evidence[] = [];
  for (const statement of advice.statements) {
    if (!statement.tables.has(contender.table_oid)) continue;
    const before = await advice.book.cost(statement, others);
    const after = await advice.book.cost(statement, chosen);
    if (!('cost' in before) || !('cost' in after)) continue;
    without += before.cost * statement.query.calls;
    withIt += after.cost * statement.query.calls;
    if (Math.abs(before.cost - after.cost) < 0.01 * before.cost) continue;
    affects.push({
      query_id: statement.query.query_id,
      query: statement.query.query,
      calls: statement.query.calls,
      share_of_time: statement.query.share_of_time,
      cost_before: before.cost,
      cost_after: after.cost,
    });
    for (const parameter of statement.parameters) {
      samples.push({
        name: `samples of $${parameter.number} in ${statement.query.query_id}`,
        value: parameter.values.join(', ').slice(0, 200),
        unit: null,
        source: parameter.source,
        level: 'simulated',
        formula: null,
      });
    }
  }
  affects.sort((a, b) => b.calls * (b.cost_before - b.cost_after) - a.calls * (a.cost_before - a.cost_after));
  const share = affects.reduce((sum, item) => sum + item.share_of_time, 0);
  const { definition } = contender.candidate;
  const top = affects[0];
  const hurt = affects.filter((item) => item.cost_after > item.cost_before);
  return {
    rule: ID,
    change: { kind: 'index.create', index: definition },
    key: `index.create ${contender.candidate.key}`,
    title: `Index on ${definition.schema}.${definition.table} ${shape(contender)}`,
    rationale:
      `${affects.length} statement(s) with ${(100 * share).toFixed(1)} % of the database time get cheaper plans` +
      (top
        ? `, the first from ${top.cost_before.toFixed(0)} to ${top.cost_after.toFixed(0)} cost units`
        : '') +
      `. It takes about ${megabytes(contender.size_bytes)} of disk` +
      (contender.write.entries > 0
        ? ` and ${Math.round(contender.write.entries)} index entries per window of writes`
        : '') +
      '. Other statistics, another mix of statements or an index made meanwhile would change this advice.',
    severity: severityOf(share),
    evidence_level: 'simulated',
    confidence: hurt.length > 0 ? 0.7 : 0.85,
    estimate: {
      cost_before: without,
      cost_after: withIt,
      size_bytes: contender.size_bytes,
      write_overhead: contender.write.cost,
    },
    affects,
    evidence: [
      {
        name: 'workload cost without it, with the other recommended indexes',
        value: without,
        unit: 'cost',
        source: `${context.what_if?.engine} EXPLAIN × calls`,
        level: 'simulated',
        formula: 'Σ calls × plan cost of the statements on its table',
      },
      {
        name: 'workload cost with it',
        value: withIt,
        unit: 'cost',
        source: `${context.what_if?.engine} EXPLAIN × calls`,
        level: 'simulated',
        formula: 'Σ calls × plan cost of the statements on its table',
      },
      {
        name: 'size',
        value: contender.size_bytes,
        unit: 'bytes',
        source: `size model for ${definition.method}`,
        level: 'estimated',
        formula: `${contender.size.pages} pages × 8192 for ${Math.round(contender.size.tuples)} entries`,
      },
      {
        name: 'write cost in the window',
        value: contender.write.cost,
        unit: 'cost',
        source: 'workload',
        level: 'estimated',
        formula: contender.write.formula,
      },
      ...existingIndexes(contender),
      ...samples.slice(0, 8),
    ],
    risk: {
      locks:
        'ShareUpdateExclusive on the table while it is built: reads and writes go on; other DDL, VACUUM and ANALYZE of this table wait.',
      restart: false,
      reload: false,
      notes: [
        'CREATE INDEX CONCURRENTLY reads the table twice and waits for transactions that are older than itself.',
        ...hurt.map((item) => `A statement gets a costlier plan: ${item.query.slice(0, 80)}`),
      ],
    },
  };
}

function existingIndexes(contender: Contender): Evidence[] {
  const first = contender.candidate.definition.keys[0];
  return contender.candidate.table.indexes
    .filter((index) => index.keys[0] === (first?.column ?? first?.expression))
    .map((index) => ({
      name: 'existing index with the same first key',
      value: index.definition,
      unit: null,
      source: 'pg_index',
      level: 'measured' as const,
      formula: null,
    }));
}

function shape({ candidate: { definition } }: Contender): string {
  const text = renderIndexDefinition({ ...definition, name: 'x' });
  return text.slice(text.indexOf(' USING ') + ' USING '.length);
}

function severityOf(share: number): Severity {
  if (share >= 0.2) return 'high';
  return share >= 0.05 ? 'medium' : 'low';
}
