/** A chosen index as a recommendation: what it does to which statements, what it takes, and how that is known. */
import {
  type AffectedStatement,
  amountWords,
  bytesWords,
  type Evidence,
  percentWords,
  type RecommendationDraft,
  type RuleContext,
  renderIndexDefinition,
  type Severity,
  weightWords,
} from '../../domain/index.ts';
import type { IndexAdvice } from './advise.ts';
import { type Saving, savedShares } from './alone.ts';
import { buildTime } from './build-time.ts';
import type { CrossCheck } from './cross-check.ts';
import {
  callsADay,
  guessedEvidence,
  guessedShare,
  overlapping,
  parametersUsed,
  perDay,
  readsEvidence,
  reservedEvidence,
  sampleRows,
  unaskedEvidence,
  writersOf,
} from './draft-evidence.ts';
import { earlyEndConfidence, earlyEndEvidence, earlyEndNotes, earlyEnds } from './early-end.ts';
import { changed, toldCost, withoutMember } from './evidence.ts';
import { partitionIndexes } from './partition-indexes.ts';
import { periodWords } from './period.ts';
import { secondOpinion } from './second-opinion.ts';
import type { Contender } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';
import { sizeRange } from './size-range.ts';
import { keyOfIndex } from './standing.ts';
import type { AdvisorStatement } from './statement.ts';
import { statisticsKnown } from './statistics-known.ts';

/** Statements of a recommendation that say what stood in the place of their parameters, those that gain most. */
const WITH_PARAMETERS = 5;

export interface DraftInput {
  advice: IndexAdvice;
  context: RuleContext;
  /** What a second planner says; null: none was asked. */
  checked: CrossCheck | null;
  rule: string;
}

/** So much of the confidence goes with what rests on guesses alone. */
const GUESS = 0.4;

/**
 * One chosen index with what it does: the costs are those of the whole set with and without it, as far as they were
 * asked.
 * @param saving what it saves by itself; null: there was no time to ask.
 * @returns unasked: statements of which the most that they can cost is told in the place of what they do.
 */
export function draftIndex(
  contender: Contender,
  saving: Saving | null,
  { advice, context, checked, rule }: DraftInput,
): { draft: RecommendationDraft; unasked: number } {
  const { book, selection } = advice;
  const chosen = selection.handles;
  const others = changed(selection, withoutMember(contender, selection));
  const affects: AffectedStatement[] = [];
  let without = 0;
  let withIt = 0;
  const byId = new Map<string, AdvisorStatement>();
  const touching = advice.statements.filter(({ tables }) => tables.has(contender.table_oid));
  let unasked = 0;
  for (const statement of touching) {
    const before = toldCost(book, statement, others);
    const after = toldCost(book, statement, chosen);
    if (!before || !after) continue;
    const { query } = statement;
    if (!before.is_asked || !after.is_asked) unasked += 1;
    without += before.cost * query.calls;
    withIt += after.cost * query.calls;
    if (Math.abs(before.cost - after.cost) < 0.01 * before.cost) continue;
    byId.set(query.query_id, statement);
    affects.push({
      query_id: query.query_id,
      query: query.query,
      calls: query.calls,
      calls_per_day: perDay(query.calls, context),
      share_of_time: query.share_of_time,
      cost_before: before.cost,
      cost_after: after.cost,
    });
  }
  affects.sort((a, b) => b.calls * (b.cost_before - b.cost_after) - a.calls * (a.cost_before - a.cost_after));
  for (const item of affects.slice(0, WITH_PARAMETERS)) {
    const parameters = byId.get(item.query_id)?.parameters ?? [];
    if (parameters.length > 0) item.parameters = parametersUsed(parameters);
  }
  const build = buildTime(contender, context.snapshot);
  const gain = saving === null ? null : savedShares(saving, advice.base);
  const { definition } = contender.candidate;
  const partitions = partitionIndexes(definition, contender.candidate.table.row, context.snapshot);
  const top = affects[0];
  const guesses = advice.statements.filter(({ parameters }) =>
    parameters.some((each) => each.guessed === true),
  );
  const guessed = guessedShare(affects, new Set(guesses.map(({ query }) => query.query_id)));
  const hurt = affects.filter((item) => item.cost_after > item.cost_before);
  const helped = affects.filter((item) => item.cost_after <= item.cost_before);
  const ends = earlyEnds(affects, byId, { book, chosen: new Set(chosen), handle: contender.handle });
  const known = statisticsKnown(contender.candidate.table);
  const draft: RecommendationDraft = {
    rule,
    change: {
      kind: 'index.create',
      index: definition,
      ...(partitions.length > 0 ? { partitions } : {}),
    },
    key: keyOfIndex(contender.candidate.key),
    title: `Index on ${definition.schema}.${definition.table} ${shape(contender)}`,
    rationale:
      `${helped.length} statement(s) with ${percentWords(shareOf(helped))} of ${weightWords(context.workload)} get cheaper plans` +
      (top
        ? `, the first from ${amountWords(top.cost_before)} to ${amountWords(top.cost_after)} cost units`
        : '') +
      (hurt.length > 0
        ? `; ${hurt.length} with ${percentWords(shareOf(hurt))} get dearer ones (listed with their costs)`
        : '') +
      `. It takes about ${bytesWords(contender.size_bytes)} of disk` +
      (contender.write.entries > 0
        ? `, and writes added ${amountWords(Math.round(contender.write.entries))} entries to it ${periodWords(context)}`
        : '') +
      '. Other statistics, another mix of statements or an index made meanwhile would change this advice.',
    severity: severityOf(shareOf(affects)),
    evidence_level: 'simulated',
    confidence:
      (hurt.length > 0 ? 0.7 : 0.85) *
      (1 - GUESS * guessed) *
      earlyEndConfidence(ends, affects) *
      known.confidence,
    estimate: {
      cost_before: without,
      cost_after: withIt,
      size_bytes: contender.size_bytes,
      write_overhead: contender.write.cost,
      build_seconds: build.seconds,
    },
    ...(gain ? { gain } : {}),
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
        formula: `${amountWords(contender.size.pages)} pages × ${BLOCK_BYTES} bytes for ${amountWords(Math.round(contender.size.tuples))} entries`,
      },
      sizeRange(contender, context.snapshot.schema.extended_statistics),
      ...reservedEvidence(contender, context),
      {
        name: `write cost ${periodWords(context)}`,
        value: contender.write.cost,
        unit: 'cost',
        source: 'workload',
        level: 'estimated',
        formula: contender.write.formula,
      },
      ...writersOf(contender, touching, context),
      build.evidence,
      ...(gain ? [savedByItself(gain.saved_share, advice.base, context)] : []),
      savedBeside(without - withIt, advice, context),
      ...callsADay(affects, context),
      ...secondOpinion(contender, affects, checked),
      ...overlapping(contender),
      ...guessedEvidence(guessed),
      ...known.evidence,
      ...unaskedEvidence(unasked),
      ...readsEvidence(affects, byId),
      ...earlyEndEvidence(ends, context.what_if?.engine),
      ...sampleRows(affects),
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
        ...contender.candidate.conditions
          .filter((condition) => !condition.is_lasting)
          .map(
            ({ sql }) =>
              `Its condition ${sql} is a constant of the given text: if that is a parameter in the application, the index serves only the calls with this value.`,
          ),
        ...known.notes,
        ...earlyEndNotes(ends),
        ...hurt.map((item) => `A statement gets a costlier plan: ${item.query.slice(0, 80)}`),
      ],
    },
  };
  return { draft, unasked };
}

const shareOf = (items: readonly AffectedStatement[]) =>
  items.reduce((sum, item) => sum + item.share_of_time, 0);

function savedByItself(saved: number, base: number, { what_if }: RuleContext): Evidence {
  return {
    name: "share of the workload's cost that it saves by itself",
    value: saved,
    unit: 'share',
    source: `${what_if?.engine} EXPLAIN × calls`,
    level: 'simulated',
    formula: `Σ calls × (plan cost now − with this index alone) ÷ ${amountWords(base)} cost units, before writes`,
  };
}

/** What it is worth as the last one: what the workload costs then is mostly far less than now. */
function savedBeside(saved: number, { statements, costs }: IndexAdvice, { what_if }: RuleContext): Evidence {
  const left = statements.reduce(
    (sum, { query }) => sum + query.calls * (costs.get(query.query_id)?.after ?? 0),
    0,
  );
  return {
    name: "share of the workload's cost that it saves beside the other recommended indexes",
    value: saved / Math.max(1, left + saved),
    unit: 'share',
    source: `${what_if?.engine} EXPLAIN × calls`,
    level: 'simulated',
    formula: `${amountWords(saved)} ÷ ${amountWords(left + saved)} cost units, what all statements cost with the others alone, before writes`,
  };
}

function shape({ candidate: { definition } }: Contender): string {
  const text = renderIndexDefinition({ ...definition, name: 'x' });
  return text.slice(text.indexOf(' USING ') + ' USING '.length);
}

function severityOf(share: number): Severity {
  if (share >= 0.2) return 'high';
  return share >= 0.05 ? 'medium' : 'low';
}
