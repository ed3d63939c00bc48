/** What statements would cost without an existing index, and what its upkeep costs the writes: asked before it goes. */
import {
  type Evidence,
  type IndexRow,
  PgLuthierError,
  type PlanCost,
  type RuleContext,
  type WorkloadQuery,
} from '../../domain/index.ts';
import { advisorCatalog } from '../index-advisor/catalog.ts';
import { asCandidate } from '../index-advisor/leaving.ts';
import { periodWords } from '../index-advisor/period.ts';
import { type WriteCost, writeCost } from '../index-advisor/write-cost.ts';
import { workloadStatements } from './workload-statements.ts';

/** A statement that gets dearer by this share without an index speaks against dropping it. */
export const TOLERATED_RISE = 0.01;

export interface Loss {
  /** Largest relative rise of a plan's cost, of any sample of any statement; 0: none rises. */
  rise: number;
  /** The statement that rises most; null: none does. */
  query: WorkloadQuery | null;
  /** Statements on its table that were planned. */
  statements: number;
}

const nameOf = ({ schema, name }: IndexRow) => `${schema}.${name}`;

/**
 * Plans of all statements that touch the index's table, with and without it.
 * @param gone further indexes that are not there either, before and after.
 * @returns a reason where no planner could say.
 */
export async function lossWithout(
  context: RuleContext,
  index: IndexRow,
  gone: readonly IndexRow[] = [],
): Promise<Loss | { reason: string }> {
  const { what_if: whatIf } = context;
  if (whatIf === null) return { reason: 'there was no planner to ask' };
  const statements = (await workloadStatements(context)).filter(({ tables }) => tables.has(index.table_oid));
  const asked = statements.flatMap(({ query, samples }) => samples.map((sample) => ({ query, sample })));
  if (asked.length === 0) return { reason: 'no statement of the workload that uses its table is known' };
  const samples = asked.map(({ sample }) => sample);
  const hidden = gone.map(nameOf);
  let before: PlanCost[];
  let after: PlanCost[];
  try {
    before = await whatIf.costs({ created: [], hidden }, samples);
    after = await whatIf.costs({ created: [], hidden: [...hidden, nameOf(index)] }, samples);
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { reason: error.message };
  }
  const loss: Loss = { rise: 0, query: null, statements: statements.length };
  for (const [position, { query }] of asked.entries()) {
    const [now, then] = [before[position]?.cost ?? null, after[position]?.cost ?? null];
    if (now === null || then === null || now === 0) continue;
    if (then / now - 1 > loss.rise) Object.assign(loss, { rise: then / now - 1, query });
  }
  return loss;
}

/** The rise in words, with the beginning of the statement. */
export function riseText({ rise, query }: Loss): string {
  const text = query?.query.replaceAll(/\s+/g, ' ').slice(0, 100) ?? '';
  return `a statement would cost ${(100 * rise).toFixed(1)} % more without it: ${text}`;
}

/** What was asked of the planner, for the record. */
export function lossEvidence(context: RuleContext, { rise, statements }: Loss): Evidence {
  return {
    name: 'largest rise of a plan without it',
    value: rise,
    unit: 'share',
    source: `${context.what_if?.engine} EXPLAIN`,
    level: 'simulated',
    formula: `max over the samples of ${statements} statement(s) on its table: cost without ÷ cost with − 1`,
  };
}

/** What writes no longer pay; null: the table is not known. */
export async function upkeepOf(context: RuleContext, index: IndexRow): Promise<WriteCost | null> {
  const table = advisorCatalog(context.snapshot).tables.get(index.table_oid);
  if (!table) return null;
  const statements = (await workloadStatements(context)).filter(({ tables }) => tables.has(index.table_oid));
  return writeCost(
    asCandidate(index, table),
    { pages: index.main_pages, tuples: Math.max(0, index.reltuples), tree_height: null },
    statements,
    context.snapshot,
    context.workload.source === 'cumulative',
    context.window,
  );
}

/** Write cost over the window as an evidence row; none where nothing was written, or nothing is known of it. */
export function upkeepEvidence(context: RuleContext, upkeep: WriteCost | null): Evidence[] {
  if (upkeep === null || upkeep.cost <= 0) return [];
  return [
    {
      name: `write cost ${periodWords(context)} that it no longer takes`,
      value: upkeep.cost,
      unit: 'cost',
      source: context.window === null ? 'workload' : 'pg_stat_user_tables',
      level: 'estimated',
      formula: upkeep.formula,
    },
  ];
}
