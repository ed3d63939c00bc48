/** An existing index that the chosen ones replace, as a recommendation that depends on theirs. */
import type { AffectedStatement, Evidence, RecommendationDraft, RuleContext } from '../../domain/index.ts';
import { renderIndexDefinition } from '../../domain/index.ts';
import type { IndexAdvice } from './advise.ts';
import { supersedes } from './covered.ts';
import { dropDraft } from './drop.ts';
import { toldCost } from './evidence.ts';
import type { Leaving } from './leaving.ts';
import { periodWords } from './period.ts';

/** Change of a statement's cost that is not worth a line. */
const NOTICEABLE = 0.01;

/** What the drop does: the costs are those of the recommended set with and without the old index. */
export function draftReplaced(
  leaving: Leaving,
  { advice, context, rule }: { advice: IndexAdvice; context: RuleContext; rule: string },
): RecommendationDraft {
  const { index, write } = leaving;
  const { chosen, handles } = advice.selection;
  const successors = chosen
    .map(({ candidate }) => candidate.definition)
    .filter((definition) => supersedes(definition, index));
  const affects: AffectedStatement[] = [];
  let kept = 0;
  let gone = 0;
  const beside = new Set([...handles, leaving.handle]);
  for (const statement of advice.statements) {
    if (!statement.tables.has(leaving.table_oid)) continue;
    const { query } = statement;
    const before = toldCost(advice.book, statement, beside);
    const after = toldCost(advice.book, statement, handles);
    if (!before || !after) continue;
    kept += before.cost * query.calls;
    gone += after.cost * query.calls;
    if (Math.abs(before.cost - after.cost) < NOTICEABLE * before.cost) continue;
    affects.push({
      query_id: query.query_id,
      query: query.query,
      calls: query.calls,
      share_of_time: query.share_of_time,
      cost_before: before.cost,
      cost_after: after.cost,
    });
  }
  const names = successors.map((definition) => `${definition.schema}.${definition.name}`).join(', ');
  const draft = dropDraft(index, context.snapshot, {
    rule,
    title: `${index.schema}.${index.name} is replaced by ${names}`,
    rationale:
      `${names}, recommended here, starts with the same keys in the same order over the same rows and does all that ` +
      `${index.name} does. Apply that first: the service refuses this one until it is there and valid.`,
    severity: 'low',
    confidence: 0.8,
    evidence: [
      ...successors.map(
        (definition): Evidence => ({
          name: 'index that replaces it',
          value: renderIndexDefinition(definition),
          unit: null,
          source: 'this analysis',
          level: 'simulated',
          formula: null,
        }),
      ),
      costRow('workload cost with it, beside all that is recommended', kept, context),
      costRow('workload cost without it', gone, context),
      {
        name: `write cost ${periodWords(context)} that it no longer takes`,
        value: write.cost,
        unit: 'cost',
        source: 'workload',
        level: 'estimated',
        formula: write.formula,
      },
    ],
    replaced_by: successors,
    upkeep: write,
    // What takes its place does its work on replicas, too.
    on_replicas: null,
  });
  return {
    ...draft,
    evidence_level: 'simulated',
    estimate: {
      cost_before: kept,
      cost_after: gone,
      size_bytes: -index.size_bytes,
      write_overhead: -write.cost,
    },
    affects,
  };
}

const costRow = (name: string, value: number, { what_if }: RuleContext): Evidence => ({
  name,
  value,
  unit: 'cost',
  source: `${what_if?.engine} EXPLAIN × calls`,
  level: 'simulated',
  formula: 'Σ calls × plan cost of the statements on its table',
});
