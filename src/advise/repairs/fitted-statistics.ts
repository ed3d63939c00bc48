/**
 * Extended statistics that nobody has gathered yet, made so that a planner expects the rows that were observed: of the
 * data nothing else is known.
 */
import type { RuleContext, StatisticsContents, StatisticsDefinition, WhatIf } from '../../domain/index.ts';
import type { ColumnGroup } from './column-groups.ts';

/** A fit that misses the observed rows by more explains nothing. */
const FIT = 3;
const BISECTIONS = 5;

export interface FittedStatistics {
  handle: string;
  /** Rows that the planner expects without and with them. */
  rows_before: number;
  rows_after: number;
  /** Degree of the dependency, 0..1, or distinct combinations. */
  fitted: number;
}

/**
 * @returns a code and a reason where it does not fit.
 * @throws PgLuthierError `statistics_refused`.
 */
export async function fitStatistics(
  context: RuleContext,
  whatIf: WhatIf,
  group: ColumnGroup,
): Promise<FittedStatistics | { code: string; reason: string }> {
  const { table, columns, kind, statement, observed } = group;
  const definition: StatisticsDefinition = {
    schema: table.row.schema,
    table: table.row.name,
    columns,
    expressions: [],
  };
  const add = (contents: StatisticsContents) => whatIf.addStatistics?.(definition, contents) ?? null;
  const expected = async (statistics: string[]) => {
    const answers = await whatIf.costs({ created: [], hidden: [], statistics }, statement.samples);
    return answers.reduce(
      (sum, { rows }, at) => sum + (rows ?? Number.NaN) * (statement.samples[at]?.weight ?? 0),
      0,
    );
  };
  const rows_before = await expected([]);
  if (Number.isNaN(rows_before))
    return { code: 'not_simulated', reason: 'its statement could not be planned' };
  const places = columns.map((_, place) => place);
  if (kind === 'ndistinct') {
    const distinct = Math.max(1, Math.round(observed));
    const handle = await add({ n_distinct: [{ of: places, distinct }] });
    if (handle === null) return { code: 'not_simulated', reason: 'this planner cannot simulate statistics' };
    return { handle, rows_before, rows_after: await expected([handle]), fitted: distinct };
  }
  const depending = (degree: number): StatisticsContents => ({
    dependencies: places.flatMap((from) =>
      places.filter((to) => to !== from).map((to) => ({ from: [from], to, degree })),
    ),
  });
  let best: FittedStatistics | null = null;
  let [low, high, degree] = [0, 1, 1];
  // The wholly dependent first: often it is that. Rows grow with the degree.
  for (let step = 0; step <= BISECTIONS; step += 1) {
    context.progress(`fitting statistics of ${columns.join(', ')} to the rows that were observed`);
    const handle = await add(depending(degree));
    if (handle === null) return { code: 'not_simulated', reason: 'this planner cannot simulate statistics' };
    const rows_after = await expected([handle]);
    const distance = (rows: number) => Math.abs(Math.log((rows + 1) / (observed + 1)));
    if (best === null || distance(rows_after) < distance(best.rows_after)) {
      best = { handle, rows_before, rows_after, fitted: degree };
    }
    if (step === 0 && rows_after <= observed) break;
    if (rows_after > observed) high = degree;
    else low = degree;
    degree = (low + high) / 2;
  }
  if (best === null || best.rows_after < observed / FIT || best.rows_after > observed * FIT) {
    return {
      code: 'not_explained',
      reason: `dependent columns would explain ${Math.round(best?.rows_after ?? 0)} rows, not the ${Math.round(observed)} that a call returns`,
    };
  }
  return best;
}
