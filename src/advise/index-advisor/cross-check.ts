/** The chosen set asked of a second planner: two engines that agree are worth more than one. */
import { type Limit, PgLuthierError, type WhatIf } from '../../domain/index.ts';
import type { IndexAdvice } from './advise.ts';
import type { AdvisorStatement } from './statement.ts';

/** Costs further apart than this share of the larger are said. */
const APART = 0.1;
/** Planner cost units: what a descent of a tree costs or not is no disagreement. */
const APART_AT_LEAST = 1;
/** Statements that a limit names. */
const NAMED = 5;

export interface CrossCheck {
  engine: WhatIf['engine'];
  /** Of one call with those chosen indexes that both engines have, by query_id: planner cost units. */
  costs: Map<string, { ours: number; theirs: number }>;
  /** Handles of chosen indexes that the second engine does not make. */
  not_made: Set<string>;
  limits: Limit[];
}

/**
 * @param open the second engine; it is closed here. Where it cannot be had, a limit says so.
 * @param deadline epoch ms after which no more statements are asked about; a limit counts them.
 */
export async function crossCheck(
  open: () => Promise<WhatIf>,
  advice: IndexAdvice,
  deadline: number,
): Promise<CrossCheck> {
  const checked: CrossCheck = { engine: 'hypopg', costs: new Map(), not_made: new Set(), limits: [] };
  let engine: WhatIf;
  try {
    engine = await open();
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    checked.limits.push(
      limit('what_if_not_checked', `The second planner could not be asked: ${error.message}`),
    );
    return checked;
  }
  try {
    checked.limits.push(...engine.limits);
    const { chosen } = advice.selection;
    const made = await engine.addIndexes(
      chosen.map(({ candidate, size }) => ({ definition: candidate.definition, size })),
    );
    const refused = chosen.filter((_, position) => typeof made[position] !== 'string');
    for (const { handle } of refused) checked.not_made.add(handle);
    // Beside what exists, all of it: the second planner is asked about what is built first.
    const common = [...advice.book.present, ...chosen.map(({ handle }) => handle)].filter(
      (handle) => !checked.not_made.has(handle),
    );
    const created = made.filter((handle) => typeof handle === 'string');
    const touched = touchedBy(advice);
    for (const [position, statement] of touched.entries()) {
      if (Date.now() > deadline) {
        const left = touched.length - position;
        checked.limits.push(
          limit(
            'what_if_not_checked',
            `There was no time to ask the second planner about ${left} statement(s).`,
          ),
        );
        break;
      }
      const ours = await advice.book.cost(statement, common);
      const theirs = await weighted(engine, created, statement);
      if ('cost' in ours && theirs !== null) {
        checked.costs.set(statement.query.query_id, { ours: ours.cost, theirs });
      }
    }
    if (refused.length > 0) {
      const keys = refused.map(({ candidate }) => candidate.key).join('; ');
      checked.limits.push(
        limit(
          'what_if_not_compared',
          `${engine.engine} does not make these, so only one planner saw them: ${keys}`,
        ),
      );
    }
    checked.limits.push(...disagreements(checked, advice));
  } finally {
    await engine.close();
  }
  return checked;
}

/** Statements that the chosen set makes cheaper or dearer. */
function touchedBy(advice: IndexAdvice): AdvisorStatement[] {
  return advice.statements.filter((statement) => {
    const known = advice.costs.get(statement.query.query_id);
    return known !== undefined && known.before !== known.after;
  });
}

async function weighted(
  engine: WhatIf,
  created: readonly string[],
  statement: AdvisorStatement,
): Promise<number | null> {
  const answers = await engine.costs({ created, hidden: [] }, statement.samples);
  let weight = 0;
  let sum = 0;
  for (const [position, { cost }] of answers.entries()) {
    if (cost === null) continue;
    const share = statement.samples[position]?.weight ?? 0;
    weight += share;
    sum += share * cost;
  }
  return weight === 0 ? null : sum / weight;
}

function disagreements({ costs, engine }: CrossCheck, advice: IndexAdvice): Limit[] {
  const apart = [...costs].filter(([, { ours, theirs }]) => {
    const difference = Math.abs(ours - theirs);
    return difference > APART_AT_LEAST && difference > APART * Math.max(ours, theirs);
  });
  if (apart.length === 0) return [];
  const texts = new Map(advice.statements.map(({ query }) => [query.query_id, query.query]));
  const named = apart.slice(0, NAMED).map(([id, { ours, theirs }]) => {
    const text = (texts.get(id) ?? id).replace(/\s+/g, ' ').slice(0, 80);
    return `${text} (${ours.toFixed(1)} and ${theirs.toFixed(1)})`;
  });
  const more = apart.length > NAMED ? `, and ${apart.length - NAMED} more` : '';
  const of = `${apart.length} of ${costs.size} statements cost more than ${100 * APART} % more by one planner than by the other`;
  return [
    limit('what_if_engines_disagree', `${of} (the twin's and ${engine}'s): ${named.join('; ')}${more}.`),
  ];
}

const limit = (code: string, message: string): Limit => ({ scope: 'what-if', code, message, remedy: null });
