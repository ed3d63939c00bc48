/** Questions to the twin's planner: candidates made once, switched by pg_index.indisvalid, plans asked by EXPLAIN. */
import { join } from 'node:path';
import pg from 'pg';
import {
  type Configuration,
  type IndexDefinition,
  type IndexSize,
  type Limit,
  PgLuthierError,
  type PlanCost,
  type PlannableStatement,
  quoteIdentifier,
  quoteQualified,
  renderIndexDefinition,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { describeExpressions } from './expression-statistics.ts';
import { extendRelation, raiseBtree } from './pages.ts';

/** A statement whose planning takes longer is given up, in ms. */
const PLANNING_TIMEOUT_MS = 15_000;

interface TwinParts {
  adminDsn: string;
  plannerDsn: string;
  snapshot: Snapshot;
  limits: Limit[];
}

interface Candidate {
  oid: number;
  handle: string;
}

interface PlanNode {
  'Total Cost'?: number;
  'Plan Rows'?: number;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

export class Twin implements WhatIf {
  readonly engine = 'twin' as const;
  readonly server_version: string;
  readonly limits: readonly Limit[];
  questions = 0;
  readonly #server: EmbeddedServer;
  readonly #admin: pg.Client;
  readonly #planner: pg.Client;
  /** Candidates by their handle, and by the name that plans call them. */
  readonly #candidates = new Map<string, Candidate>();
  /** Existing valid indexes by `schema.name`, with their OID here. */
  readonly #existing: Map<string, number>;
  /** What plans call an existing index, to `schema.name`. */
  readonly #existingByName: Map<string, string>;
  /** OIDs that are switched on right now, of those that may be switched. */
  readonly #on: Set<number>;
  #settings: Record<string, string> = {};
  readonly #snapshot: Snapshot;

  private constructor(
    server: EmbeddedServer,
    admin: pg.Client,
    planner: pg.Client,
    snapshot: Snapshot,
    limits: Limit[],
    existing: { oid: number; key: string; name: string }[],
  ) {
    this.#server = server;
    this.#admin = admin;
    this.#planner = planner;
    this.#snapshot = snapshot;
    this.server_version = server.version;
    this.limits = limits;
    this.#existing = new Map(existing.map((row) => [row.key, row.oid]));
    this.#existingByName = new Map(existing.map((row) => [row.name, row.key]));
    this.#on = new Set(existing.map((row) => row.oid));
  }

  static async open(server: EmbeddedServer, parts: TwinParts): Promise<Twin> {
    const admin = await connect(parts.adminDsn);
    const planner = await connect(parts.plannerDsn);
    await admin.query("SET search_path = pg_catalog; SET client_min_messages = 'error'");
    await planner.query(
      `SET default_transaction_read_only = on; SET statement_timeout = ${PLANNING_TIMEOUT_MS}; SET client_min_messages = 'error'`,
    );
    const { rows } = await admin.query<{ oid: number; key: string; name: string }>(
      `SELECT i.indexrelid::int4 AS oid, n.nspname || '.' || c.relname AS key, c.relname AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
    );
    return new Twin(server, admin, planner, parts.snapshot, parts.limits, rows);
  }

  async addIndex(definition: IndexDefinition, size: IndexSize): Promise<string> {
    const name = `pgluthier_candidate_${this.#candidates.size + 1}`;
    let made: { oid: number; path: string } | undefined;
    try {
      await this.#admin.query(renderIndexDefinition({ ...definition, name }));
      const { rows } = await this.#admin.query<{ oid: number; path: string }>(
        'SELECT $1::regclass::oid::int4 AS oid, pg_relation_filepath($1::regclass) AS path',
        [quoteQualified(definition.schema, name)],
      );
      made = rows[0];
    } catch (cause) {
      throw new PgLuthierError({
        code: 'candidate_refused',
        status: 422,
        message: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
    if (!made) throw new Error('an index that was made is not found');
    if (made.path !== null) {
      const path = join(this.#server.dataDirectory, made.path);
      if (definition.method === 'btree') await raiseBtree(path, size.tree_height ?? 0, size.pages);
      else await extendRelation(path, size.pages);
    }
    await this.#admin.query('UPDATE pg_class SET relpages = $2, reltuples = $3 WHERE oid = $1', [
      made.oid,
      size.pages,
      size.tuples,
    ]);
    await this.#restoreTable(definition);
    await describeExpressions(this.#admin, this.#planner, this.#snapshot, definition, made.oid);
    await this.#admin.query('UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1', [made.oid]);
    this.#candidates.set(name, { oid: made.oid, handle: name });
    return name;
  }

  /** CREATE INDEX counts the table's rows and writes what it found, none, into pg_class (before 18 even with autovacuum off). */
  async #restoreTable({ schema, table }: IndexDefinition): Promise<void> {
    const row = this.#snapshot.tables.find((item) => item.schema === schema && item.name === table);
    if (!row) return;
    await this.#admin.query(
      'UPDATE pg_class SET relpages = $2, reltuples = $3, relallvisible = $4 WHERE oid = $1::regclass',
      [quoteQualified(schema, table), row.relpages, row.reltuples, row.relallvisible],
    );
  }

  async costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]> {
    await this.#switchTo(configuration);
    const results: PlanCost[] = [];
    for (const statement of statements) results.push(await this.#cost(statement));
    return results;
  }

  async explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown> {
    await this.#switchTo(configuration);
    this.questions += 1;
    return this.#plan(statement);
  }

  async close(): Promise<void> {
    await this.#planner.end().catch(() => {});
    await this.#admin.end().catch(() => {});
    await this.#server.stop('immediate');
  }

  async #cost(statement: PlannableStatement): Promise<PlanCost> {
    this.questions += 1;
    try {
      const plan = await this.#plan(statement);
      const root = plan[0]?.Plan;
      if (root?.['Total Cost'] === undefined) throw new Error('EXPLAIN gave no plan');
      return {
        statement_id: statement.id,
        cost: root['Total Cost'],
        rows: root['Plan Rows'] ?? null,
        indexes: [...new Set(indexNames(root))].map((name) =>
          this.#candidates.has(name) ? name : (this.#existingByName.get(name) ?? name),
        ),
        error: null,
      };
    } catch (error) {
      return {
        statement_id: statement.id,
        cost: null,
        rows: null,
        indexes: [],
        error: error instanceof Error ? error.message : String(error),
      };
    }
  }

  /** The extended protocol takes one statement only: a text with a second one hidden in it is refused. */
  async #plan(statement: PlannableStatement): Promise<{ Plan: PlanNode }[]> {
    const { rows } = await this.#planner.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>({
      text: `EXPLAIN (FORMAT JSON) ${statement.sql}`,
      queryMode: 'extended',
    } as pg.QueryConfig);
    return rows[0]?.['QUERY PLAN'] ?? [];
  }

  /** Switches only what differs: a planner reads pg_index anew when a row of it changes. */
  async #switchTo(configuration: Configuration): Promise<void> {
    const wanted = new Set<number>();
    for (const handle of configuration.created) {
      const candidate = this.#candidates.get(handle);
      if (!candidate) throw new Error(`no candidate ${handle}`);
      wanted.add(candidate.oid);
    }
    const hidden = new Set(configuration.hidden);
    for (const [key, oid] of this.#existing) if (!hidden.has(key)) wanted.add(oid);
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
    for (const name of Object.keys(this.#settings)) {
      if (!(name in settings)) await this.#planner.query(`RESET ${quoteIdentifier(name)}`);
    }
    for (const [name, value] of Object.entries(settings)) {
      if (this.#settings[name] !== value) {
        await this.#planner.query('SELECT set_config($1, $2, false)', [name, value]);
      }
    }
    this.#settings = { ...settings };
  }
}

async function connect(dsn: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: dsn, application_name: 'pgluthier:twin' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

function indexNames(node: PlanNode): string[] {
  return [...(node['Index Name'] ? [node['Index Name']] : []), ...(node.Plans ?? []).flatMap(indexNames)];
}
