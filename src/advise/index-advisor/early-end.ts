/**
 * What a recommendation owes to LIMITs that end an ordered scan early. The planner takes for granted that the rows that
 * pass a filter lie evenly in the index's order, and no statistics of PostgreSQL say otherwise (the costs of a Limit are
 * a share of its input's, adjust_limit_rows_costs() of pathnode.c): where they all lie at the far end, a call reads all
 * rows before them, which is nearly the whole index where few pass, and little where nearly all do.
 */
import type { AffectedStatement, Evidence } from '../../domain/index.ts';
import { named } from './draft-evidence.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { AdvisorStatement } from './statement.ts';

/** Rows of evidence, and notes. */
const ROWS = 4;
/** A worst case below so much of what a call costs without the index is no risk of it. */
const NO_DEARER = 1;
/** So much of the confidence goes with what rests on such LIMITs alone. */
const DOUBT = 0.3;

/** A statement whose plan with the index hopes for a LIMIT to end it early. */
export interface EarlyEnd {
  item: AffectedStatement;
  /** Plan cost of a call if the rows that such a plan wants come last, weighted over the samples like `cost_after`. */
  worst: number;
  /** Share of the samples with such a plan. */
  share: number;
}

/**
 * Of the affected statements those that the index gives such a plan.
 * @param chosen handles of the whole set: the plans are those beside the others.
 */
export function earlyEnds(
  affects: readonly AffectedStatement[],
  statements: ReadonlyMap<string, AdvisorStatement>,
  { book, chosen, handle }: { book: PlanBook; chosen: ReadonlySet<string>; handle: string },
): EarlyEnd[] {
  return affects.flatMap((item) => {
    const statement = statements.get(item.query_id);
    if (statement === undefined) return [];
    const there = [...book.relevant(statement)].filter((one) => chosen.has(one));
    const samples = book.plans(statement);
    const isWhole = samples.length === statement.samples.length;
    let [extra, share] = [0, 0];
    for (const [position, sample] of samples.entries()) {
      const plan = sample.plans.find(
        ({ on, needs }) => needs.every((one) => chosen.has(one)) && there.every((one) => on.has(one)),
      );
      if (plan === undefined || plan.early_end_risk <= 0 || !plan.indexes.includes(handle)) continue;
      // The risk that the search sees is raised for rows that are feared to come late; here it is that of one call.
      const times = isWhole ? (statement.samples[position]?.late_rows ?? 1) : 1;
      extra += (sample.share * plan.early_end_risk) / times;
      share += sample.share;
    }
    return share > 0 ? [{ item, worst: item.cost_after + extra, share }] : [];
  });
}

const isRisk = ({ item, worst }: EarlyEnd) => worst > NO_DEARER * item.cost_before;

/** The worst case of each, beside what it costs without the index. */
export function earlyEndEvidence(ends: readonly EarlyEnd[], engine: string | undefined): Evidence[] {
  return ends.slice(0, ROWS).map(
    ({ item, worst, share }): Evidence => ({
      name: `cost where the rows of a LIMIT come last, of ${named(item.query)}`,
      value: worst,
      unit: 'cost',
      source: `${engine} EXPLAIN`,
      level: 'simulated',
      formula: `plan cost ${item.cost_after.toFixed(0)} + the rows of the ordered scan that do not pass, all before those that do, in ${(100 * share).toFixed(0)} % of the samples; ${item.cost_before.toFixed(0)} without the index`,
    }),
  );
}

/** For whoever approves it: the statements that it could make dearer, and how to tell. */
export function earlyEndNotes(ends: readonly EarlyEnd[]): string[] {
  return ends
    .filter(isRisk)
    .slice(0, ROWS)
    .map(
      ({ item, worst }) =>
        `Its plan for ${named(item.query)} hopes that a LIMIT ends it early; where the rows that pass the filter are the last in the index's order, a call costs up to ${worst.toFixed(0)} (${item.cost_before.toFixed(0)} without the index): look at EXPLAIN (ANALYZE, BUFFERS) with the values that the application asks for.`,
    );
}

/** What is left of the confidence: the share of the saving that rests on such hopes takes from it. */
export function earlyEndConfidence(ends: readonly EarlyEnd[], affects: readonly AffectedStatement[]): number {
  const saved = (items: readonly AffectedStatement[]) =>
    items.reduce((sum, item) => sum + item.calls * Math.max(0, item.cost_before - item.cost_after), 0);
  const all = saved(affects);
  return all > 0 ? 1 - DOUBT * (saved(ends.filter(isRisk).map(({ item }) => item)) / all) : 1;
}
