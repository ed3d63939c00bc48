/** A change that was measured to harm: its way back, as a recommendation like any other. */
import type { Change, Evidence, Recommendation, Verdict } from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { finaliseDrafts } from './finalise.ts';
import { type RevertFacts, revertChange } from './revert-change.ts';

/** Their rule: no analysis judges it, so that none supersedes what it proposed. */
export const REVERT_RULE = 'apply/revert';
/** Statements whose figures are kept as evidence. */
const MOST_STATEMENTS = 20;
/** A verdict rests on tests at p < 0.01 after correction (docs/verification.md). */
const CONFIDENCE = 0.99;

/** Empty where nothing takes it back. Their ids follow from the apply's: there is one proposal for each, ever. */
export async function revertsOf(
  apply: Apply,
  verdict: Verdict,
  original: Recommendation,
  known: RevertFacts,
): Promise<Recommendation[]> {
  const reverts = await revertChange(apply.plan.change, known);
  const drafts = reverts.map(({ change, size_bytes, notes }, position) => ({
    rule: REVERT_RULE,
    change,
    key: `revert ${apply.id}${position === 0 ? '' : ` ${position + 1}`}`,
    title: `Take back: ${original.title}`,
    rationale: `It was applied (${apply.id}) and measured to harm: ${verdict.reason} This brings back what was there before. Dismiss it if the measured windows were out of the ordinary.`,
    severity: 'high' as const,
    evidence_level: 'measured' as const,
    confidence: CONFIDENCE,
    estimate: { cost_before: null, cost_after: null, size_bytes, write_overhead: null },
    affects: original.affects,
    evidence: evidenceFrom(apply, verdict),
    risk: { ...riskOf(change, original.risk), notes },
  }));
  return finaliseDrafts(apply.target_id, drafts).map((item) => {
    const position = drafts.findIndex(({ key }) => key === item.key);
    const sql = reverts[position]?.by_hand ?? [];
    return {
      ...item,
      reverts: { apply_id: apply.id, recommendation_id: apply.recommendation_id },
      ...(sql.length > 0
        ? { by_hand: [{ dialect: 'sql', text: sql.map((one) => `${one};`).join('\n') }] }
        : {}),
    };
  });
}

function riskOf(change: Change, original: Recommendation['risk']): Recommendation['risk'] {
  if (change.kind === 'index.create' || change.kind === 'index.drop') {
    return {
      ...original,
      locks: change.partitions
        ? 'As of any change of a partitioned index: see the plan, step by step.'
        : 'ShareUpdateExclusive on the table; no reads or writes wait',
      restart: false,
      reload: false,
    };
  }
  return original;
}

/** The verdict's numbers, each with where it was read. */
function evidenceFrom(apply: Apply, { verdict, measures, statements }: Verdict): Evidence[] {
  const source = `verification of ${apply.id}`;
  const row = (
    name: string,
    value: number | string | null,
    unit: string | null,
    formula: string | null,
    read?: string,
  ) => ({
    name,
    value,
    unit,
    source: read === undefined ? source : `${source}, ${read}`,
    level: 'measured' as const,
    formula,
  });
  return [
    row('verdict', verdict, null, null),
    ...measures.flatMap(({ name, before, after, unit, source: read, p_value }) => [
      ...(before === null ? [] : [row(`${name}, before`, before, unit, null, read)]),
      ...(after === null ? [] : [row(`${name}, after`, after, unit, null, read)]),
      ...(typeof p_value === 'number' ? [row(`${name}, p`, p_value, null, null)] : []),
    ]),
    ...statements
      .toSorted((a, b) => b.ratio - a.ratio)
      .slice(0, MOST_STATEMENTS)
      .flatMap((one) => [
        row(`mean time of ${one.query_id}, before`, one.mean_ms_before, 'ms', `${one.calls_before} calls`),
        row(`mean time of ${one.query_id}, after`, one.mean_ms_after, 'ms', `${one.calls_after} calls`),
        row(`time of ${one.query_id}, after / before`, one.ratio, 'ratio', 'mean after / mean before'),
      ]),
  ];
}
