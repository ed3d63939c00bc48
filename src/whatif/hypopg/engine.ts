/** Questions to the target's planner: hypothetical indexes made and dropped, plans asked by EXPLAIN. */
import {
  type Configuration,
  type IndexDefinition,
  type IndexSize,
  type Limit,
  PgLuthierError,
  type PlanCost,
  type PlannableStatement,
  type Question,
  quoteIdentifier,
  renderIndexDefinition,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../../target/index.ts';
import { FilterShares } from '../filter-shares.ts';
import { costOf, noCost, type Plan, withIndexNames } from '../plan.ts';
import { sessionSettings } from '../twin/settings.ts';

/** Qualified and quoted; null: this version has none. */
export interface HypopgFunctions {
  create: string;
  drop: string;
  reset: string;
  hide: string | null;
  unhide: string | null;
}

export interface HypopgParts {
  session: TargetSession;
  snapshot: Snapshot;
  functions: HypopgFunctions;
  limits: Limit[];
  /** server_version. */
  version: string;
}

/** A hypothetical index that exists in the backend right now. */
interface Present {
  oid: number;
  /** `<13370>btree_orders_status`: as HypoPG calls it in plans. */
  name: string;
}

/** A setting that PostgreSQL does not let this role set, or does not know. */
const SETTING_REFUSED = new Set(['42501', '42704', '22023', '55P02']);

export class Hypopg implements WhatIf {
  readonly engine = 'hypopg' as const;
  readonly server_version: string;
  readonly limits: readonly Limit[];
  questions = 0;
  readonly #session: TargetSession;
  readonly #snapshot: Snapshot;
  readonly #functions: HypopgFunctions;
  readonly #limits: Limit[];
  readonly #definitions = new Map<string, string>();
  readonly #present = new Map<string, Present>();
  /** OIDs of existing indexes by `schema.name`, and that by their name where it is the only one of it. */
  readonly #existing = new Map<string, number>();
  readonly #keys = new Map<string, string | null>();
  readonly #hidden = new Set<string>();
  readonly #shares: FilterShares;
  /** Planner settings in force in the session. */
  #settings: Record<string, string> = {};
  #asked: Readonly<Record<string, string>> = {};

  constructor(parts: HypopgParts) {
    this.#session = parts.session;
    this.#snapshot = parts.snapshot;
    this.#functions = parts.functions;
    this.#limits = parts.limits;
    this.limits = parts.limits;
    this.server_version = parts.version;
    this.#shares = new FilterShares(parts.snapshot);
    for (const { schema, name, oid } of parts.snapshot.indexes) {
      this.#existing.set(`${schema}.${name}`, oid);
      this.#keys.set(name, this.#keys.has(name) ? null : `${schema}.${name}`);
    }
  }

  /** The backend may be one that a pooler kept: whatever another left there goes first. */
  async begin(): Promise<void> {
    await this.#session.query(`SELECT ${this.#functions.reset}()`);
    await this.#plannedAs(null);
  }

  /** @param _size HypoPG reckons sizes itself. */
  async addIndex(definition: IndexDefinition, _size: IndexSize): Promise<string> {
    const handle = `hypopg_${this.#definitions.size + 1}`;
    const sql = renderIndexDefinition({ ...definition, name: handle });
    try {
      const made = await this.#create(sql);
      await this.#drop(made);
    } catch (cause) {
      if (!(cause instanceof TargetQueryError)) throw cause;
      throw new PgLuthierError({
        code: 'candidate_refused',
        status: 422,
        message: `HypoPG does not take it: ${cause.message}`,
        cause,
      });
    }
    this.#definitions.set(handle, sql);
    this.#shares.add(handle, definition);
    return handle;
  }

  async addIndexes(
    wanted: readonly { definition: IndexDefinition; size: IndexSize }[],
  ): Promise<(string | PgLuthierError)[]> {
    const results: (string | PgLuthierError)[] = [];
    for (const { definition, size } of wanted) {
      try {
        results.push(await this.addIndex(definition, size));
      } catch (error) {
        if (!(error instanceof PgLuthierError) || error.code !== 'candidate_refused') throw error;
        results.push(error);
      }
    }
    return results;
  }

  async costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    await this.#switchTo(configuration);
    const nameOf = this.#nameFinder();
    const costs: PlanCost[] = [];
    for (const statement of statements) {
      try {
        const plans = await this.#plan(statement);
        const passing = await this.#shares.of(plans, {
          role: statement.role ?? null,
          nameOf,
          plan: (sql) => this.#planIfTaken({ ...statement, sql }),
        });
        costs.push(costOf(statement, plans, nameOf, passing));
      } catch (error) {
        // 57014: the statement's own time limit. What else the server says is about this statement, too.
        if (!(error instanceof TargetQueryError)) throw error;
        costs.push(noCost(statement, error.message));
      }
    }
    return costs;
  }

  async costsOfEach(questions: readonly Question[]): Promise<PlanCost[][]> {
    const results: PlanCost[][] = [];
    for (const { configuration, statements } of questions) {
      results.push(await this.costs(configuration, statements));
    }
    return results;
  }

  async explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown> {
    await this.#switchTo(configuration);
    const handles = new Map([...this.#present].map(([handle, { name }]) => [name, handle]));
    return withIndexNames(await this.#plan(statement), (name) => handles.get(name) ?? name);
  }

  /** The session ends; before that its hypothetical indexes, for a pooler may hand the backend on. */
  async close(): Promise<void> {
    await this.#session.query(`SELECT ${this.#functions.reset}()`).catch(() => {});
    await this.#session.close();
  }

  async #plan(statement: PlannableStatement): Promise<Plan[]> {
    this.questions += 1;
    await this.#plannedAs(statement.role ?? null);
    // By the extended protocol: a second statement that the text hides is refused.
    const rows = await this.#session.query<{ 'QUERY PLAN'?: Plan[] }>(
      `EXPLAIN (FORMAT JSON) ${statement.sql}`,
      [],
      { single: true },
    );
    return rows[0]?.['QUERY PLAN'] ?? [];
  }

  /** Null: the server refuses it. */
  async #planIfTaken(statement: PlannableStatement): Promise<Plan[] | null> {
    try {
      return await this.#plan(statement);
    } catch (error) {
      if (error instanceof TargetQueryError) return null;
      throw error;
    }
  }

  /** What a plan calls an index, to its handle or `schema.name`. */
  #nameFinder(): (name: string) => string {
    const handles = new Map([...this.#present].map(([handle, { name }]) => [name, handle]));
    return (name) => handles.get(name) ?? this.#keys.get(name) ?? name;
  }

  async #create(sql: string): Promise<Present> {
    const [made] = await this.#session.query<{ oid: number; name: string }>(
      `SELECT indexrelid::int8 AS oid, indexname AS name FROM ${this.#functions.create}($1)`,
      [sql],
    );
    if (!made) throw new Error('hypopg_create_index() made nothing');
    return made;
  }

  async #drop({ oid }: Present): Promise<void> {
    await this.#session.query(`SELECT ${this.#functions.drop}($1::oid)`, [oid]);
  }

  async #switchTo(configuration: Configuration): Promise<void> {
    const wanted = new Set(configuration.created);
    for (const handle of wanted) {
      if (!this.#definitions.has(handle))
        throw unknown('candidate_unknown', `No candidate ${handle} was made.`);
    }
    for (const [handle, present] of this.#present) {
      if (wanted.has(handle)) continue;
      await this.#drop(present);
      this.#present.delete(handle);
    }
    for (const handle of wanted) {
      if (!this.#present.has(handle)) {
        this.#present.set(handle, await this.#create(this.#definitions.get(handle) ?? ''));
      }
    }
    await this.#hide(new Set(configuration.hidden));
    this.#asked = configuration.settings ?? {};
  }

  async #hide(wanted: ReadonlySet<string>): Promise<void> {
    const { hide, unhide } = this.#functions;
    for (const key of wanted) {
      const oid = this.#existing.get(key);
      if (oid === undefined) throw unknown('index_unknown', `There is no index ${key} to hide.`);
      if (this.#hidden.has(key)) continue;
      if (hide === null) {
        throw new PgLuthierError({
          code: 'hide_unsupported',
          status: 422,
          message: 'This version of HypoPG cannot hide an index.',
          remedy: 'HypoPG 1.4 can, and so can the twin.',
        });
      }
      await this.#session.query(`SELECT ${hide}($1::oid)`, [oid]);
      this.#hidden.add(key);
    }
    for (const key of this.#hidden) {
      if (wanted.has(key)) continue;
      await this.#session.query(`SELECT ${unhide}($1::oid)`, [this.#existing.get(key)]);
      this.#hidden.delete(key);
    }
  }

  /** Settings as the statement's own sessions have them, under those of the question; only what differs is set. */
  async #plannedAs(role: string | null): Promise<void> {
    const wanted = { ...sessionSettings(this.#snapshot, role), ...this.#asked };
    for (const name of Object.keys(this.#settings)) {
      if (name in wanted) continue;
      await this.#session.query(`RESET ${name.split('.').map(quoteIdentifier).join('.')}`);
      delete this.#settings[name];
    }
    for (const [name, value] of Object.entries(wanted)) {
      if (this.#settings[name] === value) continue;
      try {
        await this.#session.query('SELECT pg_catalog.set_config($1, $2, false)', [name, value]);
      } catch (error) {
        if (!(error instanceof TargetQueryError) || !SETTING_REFUSED.has(error.sqlstate)) throw error;
        if (name in this.#asked) throw unknown('setting_refused', `${name} = ${value}: ${error.message}`);
        this.#say(name, error.message);
      }
      this.#settings[name] = value;
    }
  }

  #say(name: string, reason: string): void {
    const code = 'setting_not_copied';
    if (this.#limits.some((limit) => limit.code === code && limit.message.includes(` ${name} `))) return;
    const message = `The planner setting ${name} could not be set in our session: ${reason}`;
    this.#limits.push({ scope: 'hypopg', code, message, remedy: null });
  }
}

function unknown(code: string, message: string): PgLuthierError {
  return new PgLuthierError({ code, status: 422, message });
}
