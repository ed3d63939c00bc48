/**
 * Costs of sets of indexes, as the published algorithms ask for them: cached by statement and the indexes that can
 * matter to it (as hyrise's index_selection_evaluation does), counted, and timed.
 */
import type { ColumnIndex, IndexPool } from './column-index.ts';

/** A statement as the algorithms see it. */
export interface ReferenceStatement {
  readonly position: number;
  readonly calls: number;
  /** Columns that it mentions, by table: the indexable ones. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** Tables of which it reads rows and names no column (count(*)): any index of theirs may be read in their place. */
  readonly unnamed: ReadonlySet<string>;
}

export interface PlannedStatement {
  /** Planner cost units of one call. */
  cost: number;
  /** Of the set, those in its plans. */
  used: readonly ColumnIndex[];
  /** Plans that it took: one a sample. */
  questions: number;
  /** What that took when it was really asked. */
  seconds: number;
}

/** What answers for the database. */
export interface ReferencePlanner {
  readonly pool: IndexPool;
  readonly statements: readonly ReferenceStatement[];
  /** Seconds that making these indexes known took, when they really were. */
  make(indexes: readonly ColumnIndex[]): Promise<number>;
  /** @param relevant the part of the set that can matter, one list a statement. */
  plan(
    set: readonly ColumnIndex[],
    asked: readonly { statement: ReferenceStatement; relevant: readonly ColumnIndex[] }[],
  ): Promise<PlannedStatement[]>;
  bytes(index: ColumnIndex): number;
}

/** A set with what it costs each statement. */
export interface Configuration {
  readonly indexes: ReadonlySet<ColumnIndex>;
  /** Of the whole workload: Σ calls × cost. */
  readonly cost: number;
  readonly bytes: number;
  readonly relevant: ReadonlyMap<number, readonly ColumnIndex[]>;
  readonly costs: readonly number[];
}

/** Counts and times one run of one algorithm. */
export class CostEvaluator {
  /** Plans that were asked for. */
  questions = 0;
  /** Costs of a statement that were wanted, asked for or known. */
  requests = 0;
  readonly pool: IndexPool;
  readonly statements: readonly ReferenceStatement[];
  readonly #planner: ReferencePlanner;
  readonly #limitSeconds: number;
  readonly #started = performance.now();
  #waited = 0;
  #charged = 0;
  #wasStopped = false;
  readonly #answers: Map<string, PlannedStatement>[];
  readonly #made = new Set<ColumnIndex>();
  readonly #touched = new Map<ColumnIndex, ReadonlySet<ReferenceStatement>>();

  /** @param limitSeconds after which `isOver` is true. */
  constructor(planner: ReferencePlanner, limitSeconds = Number.POSITIVE_INFINITY) {
    this.#planner = planner;
    this.pool = planner.pool;
    this.statements = planner.statements;
    this.#limitSeconds = limitSeconds;
    this.#answers = this.statements.map(() => new Map());
  }

  /**
   * Seconds so far: this run's own, and for each plan that it asked for what asking took. Answers are shared between
   * runs, so that a benchmark of hundreds of them ends, but each run pays for all that it would have asked by itself.
   */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000 - this.#waited + this.#charged;
  }

  /** The time is up: an algorithm returns the best that it has. */
  get isOver(): boolean {
    if (this.seconds <= this.#limitSeconds) return false;
    this.#wasStopped = true;
    return true;
  }

  /** Some algorithm was told that the time is up. */
  get wasStopped(): boolean {
    return this.#wasStopped;
  }

  /** Share of the time limit that is used up, 0 without a limit. */
  get shareOfLimit(): number {
    return this.seconds / this.#limitSeconds;
  }

  /** Bytes of these indexes. */
  bytes(indexes: Iterable<ColumnIndex>): number {
    let sum = 0;
    for (const index of indexes) sum += this.#planner.bytes(index);
    return sum;
  }

  /** Statements to which the index can matter: those that mention a column of it, or none of its table's. */
  touched(index: ColumnIndex): ReadonlySet<ReferenceStatement> {
    let found = this.#touched.get(index);
    if (!found) {
      found = new Set(
        this.statements.filter(({ columns, unnamed }) => {
          const mentioned = columns.get(index.table);
          return unnamed.has(index.table) || index.columns.some((column) => mentioned?.includes(column));
        }),
      );
      this.#touched.set(index, found);
    }
    return found;
  }

  /** What a set costs the workload. */
  async open(indexes: Iterable<ColumnIndex>): Promise<Configuration> {
    const set = new Set(indexes);
    const relevant = new Map<number, ColumnIndex[]>();
    for (const index of [...set].sort((a, b) => a.id - b.id)) {
      for (const { position } of this.touched(index)) {
        const list = relevant.get(position);
        if (list) list.push(index);
        else relevant.set(position, [index]);
      }
    }
    const answers = await this.#answer(
      [...set],
      this.statements.map((statement) => ({ statement, relevant: relevant.get(statement.position) ?? [] })),
    );
    const costs = answers.map(({ cost }) => cost);
    const cost = this.statements.reduce(
      (sum, { calls, position }) => sum + calls * (costs[position] ?? 0),
      0,
    );
    return { indexes: set, cost, bytes: this.bytes(set), relevant, costs };
  }

  /** What the workload would cost with some indexes of a set exchanged for others. */
  async exchanged(
    from: Configuration,
    leaving: readonly ColumnIndex[],
    joining: readonly ColumnIndex[],
  ): Promise<number> {
    const statements = new Set([...leaving, ...joining].flatMap((index) => [...this.touched(index)]));
    const set = [...from.indexes].filter((index) => !leaving.includes(index));
    set.push(...joining.filter((index) => !set.includes(index)));
    const asked = [...statements].map((statement) => {
      const relevant = (from.relevant.get(statement.position) ?? []).filter(
        (index) => !leaving.includes(index),
      );
      for (const index of joining) {
        if (!relevant.includes(index) && this.touched(index).has(statement)) relevant.push(index);
      }
      return { statement, relevant: relevant.sort((a, b) => a.id - b.id) };
    });
    const answers = await this.#answer(set, asked);
    return asked.reduce((sum, { statement: { calls, position } }, place) => {
      return sum + calls * ((answers[place]?.cost ?? 0) - (from.costs[position] ?? 0));
    }, from.cost);
  }

  /** A statement's cost and the indexes that its plans use when all of these are there. */
  async plan(statement: ReferenceStatement, indexes: readonly ColumnIndex[]): Promise<PlannedStatement> {
    const relevant = indexes
      .filter((index) => this.touched(index).has(statement))
      .sort((a, b) => a.id - b.id);
    const [answer] = await this.#answer(relevant, [{ statement, relevant }]);
    if (!answer) throw new Error('a planner answers each question');
    return answer;
  }

  /** The same evaluator for a workload of one statement. */
  only(statement: ReferenceStatement): Pick<CostEvaluator, 'open' | 'exchanged'> {
    const openOne = async (indexes: Iterable<ColumnIndex>): Promise<Configuration> => {
      const set = new Set(indexes);
      const { cost } = await this.plan(statement, [...set]);
      const relevant = new Map([[statement.position, [...set]]]);
      return { indexes: set, cost: cost * statement.calls, bytes: this.bytes(set), relevant, costs: [] };
    };
    return {
      open: openOne,
      exchanged: async (from, leaving, joining) => {
        const set = [...from.indexes].filter((index) => !leaving.includes(index));
        return (await openOne([...set, ...joining])).cost;
      },
    };
  }

  async #answer(
    set: readonly ColumnIndex[],
    asked: readonly { statement: ReferenceStatement; relevant: readonly ColumnIndex[] }[],
  ): Promise<PlannedStatement[]> {
    this.requests += asked.length;
    const keys = asked.map(({ relevant }) => relevant.map(({ id }) => id).join());
    const open = asked
      .map((question, place) => ({ ...question, key: keys[place] ?? '' }))
      .filter(({ statement, key }) => !this.#answers[statement.position]?.has(key));
    if (open.length > 0) {
      const before = performance.now();
      const fresh = set.filter((index) => !this.#made.has(index));
      for (const index of fresh) this.#made.add(index);
      if (fresh.length > 0) this.#charged += await this.#planner.make(fresh);
      const planned = await this.#planner.plan(set, open);
      this.#waited += (performance.now() - before) / 1000;
      open.forEach(({ statement, key }, place) => {
        const answer = planned[place];
        if (!answer) throw new Error('a planner answers each question');
        this.questions += answer.questions;
        this.#charged += answer.seconds;
        this.#answers[statement.position]?.set(key, answer);
      });
    }
    return asked.map(({ statement }, place) => {
      const answer = this.#answers[statement.position]?.get(keys[place] ?? '');
      if (!answer) throw new Error('every question was answered');
      return answer;
    });
  }
}
