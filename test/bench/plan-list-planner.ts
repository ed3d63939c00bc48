/** A database that is a list of plans: costs of every set are known by hand, so that an optimum can be told. */
import { type ColumnIndex, IndexPool, subsumes } from '../../bench/references/column-index.ts';
import type {
  PlannedStatement,
  ReferencePlanner,
  ReferenceStatement,
} from '../../bench/references/cost-evaluator.ts';

export interface ListedStatement {
  /** Columns that it mentions of the table t. */
  columns: string[];
  calls?: number;
  /** Cost without any index. */
  base: number;
  /** Each is there where every index that it needs, or a longer one, is. `a,b` is an index on both. */
  plans: { needs: string[]; cost: number }[];
}

export class PlanListPlanner implements ReferencePlanner {
  readonly pool = new IndexPool();
  readonly statements: readonly ReferenceStatement[];
  readonly #listed: readonly ListedStatement[];
  readonly #sizes: Readonly<Record<string, number>>;
  /** Questions as they came, `statement number: indexes`. */
  readonly asked: string[] = [];

  /** @param sizes by column list; ten bytes a column where it says nothing. */
  constructor(listed: readonly ListedStatement[], sizes: Readonly<Record<string, number>> = {}) {
    this.#listed = listed;
    this.#sizes = sizes;
    this.statements = listed.map(({ columns, calls = 1 }, position) => ({
      position,
      calls,
      columns: new Map([['t', columns]]),
      unnamed: new Set<string>(),
    }));
  }

  index(columns: string): ColumnIndex {
    return this.pool.of('t', columns.split(','));
  }

  bytes({ columns }: ColumnIndex): number {
    return this.#sizes[columns.join()] ?? 10 * columns.length;
  }

  async make(indexes: readonly ColumnIndex[]): Promise<number> {
    return 0.5 * indexes.length;
  }

  async plan(
    set: readonly ColumnIndex[],
    asked: readonly { statement: ReferenceStatement; relevant: readonly ColumnIndex[] }[],
  ): Promise<PlannedStatement[]> {
    return asked.map(({ statement: { position }, relevant }) => {
      this.asked.push(`${position}: ${relevant.map(({ columns }) => columns.join()).join(' ')}`);
      return { ...this.answer(position, set), questions: 2, seconds: 1 };
    });
  }

  /** The cheapest plan that is there, with the smallest index for each need. */
  answer(position: number, set: readonly ColumnIndex[]): { cost: number; used: ColumnIndex[] } {
    const statement = this.#listed[position];
    if (!statement) throw new Error(`no statement ${position}`);
    let best: { cost: number; used: ColumnIndex[] } = { cost: statement.base, used: [] };
    for (const { needs, cost } of statement.plans) {
      const used = needs.map((need) => {
        const serving = set.filter((index) => subsumes(index, this.index(need)));
        return serving.sort((a, b) => this.bytes(a) - this.bytes(b))[0];
      });
      if (cost < best.cost && !used.includes(undefined)) {
        best = { cost, used: used.filter((index) => index !== undefined) };
      }
    }
    return best;
  }

  cost(set: readonly ColumnIndex[]): number {
    return this.statements.reduce(
      (sum, { position, calls }) => sum + calls * this.answer(position, set).cost,
      0,
    );
  }

  /** The least that any set of these within the budget costs, by trying all of them. */
  optimum(candidates: readonly ColumnIndex[], budgetBytes: number): number {
    let best = Number.POSITIVE_INFINITY;
    for (let bits = 0; bits < 2 ** candidates.length; bits += 1) {
      const set = candidates.filter((_, position) => bits & (1 << position));
      const bytes = set.reduce((sum, index) => sum + this.bytes(index), 0);
      if (bytes <= budgetBytes) best = Math.min(best, this.cost(set));
    }
    return best;
  }
}
