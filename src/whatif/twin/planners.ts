/**
 * The sessions that plan: statements shared out among them, each planned as its role, many in one round trip where their
 * texts are known to be one statement each.
 */
import pg from 'pg';
import {
  type Configuration,
  PgLuthierError,
  type PlanCost,
  type PlannableStatement,
  type Question,
} from '../../domain/index.ts';
import type { FilterShares } from '../filter-shares.ts';
import { costOf, noCost, type Plan } from '../plan.ts';
import { type AskStep, askEach, askMany } from './ask.ts';
import type { IndexSwitch, Switching } from './index-switch.ts';
import type { QuestionSettings } from './question-settings.ts';
import type { RoleSettings } from './role-settings.ts';
import { queryOne } from './session.ts';

/** Statements that are asked about in one round trip: more save nothing, and leave other sessions without work. */
const MOST_AT_ONCE = 24;

interface Placed {
  statement: PlannableStatement;
  position: number;
}

/** One statement of a question. */
interface Asked extends Placed {
  configuration: Configuration;
  /** Its place among the questions. */
  question: number;
}

export interface PlannersParts {
  sessions: readonly pg.Client[];
  roles: RoleSettings;
  settings: QuestionSettings;
  shares: FilterShares;
  /** What the twin's plans call an index, to its handle or `schema.name`. */
  nameOf: (name: string) => string;
}

export class Planners {
  /** Plans asked for so far. */
  questions = 0;
  readonly #parts: PlannersParts;
  /** Milliseconds that planning one statement took in the last share. */
  #each = 0;
  /** Texts that were taken as one statement. */
  readonly #single = new Set<string>();

  constructor(parts: PlannersParts) {
    this.#parts = parts;
  }

  /** The one that is used where one is enough. */
  get first(): pg.Client {
    const [first] = this.#parts.sessions;
    if (!first) throw new Error('a twin has at least one planner');
    return first;
  }

  /** Under what is in force; one cost a statement, in their order. */
  async costs(statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    const results = new Array<PlanCost>(statements.length);
    const shares = this.#shareOut(statements);
    let next = 0;
    const work = async (session: pg.Client) => {
      for (let place = next++; place < shares.length; place = next++) {
        const share = shares[place] ?? [];
        const started = performance.now();
        const costs = await this.#costsOf(
          session,
          share.map(({ statement }) => statement),
        );
        this.#each = (performance.now() - started) / share.length;
        share.forEach(({ position }, index) => {
          const cost = costs[index];
          if (cost) results[position] = cost;
        });
      }
    };
    await Promise.all(this.#parts.sessions.slice(0, shares.length).map(work));
    return results;
  }

  /**
   * Each question under its own indexes, several in one round trip, all sessions at once.
   * @param indexes what is switched; settings and statistics stay as they are.
   */
  async costsOfEach(questions: readonly Question[], indexes: IndexSwitch): Promise<PlanCost[][]> {
    const results = questions.map(({ statements }) => new Array<PlanCost>(statements.length));
    const steps = await alive(() => indexes.around(questions.map(({ configuration }) => configuration)));
    const shares = sharesOf(questions, this.#parts.sessions.length, this.#each);
    const learn = (share: readonly Asked[], costs: readonly PlanCost[]) => {
      share.forEach(({ question, position }, place) => {
        const [answers, cost] = [results[question], costs[place]];
        if (answers && cost) answers[position] = cost;
      });
    };
    const failed: Asked[][] = [];
    let next = 0;
    const work = async (session: pg.Client) => {
      for (let place = next++; place < shares.length; place = next++) {
        const share = shares[place] ?? [];
        const started = performance.now();
        const costs = await this.#askTogether(session, share, steps);
        this.#each = (performance.now() - started) / share.length;
        if (costs) learn(share, costs);
        else failed.push(share);
      }
    };
    await Promise.all(this.#parts.sessions.slice(0, shares.length).map(work));
    // By themselves they need their indexes in force, which is so for all sessions.
    for (const share of failed) learn(share, await this.#askOneByOne(share, indexes));
    return results;
  }

  /** The extended protocol takes one statement only: a text with a second one hidden in it is refused. */
  async plan(session: pg.Client, statement: PlannableStatement): Promise<Plan[]> {
    this.questions += 1;
    await alive(() => this.#parts.roles.apply(session, statement.role, this.#parts.settings.inForce));
    const { rows } = await alive(() =>
      queryOne<{ 'QUERY PLAN'?: Plan[] }>(session, `EXPLAIN (FORMAT JSON) ${statement.sql}`),
    );
    this.#single.add(statement.sql);
    return rows[0]?.['QUERY PLAN'] ?? [];
  }

  /**
   * @param steps what is switched for each of the questions.
   * @returns null: one of them fails, or was never planned before, so that nobody knows that it is one statement.
   */
  async #askTogether(
    session: pg.Client,
    share: readonly Asked[],
    steps: readonly Switching[],
  ): Promise<PlanCost[] | null> {
    const [first] = share;
    if (!first || !share.every(({ statement }) => this.#single.has(statement.sql))) return null;
    const { roles, settings } = this.#parts;
    await alive(() => roles.apply(session, first.statement.role, settings.inForce));
    try {
      const plans = await alive(() => askEach(session, stepsOf(share, steps)));
      this.questions += share.length;
      return await this.#answers(
        session,
        share.map(({ statement }) => statement),
        plans,
      );
    } catch (error) {
      if (error instanceof pg.DatabaseError) return null;
      throw error;
    }
  }

  async #askOneByOne(share: readonly Asked[], indexes: IndexSwitch): Promise<PlanCost[]> {
    const costs: PlanCost[] = [];
    for (const { configuration, statement } of share) {
      await alive(() => indexes.to(configuration));
      costs.push(await this.#cost(this.first, statement));
    }
    return costs;
  }

  /** Statements in shares that one session is asked about at once: of one role, each known to be a single statement. */
  #shareOut(statements: readonly PlannableStatement[]): Placed[][] {
    const shared = (this.#each >= SLOW ? SHARES_EACH : 1) * this.#parts.sessions.length;
    const most = Math.min(MOST_AT_ONCE, Math.ceil(statements.length / shared));
    const shares: Placed[][] = [];
    const open = new Map<string | null, Placed[]>();
    for (const [position, statement] of statements.entries()) {
      const role = statement.role ?? null;
      const share = this.#single.has(statement.sql) ? open.get(role) : undefined;
      if (share && share.length < most) {
        share.push({ statement, position });
      } else {
        const begun = [{ statement, position }];
        shares.push(begun);
        if (this.#single.has(statement.sql)) open.set(role, begun);
      }
    }
    return shares;
  }

  async #costsOf(session: pg.Client, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    const [first] = statements;
    if (first && statements.every(({ sql }) => this.#single.has(sql))) {
      try {
        await alive(() => this.#parts.roles.apply(session, first.role, this.#parts.settings.inForce));
        const plans = await alive(() =>
          askMany(
            session,
            statements.map(({ sql }) => sql),
          ),
        );
        this.questions += statements.length;
        return await this.#answers(session, statements, plans);
      } catch (error) {
        // One of them failed, which may be because of this configuration: each by itself then.
        if (!(error instanceof pg.DatabaseError)) throw error;
      }
    }
    const costs: PlanCost[] = [];
    for (const statement of statements) costs.push(await this.#cost(session, statement));
    return costs;
  }

  async #cost(session: pg.Client, statement: PlannableStatement): Promise<PlanCost> {
    try {
      const [answer] = await this.#answers(session, [statement], [await this.plan(session, statement)]);
      return answer ?? noCost(statement, 'no plan');
    } catch (error) {
      if (error instanceof pg.DatabaseError) return noCost(statement, error.message);
      throw error;
    }
  }

  /** One a plan; what their filters pass is asked in the same session. */
  async #answers(
    session: pg.Client,
    statements: readonly PlannableStatement[],
    plans: readonly (readonly Plan[])[],
  ): Promise<PlanCost[]> {
    const { shares, nameOf } = this.#parts;
    const costs: PlanCost[] = [];
    for (const [place, statement] of statements.entries()) {
      const { role = null } = statement;
      const of = plans[place] ?? [];
      const passing = await shares.of(of, {
        role,
        nameOf,
        plan: (sql) => this.#planIfTaken(session, { ...statement, sql }),
      });
      costs.push(costOf(statement, of, nameOf, passing));
    }
    return costs;
  }

  /** Null: the server refuses it. */
  async #planIfTaken(session: pg.Client, statement: PlannableStatement): Promise<Plan[] | null> {
    try {
      return await this.plan(session, statement);
    } catch (error) {
      if (error instanceof pg.DatabaseError) return null;
      throw error;
    }
  }
}

/** Statements of one question that follow each other are one step. */
function stepsOf(share: readonly Asked[], switching: readonly Switching[]): AskStep[] {
  const steps: (Switching & { statements: string[] })[] = [];
  for (const [place, { question, statement }] of share.entries()) {
    if (share[place - 1]?.question === question) steps.at(-1)?.statements.push(statement.sql);
    else steps.push({ ...(switching[question] ?? { on: [], off: [] }), statements: [statement.sql] });
  }
  return steps;
}

/** Fewer statements than this are not shared out: the way there and back takes as long. */
const FEWEST_AT_ONCE = 8;
/** Milliseconds that planning one statement takes from which on the way there and back is nothing beside it. */
const SLOW = 5;
/** Shares of slow statements for each session, so that none waits long for another's. */
const SHARES_EACH = 4;

/**
 * Statements of one role each, in the order of the questions.
 * @param each milliseconds that planning one of them took of late.
 */
function sharesOf(questions: readonly Question[], sessions: number, each: number): Asked[][] {
  const shares: Asked[][] = [];
  const open = new Map<string | null, Asked[]>();
  const statements = questions.reduce((sum, question) => sum + question.statements.length, 0);
  const fewest = each >= SLOW ? 1 : FEWEST_AT_ONCE;
  const shared = each >= SLOW ? SHARES_EACH * sessions : sessions;
  const most = Math.min(MOST_AT_ONCE, Math.max(fewest, Math.ceil(statements / shared)));
  for (const [question, { configuration, statements: some }] of questions.entries()) {
    for (const [position, statement] of some.entries()) {
      const role = statement.role ?? null;
      const share = open.get(role);
      const asked = { configuration, statement, question, position };
      if (share && share.length < most) {
        share.push(asked);
      } else {
        const begun = [asked];
        shares.push(begun);
        open.set(role, begun);
      }
    }
  }
  return shares;
}

/** What fails other than by the server's word fails because the server is gone. */
export async function alive<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const gone = cause instanceof pg.DatabaseError ? ['57P01', '57P02'].includes(cause.code ?? '') : true;
    if (!gone || cause instanceof PgLuthierError) throw cause;
    throw new PgLuthierError({
      code: 'twin_lost',
      status: 500,
      message: `The twin's server ended or does not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
      remedy: 'Run the analysis again; if it happens again, look for lack of memory or disk space.',
      cause,
    });
  }
}
