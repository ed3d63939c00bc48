/** Questions to the twin's planner: candidates made once, switched by pg_index.indisvalid, plans asked by EXPLAIN. */
import type pg from 'pg';
import {
  type ColumnRow,
  type Configuration,
  type IndexDefinition,
  type IndexSize,
  type Limit,
  PgLuthierError,
  type PlanCost,
  type PlannableStatement,
  type Question,
  type Snapshot,
  type StatisticsContents,
  type StatisticsDefinition,
  type WhatIf,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { FilterShares } from '../filter-shares.ts';
import { withIndexNames } from '../plan.ts';
import { createAskFunctions } from './ask.ts';
import { makeCandidates } from './candidate.ts';
import { describeExpression } from './expression-column.ts';
import { type ExistingIndex, IndexSwitch, nameIndexes } from './index-switch.ts';
import { alive, Planners } from './planners.ts';
import type { TwinRoles } from './policies.ts';
import { QuestionSettings } from './question-settings.ts';
import { RoleSettings } from './role-settings.ts';
import { connectTwin, PLANNER_ROLE } from './session.ts';
import { StatisticsSwitch } from './statistics-switch.ts';

/** A statement whose planning takes longer is given up, in ms. */
const PLANNING_TIMEOUT_MS = 15_000;

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
  readonly #server: EmbeddedServer;
  readonly #snapshot: Snapshot;
  readonly #admin: pg.Client;
  readonly #sessions: readonly pg.Client[];
  readonly #planners: Planners;
  readonly #indexes: IndexSwitch;
  readonly #statistics: StatisticsSwitch;
  /** What the twin's plans call an index, to its handle or `schema.name`. */
  readonly #byPlanName: Map<string, string>;
  /** What the twin's plans call an index, to what the target's would, where that is not the same. */
  readonly #realNames: Map<string, string>;
  readonly #handlePrefix: string;
  readonly #settings: QuestionSettings;
  readonly #shares: FilterShares;
  #made = 0;

  private constructor(
    server: EmbeddedServer,
    sessions: { admin: pg.Client; planners: readonly pg.Client[] },
    { snapshot, whole, limits, roles }: TwinParts,
    existing: readonly ExistingIndex[],
  ) {
    this.#server = server;
    this.#admin = sessions.admin;
    this.#sessions = sessions.planners;
    this.#snapshot = snapshot;
    const roleSettings = new RoleSettings(snapshot, roles);
    this.#settings = new QuestionSettings(sessions.planners, roleSettings);
    this.#shares = new FilterShares(snapshot);
    this.#planners = new Planners({
      sessions: sessions.planners,
      roles: roleSettings,
      settings: this.#settings,
      shares: this.#shares,
      nameOf: (name) => this.#byPlanName.get(name) ?? name,
    });
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

  get questions(): number {
    return this.#planners.questions;
  }

  /** Opens the sessions. */
  static async open(server: EmbeddedServer, parts: TwinParts): Promise<Twin> {
    const admin = await connectTwin(server, null);
    await admin.query(
      "SELECT set_config('search_path', $1, false), set_config('client_min_messages', 'error', false)",
      [parts.namePath],
    );
    await createAskFunctions(admin);
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
    const context = {
      admin: this.#admin,
      planner: this.#planners.first,
      dataDirectory: this.#server.dataDirectory,
      snapshot: this.#snapshot,
    };
    const named = wanted.map((item) => {
      this.#made += 1;
      return { ...item, name: `${this.#handlePrefix}${this.#made}` };
    });
    const results = await alive(() => makeCandidates(context, named));
    return results.map((made, position) => {
      if (made instanceof PgLuthierError) return made;
      const handle = named[position]?.name ?? '';
      if (named[position]) this.#shares.add(handle, named[position].definition);
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
    return alive(() =>
      describeExpression(this.#planners.first, this.#snapshot, { schema, table, expression }),
    );
  }

  addStatistics(definition: StatisticsDefinition, contents: StatisticsContents): Promise<string> {
    return alive(() => this.#statistics.add(definition, contents));
  }

  lowerStatisticsTarget(
    column: { schema: string; table: string; column: string },
    target: number,
  ): Promise<string> {
    return alive(() => this.#statistics.lower(column, target));
  }

  async costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    await alive(() => this.#switchTo(configuration));
    return this.#planners.costs(statements);
  }

  async costsOfEach(questions: readonly Question[]): Promise<PlanCost[][]> {
    if (!questions.every(({ configuration }) => switchesIndexesOnly(configuration))) {
      const results: PlanCost[][] = [];
      for (const { configuration, statements } of questions) {
        results.push(await this.costs(configuration, statements));
      }
      return results;
    }
    await alive(() => this.#statistics.to([]));
    await alive(() => this.#settings.to({}));
    return this.#planners.costsOfEach(questions, this.#indexes);
  }

  async explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown> {
    await alive(() => this.#switchTo(configuration));
    const plans = await this.#planners.plan(this.#planners.first, statement);
    return withIndexNames(plans, (name) => this.#realNames.get(name) ?? name);
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin, ...this.#sessions].map((client) => client.end().catch(() => {})));
    await this.#server.stop('immediate');
  }

  async #switchTo(configuration: Configuration): Promise<void> {
    await this.#indexes.to(configuration);
    await this.#statistics.to(configuration.statistics ?? []);
    await this.#settings.to(configuration.settings ?? {});
  }
}

/** Whether it says nothing of what takes more than switching: settings and statistics. */
function switchesIndexesOnly({ settings = {}, statistics = [] }: Configuration): boolean {
  return Object.keys(settings).length === 0 && statistics.length === 0;
}
