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
  quoteIdentifier,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { makeCandidates } from './candidate.ts';
import { describeExpression } from './expression-column.ts';
import { indexNames, type Plan, withIndexNames } from './plan.ts';
import { RoleSettings } from './role-settings.ts';
import { connectTwin, PLANNER_ROLE, queryOne } from './session.ts';

/** A statement whose planning takes longer is given up, in ms. */
const PLANNING_TIMEOUT_MS = 15_000;

/** An index of the target as the twin has it. */
interface ExistingIndex {
  oid: number;
  /** `schema.name`, as configurations and answers name it. */
  key: string;
  /** As the target's plans name it. */
  name: string;
  /** As the twin's plans name it: unique, though two schemas may have indexes of one name. */
  plan_name: string;
  /** OIDs of the partitioned indexes that it is part of. */
  parents: number[];
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
  /** OIDs of a candidate's parts by its handle. */
  readonly #candidates = new Map<string, number[]>();
  readonly #existing: readonly ExistingIndex[];
  /** What the twin's plans call an index, to its handle or `schema.name`. */
  readonly #byPlanName: Map<string, string>;
  /** What the twin's plans call an index, to what the target's would, where that is not the same. */
  readonly #realNames: Map<string, string>;
  readonly #handlePrefix: string;
  /** OIDs that are switched on right now, of those that may be switched. */
  readonly #on: Set<number>;
  readonly #roles: RoleSettings;
  #settings: Record<string, string> = {};
  #made = 0;

  private constructor(
    server: EmbeddedServer,
    sessions: { admin: pg.Client; planners: readonly pg.Client[] },
    snapshot: Snapshot,
    limits: readonly Limit[],
    existing: readonly ExistingIndex[],
  ) {
    this.#server = server;
    this.#admin = sessions.admin;
    this.#planners = sessions.planners;
    this.#snapshot = snapshot;
    this.#roles = new RoleSettings(snapshot);
    this.server_version = server.version;
    this.limits = limits;
    this.#existing = existing;
    this.#byPlanName = new Map(existing.map((row) => [row.plan_name, row.key]));
    this.#realNames = new Map(
      existing.filter((row) => row.plan_name !== row.name).map((row) => [row.plan_name, row.name]),
    );
    this.#on = new Set(existing.map((row) => row.oid));
    let prefix = 'pgluthier_candidate_';
    while (existing.some((row) => row.name.startsWith(prefix))) prefix += '_';
    this.#handlePrefix = prefix;
  }

  /**
   * Opens the sessions.
   * @param namePath search_path by which candidates' definitions are read.
   * @param sessions how many statements may be planned at once.
   */
  static async open(
    server: EmbeddedServer,
    parts: { snapshot: Snapshot; limits: readonly Limit[]; namePath: string; sessions: number },
  ): Promise<Twin> {
    const admin = await connectTwin(server, null);
    await admin.query(
      "SELECT set_config('search_path', $1, false), set_config('client_min_messages', 'error', false)",
      [parts.namePath],
    );
    const planners: pg.Client[] = [];
    for (let count = 0; count < parts.sessions; count += 1) {
      const planner = await connectTwin(server, PLANNER_ROLE);
      await planner.query(
        `SET default_transaction_read_only = on; SET statement_timeout = ${PLANNING_TIMEOUT_MS}; SET client_min_messages = 'error'`,
      );
      planners.push(planner);
    }
    return new Twin(server, { admin, planners }, parts.snapshot, parts.limits, await nameIndexes(admin));
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
      this.#candidates.set(
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

  async costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    await this.#alive(() => this.#switchTo(configuration));
    const results = new Array<PlanCost>(statements.length);
    let next = 0;
    const work = async (planner: pg.Client) => {
      for (let place = next++; place < statements.length; place = next++) {
        const statement = statements[place];
        if (statement) results[place] = await this.#cost(planner, statement);
      }
    };
    await Promise.all(this.#planners.slice(0, statements.length).map(work));
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

  async #cost(planner: pg.Client, statement: PlannableStatement): Promise<PlanCost> {
    this.questions += 1;
    const failed = (error: string) => ({
      statement_id: statement.id,
      cost: null,
      rows: null,
      indexes: [],
      error,
    });
    try {
      const [planned] = await this.#plan(planner, statement);
      const root = planned?.Plan;
      if (root?.['Total Cost'] === undefined) return failed('a utility statement has no plan');
      const names = indexNames(root).map((name) => this.#byPlanName.get(name) ?? name);
      return {
        statement_id: statement.id,
        cost: root['Total Cost'],
        rows: root['Plan Rows'] ?? null,
        indexes: [...new Set(names)],
        error: null,
      };
    } catch (error) {
      if (error instanceof pg.DatabaseError) return failed(error.message);
      throw error;
    }
  }

  /** The extended protocol takes one statement only: a text with a second one hidden in it is refused. */
  async #plan(planner: pg.Client, statement: PlannableStatement): Promise<Plan[]> {
    await this.#alive(() => this.#roles.apply(planner, statement.role, this.#settings));
    const { rows } = await this.#alive(() =>
      queryOne<{ 'QUERY PLAN'?: Plan[] }>(planner, `EXPLAIN (FORMAT JSON) ${statement.sql}`),
    );
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

  /** Switches only what differs: a planner reads pg_index anew when a row of it changes. */
  async #switchTo(configuration: Configuration): Promise<void> {
    const wanted = new Set<number>();
    for (const handle of configuration.created) {
      const parts = this.#candidates.get(handle);
      if (!parts) throw unknown('candidate_unknown', `No candidate ${handle} was made.`);
      for (const oid of parts) wanted.add(oid);
    }
    const hidden = new Set<number>();
    for (const key of configuration.hidden) {
      const index = this.#existing.find((row) => row.key === key);
      if (index) hidden.add(index.oid);
      else if (!this.#snapshot.indexes.some((row) => `${row.schema}.${row.name}` === key)) {
        throw unknown('index_unknown', `There is no index ${key} to hide.`);
      }
    }
    for (const { oid, parents } of this.#existing) {
      if (!hidden.has(oid) && !parents.some((parent) => hidden.has(parent))) wanted.add(oid);
    }
    const on = [...wanted].filter((oid) => !this.#on.has(oid));
    const off = [...this.#on].filter((oid) => !wanted.has(oid));
    if (on.length + off.length > 0) {
      await this.#admin.query({
        name: 'switch',
        text: 'UPDATE pg_index SET indisvalid = indexrelid = ANY ($1::oid[]) WHERE indexrelid = ANY ($2::oid[])',
        values: [on, [...on, ...off]],
      });
      for (const oid of on) this.#on.add(oid);
      for (const oid of off) this.#on.delete(oid);
    }
    await this.#applySettings(configuration.settings ?? {});
  }

  async #applySettings(settings: Readonly<Record<string, string>>): Promise<void> {
    if (Object.keys(settings).length > 0 || Object.keys(this.#settings).length > 0) {
      // What the question sets stands over any role's: no session is a role's while that changes.
      for (const planner of this.#planners) await this.#roles.apply(planner, null, this.#settings);
    }
    const changed = Object.entries(settings).filter(([name, value]) => this.#settings[name] !== value);
    const dropped = Object.keys(this.#settings).filter((name) => !(name in settings));
    for (const planner of this.#planners) {
      for (const name of dropped)
        await planner.query(`RESET ${name.split('.').map(quoteIdentifier).join('.')}`);
      for (const [name, value] of changed) {
        await planner.query('SELECT set_config($1, $2, false)', [name, value]);
      }
    }
    this.#settings = { ...settings };
  }
}

function unknown(code: string, message: string): PgLuthierError {
  return new PgLuthierError({ code, status: 422, message });
}

/** Existing valid indexes; one whose name occurs twice is renamed, for plans say no schema. */
async function nameIndexes(admin: pg.Client): Promise<ExistingIndex[]> {
  const { rows } = await admin.query<ExistingIndex & { shared: boolean }>(
    `SELECT i.indexrelid::int4 AS oid, n.nspname || '.' || c.relname AS key, c.relname AS name,
            count(*) OVER (PARTITION BY c.relname) > 1 AS shared,
            CASE WHEN count(*) OVER (PARTITION BY c.relname) > 1 THEN 'pgluthier_index_' || i.indexrelid ELSE c.relname END AS plan_name,
            ARRAY(SELECT relid::oid::int4 FROM pg_partition_ancestors(i.indexrelid) WHERE relid <> i.indexrelid) AS parents
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  const shared = rows.filter((row) => row.shared);
  await admin.query(
    'UPDATE pg_class SET relname = given.name FROM unnest($1::oid[], $2::name[]) AS given (oid, name) WHERE pg_class.oid = given.oid',
    [shared.map((row) => row.oid), shared.map((row) => row.plan_name)],
  );
  return rows.map(({ shared: _, ...row }) => row);
}
