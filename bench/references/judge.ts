/** One judge for all: what a set costs the workload, its reads by the planner and its writes by the advisor's model. */
import type { AdvisorCatalog } from '../../src/advise/index-advisor/catalog.ts';
import { bytesOf } from '../../src/advise/index-advisor/size-model.ts';
import type { AdvisorStatement } from '../../src/advise/index-advisor/statement.ts';
import { writeCost } from '../../src/advise/index-advisor/write-cost.ts';
import type { WhatIf } from '../../src/domain/index.ts';
import type { IndexWorkload } from '../index-workloads/index-workload.ts';
import { meanCharged, meanCost, type SizedIndex } from './twin-planner.ts';

/** What the judge says of a set. */
export interface Verdict {
  /** Σ calls × plan cost, in planner cost units. */
  reads: number;
  /** What its indexes cost the writes, in the same unit; less what dropped ones would have. */
  writes: number;
  /** What the advisor fears of LIMITs beside that, in the same unit. */
  feared: number;
  bytes: number;
  /** Calls × cost of each statement, as the statements are given. */
  statements: number[];
}

export class Judge {
  readonly #whatIf: WhatIf;
  readonly #workload: IndexWorkload;
  readonly #catalog: AdvisorCatalog;
  readonly statements: readonly AdvisorStatement[];

  constructor(
    whatIf: WhatIf,
    workload: IndexWorkload,
    catalog: AdvisorCatalog,
    statements: readonly AdvisorStatement[],
  ) {
    this.#whatIf = whatIf;
    this.#workload = workload;
    this.#catalog = catalog;
    this.statements = statements;
  }

  /** @param dropped existing indexes that the set is in the place of, with what their writes cost. */
  async verdict(
    set: readonly SizedIndex[],
    dropped: readonly { handle: string; write_cost: number }[] = [],
  ): Promise<Verdict> {
    const handles = await this.#whatIf.addIndexes(
      set.map(({ candidate, size }) => ({ definition: candidate.definition, size })),
    );
    const created = handles.map((handle) => {
      if (typeof handle !== 'string') throw handle;
      return handle;
    });
    const hidden = dropped.map(({ handle }) => handle);
    const samples = this.statements.flatMap((statement) => statement.samples);
    const costs = await this.#whatIf.costs({ created, hidden }, samples);
    let next = 0;
    let feared = 0;
    const statements = this.statements.map((statement) => {
      const weights = statement.samples.map(({ weight }) => weight);
      const own = costs.slice(next, next + weights.length);
      next += weights.length;
      const mean = meanCost(weights, own);
      if (mean === null) throw new Error(`no plan: ${statement.query.query}`);
      feared += ((meanCharged(weights, own) ?? mean) - mean) * statement.query.calls;
      return mean * statement.query.calls;
    });
    const writes =
      set.reduce((sum, index) => sum + this.writesOf(index), 0) -
      dropped.reduce((sum, { write_cost }) => sum + write_cost, 0);
    const reads = statements.reduce((sum, cost) => sum + cost, 0);
    const bytes = set.reduce((sum, { size }) => sum + bytesOf(size), 0);
    return { reads, writes, feared, bytes, statements };
  }

  /** What the index costs the writes, in planner cost units. */
  writesOf({ candidate, size }: SizedIndex): number {
    const { snapshot, workload } = this.#workload;
    const table = this.#catalog.tables.get(candidate.table.row.oid);
    if (!table) throw new Error(`no table of ${candidate.key}`);
    const writers = this.statements.filter(({ tables }) => tables.has(table.row.oid));
    const isCumulative = workload.source === 'cumulative';
    return writeCost({ ...candidate, table }, size, writers, snapshot, isCumulative, null).cost;
  }
}
