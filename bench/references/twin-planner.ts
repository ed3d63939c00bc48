/** The twin as what answers the published algorithms: the same planner, the same samples and the same sizes as ours. */
import { isOrdered, makeBtree } from '../../src/advise/index-advisor/candidates/candidate.ts';
import type { Candidate } from '../../src/advise/index-advisor/candidates.ts';
import type { AdvisorCatalog, AdvisorTable } from '../../src/advise/index-advisor/catalog.ts';
import { chargedOf } from '../../src/advise/index-advisor/search/known-plan.ts';
import { bytesOf, indexSize } from '../../src/advise/index-advisor/size-model.ts';
import type { AdvisorStatement } from '../../src/advise/index-advisor/statement.ts';
import type { IndexSize, PlanCost, Snapshot, WhatIf } from '../../src/domain/index.ts';
import { type ColumnIndex, IndexPool } from './column-index.ts';
import type { PlannedStatement, ReferencePlanner, ReferenceStatement } from './cost-evaluator.ts';

/** An index as our own parts know it. */
export interface SizedIndex {
  candidate: Candidate;
  size: IndexSize;
}

/** Indexes that are made in one go at most. */
const AT_ONCE = 200;

/** Answers are kept with the seconds that they took, for all algorithms and budgets of a workload. */
export class TwinPlanner implements ReferencePlanner {
  readonly pool = new IndexPool();
  readonly statements: readonly ReferenceStatement[];
  readonly #whatIf: WhatIf;
  readonly #advised: readonly AdvisorStatement[];
  readonly #snapshot: Snapshot;
  readonly #tables: ReadonlyMap<string, AdvisorTable>;
  readonly #sized = new Map<ColumnIndex, SizedIndex>();
  readonly #handles = new Map<ColumnIndex, string>();
  readonly #byHandle = new Map<string, ColumnIndex>();
  readonly #secondsToMake = new Map<ColumnIndex, number>();
  readonly #answers: Map<string, PlannedStatement>[];

  /** @param advised statements that the planner takes as they are. */
  constructor(
    whatIf: WhatIf,
    snapshot: Snapshot,
    catalog: AdvisorCatalog,
    advised: readonly AdvisorStatement[],
  ) {
    this.#whatIf = whatIf;
    this.#snapshot = snapshot;
    this.#tables = new Map([...catalog.tables.values()].map((table) => [nameOf(table.row), table]));
    this.#advised = advised;
    this.statements = advised.map((statement, position) => mentionedBy(statement, position, catalog));
    this.#answers = advised.map(() => new Map());
  }

  bytes(index: ColumnIndex): number {
    return bytesOf(this.sized(index).size);
  }

  /** The index with its size by the advisor's own model. */
  sized(index: ColumnIndex): SizedIndex {
    let sized = this.#sized.get(index);
    if (!sized) {
      const table = this.#tables.get(index.table);
      if (!table) throw new Error(`no table ${index.table}`);
      const keys = index.columns.map((column) => ({ column, expression: null, columns: [column] }));
      const candidate = makeBtree(table, keys, {});
      const { extended_statistics: statistics } = this.#snapshot.schema;
      const { definition } = candidate;
      sized = { candidate, size: indexSize({ definition, table, selectivity: 1, statistics }) };
      this.#sized.set(index, sized);
    }
    return sized;
  }

  async make(indexes: readonly ColumnIndex[]): Promise<number> {
    const fresh = indexes.filter((index) => !this.#handles.has(index));
    for (let start = 0; start < fresh.length; start += AT_ONCE) {
      const batch = fresh.slice(start, start + AT_ONCE);
      const began = performance.now();
      const answers = await this.#whatIf.addIndexes(
        batch.map((index) => {
          const { candidate, size } = this.sized(index);
          return { definition: candidate.definition, size };
        }),
      );
      const seconds = (performance.now() - began) / 1000 / batch.length;
      for (const [place, index] of batch.entries()) {
        const handle = answers[place];
        if (typeof handle !== 'string') throw handle ?? new Error(`nothing came of ${index.columns}`);
        this.#handles.set(index, handle);
        this.#byHandle.set(handle, index);
        this.#secondsToMake.set(index, seconds);
      }
    }
    return indexes.reduce((sum, index) => sum + (this.#secondsToMake.get(index) ?? 0), 0);
  }

  async plan(
    set: readonly ColumnIndex[],
    asked: readonly { statement: ReferenceStatement; relevant: readonly ColumnIndex[] }[],
  ): Promise<PlannedStatement[]> {
    const questions = asked.map(({ statement, relevant }) => ({
      statement,
      key: relevant.map(({ id }) => id).join(),
    }));
    const open = questions.filter(({ statement, key }) => !this.#answers[statement.position]?.has(key));
    if (open.length > 0) {
      const samples = open.flatMap(({ statement }) => this.#advised[statement.position]?.samples ?? []);
      const created = set.map((index) => this.#handles.get(index) ?? '');
      const began = performance.now();
      const costs = await this.#whatIf.costs({ created, hidden: [] }, samples);
      const each = (performance.now() - began) / 1000 / samples.length;
      let next = 0;
      for (const { statement, key } of open) {
        const { length } = this.#advised[statement.position]?.samples ?? [];
        const own = costs.slice(next, next + length);
        next += length;
        this.#answers[statement.position]?.set(key, this.#planned(statement, own, each));
      }
    }
    return questions.map(({ statement, key }) => {
      const answer = this.#answers[statement.position]?.get(key);
      if (!answer) throw new Error('every question was answered');
      return answer;
    });
  }

  #planned({ position }: ReferenceStatement, costs: readonly PlanCost[], each: number): PlannedStatement {
    const samples = this.#advised[position]?.samples ?? [];
    const used = costs.flatMap(({ indexes }) => indexes.flatMap((name) => this.#byHandle.get(name) ?? []));
    const cost = meanCost(
      samples.map(({ weight }) => weight),
      costs,
    );
    if (cost === null) throw new Error(`no plan: ${samples[0]?.sql}`);
    return { cost, used: [...new Set(used)], questions: samples.length, seconds: each * samples.length };
  }
}

/** By the samples' weights, of those that could be planned; null: none could. */
export function meanCost(weights: readonly number[], costs: readonly PlanCost[]): number | null {
  return meanOf(weights, costs, ({ cost }) => cost);
}

/** The same with what the advisor fears of LIMITs. */
export function meanCharged(weights: readonly number[], costs: readonly PlanCost[]): number | null {
  return meanOf(weights, costs, ({ cost, early_end_risk }) => chargedOf({ cost, early_end_risk }));
}

function meanOf(
  weights: readonly number[],
  costs: readonly PlanCost[],
  costOf: (planned: PlanCost & { cost: number }) => number,
): number | null {
  let weight = 0;
  let sum = 0;
  for (const [place, { cost, ...rest }] of costs.entries()) {
    if (cost === null) continue;
    weight += weights[place] ?? 0;
    sum += (weights[place] ?? 0) * costOf({ ...rest, cost });
  }
  return weight > 0 ? sum / weight : null;
}

const nameOf = ({ schema, name }: { schema: string; name: string }) => `${schema}.${name}`;

/** Columns that stand anywhere in the text, as hyrise's have it, of types that B-trees order. */
function mentionedBy(
  { query, usages }: AdvisorStatement,
  position: number,
  catalog: AdvisorCatalog,
): ReferenceStatement {
  const columns = new Map<string, Set<string>>();
  const unnamed = new Set<string>();
  for (const usage of usages) {
    const mention = (relation: number | null, names: readonly (string | null)[]) => {
      const named = relation === null ? undefined : usage.relations[relation];
      const table = named && catalog.tables.get(named.table_oid);
      if (!table || !['r', 'm'].includes(table.row.relkind)) return;
      const known = columns.get(nameOf(table.row)) ?? new Set();
      for (const name of names) {
        if (name === null || !table.columns.has(name)) continue;
        if (isOrdered({ column: name, expression: null, columns: [name] }, table)) known.add(name);
      }
      if (known.size > 0) columns.set(nameOf(table.row), known);
    };
    for (const [relation, { columns_read }] of usage.relations.entries()) {
      mention(relation, columns_read ?? []);
      const table = catalog.tables.get(usage.relations[relation]?.table_oid ?? -1);
      if (columns_read?.length === 0 && table) unnamed.add(nameOf(table.row));
    }
    for (const { relation, columns: names, joins } of usage.predicates) {
      mention(relation, names);
      if (joins) mention(joins.relation, [joins.column]);
    }
    for (const { relation, columns: names } of usage.orders.flat()) mention(relation, names);
    for (const { relation, operands } of usage.groups) {
      for (const operand of operands) mention(relation, operand.columns);
    }
  }
  const sorted = [...columns].map(([table, names]): [string, string[]] => [table, [...names]]);
  return { position, calls: query.calls, columns: new Map(sorted), unnamed };
}
