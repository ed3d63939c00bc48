/** What a statement returned, as a check on the values that are put into it. */
import type { Node } from '@pgsql/types';
import type { WorkloadQuery } from '../domain/index.ts';
import { holdsAggregate } from './aggregates.ts';
import type { Analysis } from './analysis.ts';
import type { ParameterChoice } from './parameter-choice.ts';

/**
 * Rows per call where they are the rows that the conditions let through: not of a grouped, limited or aggregated
 * result, nor of INSERT. Null where they tell nothing of the values.
 */
export function observedRows(statement: Node, query: WorkloadQuery): number | null {
  // Statements of files were never run.
  if (query.calls <= 0 || (query.rows <= 0 && query.total_exec_time_ms <= 0)) return null;
  if ('SelectStmt' in statement) {
    const select = statement.SelectStmt;
    const plain =
      (select.op === undefined || select.op === 'SETOP_NONE') &&
      select.limitCount === undefined &&
      select.limitOffset === undefined &&
      select.distinctClause === undefined &&
      (select.groupClause?.length ?? 0) === 0 &&
      !holdsAggregate(select.targetList ?? []);
    return plain ? query.rows / query.calls : null;
  }
  return 'UpdateStmt' in statement || 'DeleteStmt' in statement ? query.rows / query.calls : null;
}

/**
 * Rows per call of a statement whose LIMIT may have kept some back: at least so many passed its conditions. Null where
 * it is no such statement or they tell nothing.
 */
export function leastRows(statement: Node, query: WorkloadQuery): number | null {
  if (!('SelectStmt' in statement) || statement.SelectStmt.limitCount === undefined) return null;
  const { limitCount: _limit, limitOption: _option, limitOffset: _offset, ...rest } = statement.SelectStmt;
  return observedRows({ SelectStmt: rest }, query);
}

/** Rows of a value of a key, at most. */
const NEARLY_UNIQUE = 1.2;
/** From this share on the rows that came back say that a range passes nearly all, and not that keys were missed. */
const MOSTLY = 0.5;

/**
 * Rows of the table that a range lets through which stands beside an equality with a (nearly) unique column: as large
 * a share of them as of the rows that the key finds. Null: there is no such key, or it was mostly looked for in vain.
 * @param observed rows per call. @param rows of the table.
 */
export function passedBesideKey(analysis: Analysis, observed: number, rows: number): number | null {
  const found = rowsOfKey(analysis);
  const share = found === null ? 0 : Math.min(1, observed / found);
  return share < MOSTLY ? null : share * rows;
}

/** Rows that an equality with a value finds of a column that is unique or nearly so; null: there is none. */
function rowsOfKey({ relations, predicates }: Analysis): number | null {
  const [relation] = relations;
  if (relation === undefined || relations.length !== 1 || relation.table.reltuples <= 0) return null;
  if (predicates.some(({ disjunction }) => disjunction !== null)) return null;
  const all = relation.table.reltuples;
  for (const { kind, column, joins } of predicates) {
    if (kind !== 'equality' || column === null || joins !== null) continue;
    const distinct = relation.table.columns.get(column)?.stats?.n_distinct;
    if (distinct == null) continue;
    const found = all / (distinct < 0 ? -distinct * all : distinct);
    if (found <= NEARLY_UNIQUE) return found;
  }
  return null;
}

/**
 * Rows that each sample would find by its equalities, in one table and without OR. `exact`: there is no other
 * condition; otherwise they are the most that it can find. Null: they are not known.
 */
function expectedRows(
  analysis: Analysis,
  choices: readonly ParameterChoice[],
  samples: number,
): { rows: number[]; exact: boolean } | null {
  const table = analysis.relations[0]?.table;
  if (table === undefined || table.reltuples <= 0 || analysis.relations.length !== 1) return null;
  if (analysis.predicates.some((predicate) => predicate.disjunction !== null)) return null;
  const equal = choices.filter((choice) => choice.choices[0]?.frequency != null && choice.operator === '=');
  if (equal.length === 0) return null;
  const rows = Array.from({ length: samples }, (_, sample) =>
    equal.reduce((product, { choices: each }) => {
      const frequency = each[Math.min(sample, each.length - 1)]?.frequency;
      return frequency == null ? Number.NaN : product * frequency;
    }, table.reltuples),
  );
  if (rows.some(Number.isNaN)) return null;
  return { rows, exact: analysis.predicates.length === equal.length };
}

/**
 * How well rows that are expected go with those that were observed, 0..1.
 * @param exact nothing but what they are expected of decides the rows. @param least a LIMIT may have kept rows back.
 */
export function fitting(
  rows: number,
  observed: number,
  { exact, least }: { exact: boolean; least: boolean },
) {
  const distance = Math.log((rows + 1) / (observed + 1));
  // Under a LIMIT the values asked for may be anything between two samples: what finds too little is only doubted.
  const power = least ? 1 : 2;
  return Math.exp(-power * (exact && !least ? Math.abs(distance) : Math.max(0, -distance)));
}

/** Factors on samples' weights by what was observed, and why. */
export interface Plausibility {
  factors: number[];
  source: string;
}

/**
 * Weights by the observed rows per call: they fall with the square of the factor between what a sample would find and
 * what was found, so that the rows that all samples together would find come out near the observed ones. With other
 * conditions beside, or a LIMIT, a sample that would find more is not implausible.
 * @param least a LIMIT may have kept rows back.
 */
export function plausibility(
  analysis: Analysis,
  { rows: observed, least }: { rows: number | null; least: boolean },
  choices: readonly ParameterChoice[],
  samples: number,
): Plausibility | null {
  if (observed === null || samples < 2) return null;
  const expected = expectedRows(analysis, choices, samples);
  if (expected === null) return null;
  const factors = expected.rows.map((rows) => fitting(rows, observed, { exact: expected.exact, least }));
  const round = (value: number) => Number(value.toPrecision(2));
  const range = `${round(Math.min(...expected.rows))} to ${round(Math.max(...expected.rows))}`;
  const told = `${expected.exact ? '' : ' before other conditions'}${least ? ' before the LIMIT' : ''}`;
  return {
    factors,
    source: `; weights by observed rows per call (${round(observed)}, the samples would find ${range}${told})`,
  };
}
