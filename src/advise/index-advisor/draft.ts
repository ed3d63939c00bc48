/** A chosen index as a recommendation: what it does to which statements, what it takes, and how that is known. */
import {
  type AffectedStatement,
  type Evidence,
  type RecommendationDraft,
  type RuleContext,
  renderIndexDefinition,
  type Severity,
} from '../../domain/index.ts';
import type { IndexAdvice } from './advise.ts';
import { supersedes } from './covered.ts';
import type { CrossCheck } from './cross-check.ts';
import { megabytes } from './left-out.ts';
import { partitionIndexes } from './partition-indexes.ts';
import type { Contender } from './selection.ts';

export interface DraftInput {
  advice: IndexAdvice;
  context: RuleContext;
  /** What a second planner says; null: none was asked. */
  checked: CrossCheck | null;
  rule: string;
}

/** One chosen index with what it does: the costs are those of the whole set with and without it. */
export async function draftIndex(
  contender: Contender,
  { advice, context, checked, rule }: DraftInput,
): Promise<RecommendationDraft> {
  const chosen = advice.selection.handles;
  const others = new Set(chosen);
  others.delete(contender.handle);
  // Without it what it replaces would still be there.
  for (const { handle, index } of advice.selection.dropped) {
    if (supersedes(contender.candidate.definition, index)) others.add(handle);
  }
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
  const partitions = partitionIndexes(definition, contender.candidate.table.row, context.snapshot);
  const top = affects[0];
  const hurt = affects.filter((item) => item.cost_after > item.cost_before);
  return {
    rule,
    change: {
      kind: 'index.create',
      index: definition,
      ...(partitions.length > 0 ? { partitions } : {}),
    },
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
      ...secondOpinion(contender, affects, checked),
      ...existingIndexes(contender),
      ...samples.slice(0, 8),
    ],
    risk: {
      locks:
        partitions.length > 0
          ? 'ShareUpdateExclusive on each partition while its index is built: reads and writes go on. Share on the partitioned table, and AccessExclusive on each new index when it is attached, for a moment each.'
          : 'ShareUpdateExclusive on the table while it is built: reads and writes go on; other DDL, VACUUM and ANALYZE of this table wait.',
      restart: false,
      reload: false,
      notes: [
        'CREATE INDEX CONCURRENTLY reads the table twice and waits for transactions that are older than itself.',
        ...(partitions.length > 0
          ? [
              'The service does not apply it: run the statements one by one; the index of the whole is valid with the last one.',
            ]
          : []),
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

/** Two sums over the statements that it makes cheaper: each planner's, both with the indexes that both have. */
function secondOpinion(
  contender: Contender,
  affects: readonly AffectedStatement[],
  checked: CrossCheck | null,
): Evidence[] {
  if (checked === null || checked.not_made.has(contender.handle)) return [];
  const both = affects.flatMap(({ query_id, calls }) => {
    const costs = checked.costs.get(query_id);
    return costs ? [{ ours: costs.ours * calls, theirs: costs.theirs * calls }] : [];
  });
  if (both.length === 0) return [];
  const sum = (pick: 'ours' | 'theirs') => both.reduce((total, item) => total + item[pick], 0);
  return [
    {
      name: `cost of the ${both.length} statement(s) that it changes, by the twin and by ${checked.engine}`,
      value: `${sum('ours').toFixed(1)} and ${sum('theirs').toFixed(1)}`,
      unit: 'cost',
      source: `twin EXPLAIN and ${checked.engine} EXPLAIN × calls`,
      level: 'simulated',
      formula: 'Σ calls × plan cost, with the chosen indexes that both planners make',
    },
  ];
}
