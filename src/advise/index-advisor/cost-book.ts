/**
 * Plan costs of the workload under sets of candidates, each asked once: a statement's cost depends only on the
 * candidates of the tables that it touches.
 */
import type { Configuration, PlanCost, WhatIf } from '../../domain/index.ts';
import type { AdvisorStatement } from './statement.ts';

/** A candidate that the engine has taken. */
export interface KnownCandidate {
  handle: string;
  table_oid: number;
}

export interface StatementCost {
  /** Plan cost, weighted over the samples. */
  cost: number;
  /** Handles and existing indexes that some sample's plan uses. */
  indexes: Set<string>;
}

export class CostBook {
  /** Answers that were in the book already. */
  hits = 0;
  readonly #whatIf: WhatIf;
  readonly #known = new Map<string, StatementCost>();

  constructor(whatIf: WhatIf) {
    this.#whatIf = whatIf;
  }

  /**
   * Cost of one call of a statement under a set of candidates; null: it cannot be planned.
   * @returns the engine's own words for the failure in `error`.
   */
  async cost(
    statement: AdvisorStatement,
    chosen: readonly KnownCandidate[],
    hidden: readonly string[] = [],
  ): Promise<StatementCost | { error: string }> {
    const created = chosen
      .filter((candidate) => statement.tables.has(candidate.table_oid))
      .map((candidate) => candidate.handle)
      .sort();
    const key = [statement.query.query_id, ...created, '-', ...hidden].join(' ');
    const known = this.#known.get(key);
    if (known) {
      this.hits += 1;
      return known;
    }
    const configuration: Configuration = { created, hidden };
    const answers = await this.#whatIf.costs(configuration, statement.samples);
    const planned = answers.filter((answer): answer is PlanCost & { cost: number } => answer.cost !== null);
    if (planned.length === 0) return { error: answers[0]?.error ?? 'no plan' };
    let weight = 0;
    let sum = 0;
    answers.forEach((answer, position) => {
      const share = statement.samples[position]?.weight ?? 0;
      if (answer.cost === null) return;
      weight += share;
      sum += share * answer.cost;
    });
    const result = {
      cost: sum / (weight || 1),
      indexes: new Set(planned.flatMap((answer) => answer.indexes)),
    };
    this.#known.set(key, result);
    return result;
  }
}
