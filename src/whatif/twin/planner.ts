/** Questions to the twin's planner: candidates made once, switched by pg_index.indisvalid, plans asked by EXPLAIN. */
import pg from 'pg';
import {
  type ColumnRow,
  type Configuration,
  type IndexDefinition,
  type IndexSize,
  type Limit,
  PgLuthierError,
  type PlanCost,
  type PlannableStatement,
  type Snapshot,
  type StatisticsContents,
  type StatisticsDefinition,
  type WhatIf,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { costOf, noCost, type Plan, withIndexNames } from '../plan.ts';
import { askMany, createAskFunction } from './ask.ts';
import { makeCandidates } from './candidate.ts';
import { describeExpression } from './expression-column.ts';
import { type ExistingIndex, IndexSwitch, nameIndexes } from './index-switch.ts';
import type { TwinRoles } from './policies.ts';
import { QuestionSettings } from './question-settings.ts';
import { RoleSettings } from './role-settings.ts';
import { connectTwin, PLANNER_ROLE, queryOne } from './session.ts';
import { StatisticsSwitch } from './statistics-switch.ts';

/** A statement whose planning takes longer is given up, in ms. */
const PLANNING_TIMEOUT_MS = 15_000;
/** Statements that are asked about in one round trip: more save nothing, and leave other sessions without work. */
const MOST_AT_ONCE = 24;

export interface TwinParts {
  /** What was rebuilt. */
  snapshot: Snapshot;
  /** All of the target. */
  whole: Snapshot;
  limits: readonly Limit[];
  /** search_path by which candidates' definitions are read. */
  namePath: string;
  /** How many statements may be planned at once. */
  sessions: number;
  roles: TwinRoles;
}

export class Twin implements WhatIf {
  readonly engine = 'twin' as const;
  readonly server_version: string;
  readonly limits: readonly Limit[];
  questions = 0;
  readonly #server: EmbeddedServer;
  readonly #snapshot: Snapshot;
  readonly #admin: pg.Client;
  readonly #planners: readonly pg.Client[];
  readonly #indexes: IndexSwitch;
  readonly #statistics: StatisticsSwitch;
  /** What the twin's plans call an index, to its handle or `schema.name`. */
  readonly #byPlanName: Map<string, string>;
  /** What the twin's plans call an index, to what the target's would, where that is not the same. */
  readonly #realNames: Map<string, string>;
  readonly #handlePrefix: string;
  readonly #roles: RoleSettings;
  /** Texts that were taken as one statement. */
  readonly #single = new Set<string>();
  readonly #nameOf = (name: string) => this.#byPlanName.get(name) ?? name;
  readonly #settings: QuestionSettings;
  #made = 0;

  private constructor(
    server: EmbeddedServer,
    sessions: { admin: pg.Client; planners: readonly pg.Client[] },
    { snapshot, whole, limits, roles }: TwinParts,
    existing: readonly ExistingIndex[],
  ) {
    this.#server = server;
    this.#admin = sessions.admin;
    this.#planners = sessions.planners;
    this.#snapshot = snapshot;
    this.#roles = new RoleSettings(snapshot, roles);
    this.#settings = new QuestionSettings(sessions.planners, this.#roles);
    this.server_version = server.version;
    this.limits = limits;
    this.#statistics = new StatisticsSwitch(server, sessions.admin, snapshot);
    this.#indexes = new IndexSwitch(sessions.admin, whole, existing);
    this.#byPlanName = new Map(existing.map((row) => [row.plan_name, row.key]));
    this.#realNames = new Map(
      existing.filter((row) => row.plan_name !== row.name).map((row) => [row.plan_name, row.name]),
    );
    let prefix = 'pgluthier_candidate_';
    while (existing.some((row) => row.name.startsWith(prefix))) prefix += '_';
    this.#handlePrefix = prefix;
  }

  /** Opens the sessions. */
  static async open(server: EmbeddedServer, parts: TwinParts): Promise<Twin> {
    const admin = await connectTwin(server, null);
    await admin.query(
      "SELECT set_config('search_path', $1, false), set_config('client_min_messages', 'error', false)",
      [parts.namePath],
    );
    await createAskFunction(admin);
    const planners: pg.Client[] = [];
    for (let count = 0; count < parts.sessions; count += 1) {
      const planner = await connectTwin(server, PLANNER_ROLE);
      await planner.query(
        `SET default_transaction_read_only = on; SET statement_timeout = ${PLANNING_TIMEOUT_MS}; SET client_min_messages = 'error'`,
      );
      planners.push(planner);
    }
    return new Twin(server, { admin, planners }, parts, await nameIndexes(admin));
  }

  async addIndex(definition: IndexDefinition, size: IndexSize): Promise<string> {
    const [made] = await this.addIndexes([{ definition, size }]);
    if (typeof made !== 'string') throw made ?? new Error('nothing came of a candidate');
    return made;
  }

  async addIndexes(
    wanted: readonly { definition: IndexDefinition; size: IndexSize }[],
  ): Promise<(string | PgLuthierError)[]> {
    const [planner] = this.#planners;
    if (!planner) throw new Error('a twin has at least one planner');
    const context = {
      admin: this.#admin,
      planner,
      dataDirectory: this.#server.dataDirectory,
      snapshot: this.#snapshot,
    };
    const named = wanted.map((item) => {
      this.#made += 1;
      return { ...item, name: `${this.#handlePrefix}${this.#made}` };
    });
    const results = await this.#alive(() => makeCandidates(context, named));
    return results.map((made, position) => {
      if (made instanceof PgLuthierError) return made;
      const handle = named[position]?.name ?? '';
      this.#indexes.add(
        handle,
        made.map((part) => part.oid),
      );
      for (const part of made) {
        this.#byPlanName.set(part.name, handle);
        if (part.name !== handle) this.#realNames.set(part.name, handle);
      }
      return handle;
    });
  }

  async describeExpression(schema: string, table: string, expression: string): Promise<ColumnRow | null> {
    const [planner] = this.#planners;
    if (!planner) throw new Error('a twin has at least one planner');
    return this.#alive(() => describeExpression(planner, this.#snapshot, { schema, table, expression }));
  }

  addStatistics(definition: StatisticsDefinition, contents: StatisticsContents): Promise<string> {
    return this.#alive(() => this.#statistics.add(definition, contents));
  }

  lowerStatisticsTarget(
    column: { schema: string; table: string; column: string },
    target: number,
  ): Promise<string> {
    return this.#alive(() => this.#statistics.lower(column, target));
  }

  async costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    await this.#alive(() => this.#switchTo(configuration));
    const results = new Array<PlanCost>(statements.length);
    const shares = this.#shareOut(statements);
    let next = 0;
    const work = async (planner: pg.Client) => {
      for (let place = next++; place < shares.length; place = next++) {
        const share = shares[place] ?? [];
        const costs = await this.#costsOf(
          planner,
          share.map(({ statement }) => statement),
        );
        share.forEach(({ position }, index) => {
          const cost = costs[index];
          if (cost) results[position] = cost;
        });
      }
    };
    await Promise.all(this.#planners.slice(0, shares.length).map(work));
    return results;
  }

  async explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown> {
    const [planner] = this.#planners;
    if (!planner) throw new Error('a twin has at least one planner');
    await this.#alive(() => this.#switchTo(configuration));
    this.questions += 1;
    return withIndexNames(await this.#plan(planner, statement), (name) => this.#realNames.get(name) ?? name);
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin, ...this.#planners].map((client) => client.end().catch(() => {})));
    await this.#server.stop('immediate');
  }

  /** Statements in shares that one session is asked about at once: of one role, each known to be a single statement. */
  #shareOut(
    statements: readonly PlannableStatement[],
  ): { statement: PlannableStatement; position: number }[][] {
    const most = Math.min(MOST_AT_ONCE, Math.ceil(statements.length / this.#planners.length));
    const shares: { statement: PlannableStatement; position: number }[][] = [];
    const open = new Map<string | null, { statement: PlannableStatement; position: number }[]>();
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

  async #costsOf(planner: pg.Client, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    const [first] = statements;
    if (first && statements.every(({ sql }) => this.#single.has(sql))) {
      try {
        await this.#alive(() => this.#roles.apply(planner, first.role, this.#settings.inForce));
        const plans = await this.#alive(() =>
          askMany(
            planner,
            statements.map(({ sql }) => sql),
          ),
        );
        this.questions += statements.length;
        return statements.map((statement, index) => costOf(statement, plans[index] ?? [], this.#nameOf));
      } catch (error) {
        // One of them failed, which may be because of this configuration: each by itself then.
        if (!(error instanceof pg.DatabaseError)) throw error;
      }
    }
    const costs: PlanCost[] = [];
    for (const statement of statements) costs.push(await this.#cost(planner, statement));
    return costs;
  }

  async #cost(planner: pg.Client, statement: PlannableStatement): Promise<PlanCost> {
    this.questions += 1;
    try {
      return costOf(statement, await this.#plan(planner, statement), this.#nameOf);
    } catch (error) {
      if (error instanceof pg.DatabaseError) return noCost(statement, error.message);
      throw error;
    }
  }

  /** The extended protocol takes one statement only: a text with a second one hidden in it is refused. */
  async #plan(planner: pg.Client, statement: PlannableStatement): Promise<Plan[]> {
    await this.#alive(() => this.#roles.apply(planner, statement.role, this.#settings.inForce));
    const { rows } = await this.#alive(() =>
      queryOne<{ 'QUERY PLAN'?: Plan[] }>(planner, `EXPLAIN (FORMAT JSON) ${statement.sql}`),
    );
    this.#single.add(statement.sql);
    return rows[0]?.['QUERY PLAN'] ?? [];
  }

  /** What fails other than by the server's word fails because the server is gone. */
  async #alive<T>(work: () => Promise<T>): Promise<T> {
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

  async #switchTo(configuration: Configuration): Promise<void> {
    await this.#indexes.to(configuration);
    await this.#statistics.to(configuration.statistics ?? []);
    await this.#settings.to(configuration.settings ?? {});
  }
}
