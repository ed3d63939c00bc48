/**
 * Which share of a scan's rows passes its filter. A plan tells how many rows pass, not how many an index's condition
 * or predicate left before: the planner is asked how many of the table's rows the filter by itself passes, which is
 * what it multiplies with. Each filter once.
 */
import { type IndexDefinition, quoteIdentifier, quoteQualified, type Snapshot } from '../domain/index.ts';
import { limitedScans, recheckedScans } from './early-end.ts';
import type { Plan, PlanNode } from './plan.ts';

export interface Asking {
  /** Who plans: policies of row-level security are among the conditions of both questions, and cancel out. */
  role: string | null;
  /** What the plans call an index, to its handle or `schema.name`. */
  nameOf: (name: string) => string;
  /** The plan of a statement; null: the server refuses it. */
  plan: (sql: string) => Promise<readonly Plan[] | null>;
}

interface KnownIndex {
  schema: string;
  /** Of a partial index. */
  predicate: string | null;
}

export class FilterShares {
  /** Schemas that have a table of the name. */
  readonly #schemas = new Map<string, Set<string>>();
  /** Indexes by their handle or `schema.name`. */
  readonly #indexes = new Map<string, KnownIndex>();
  readonly #rows = new Map<string, Promise<number | null>>();

  constructor({ tables, indexes }: Pick<Snapshot, 'tables' | 'indexes'>) {
    for (const { schema, name } of tables) {
      this.#schemas.set(name, (this.#schemas.get(name) ?? new Set()).add(schema));
    }
    for (const { schema, name, predicate } of indexes) {
      this.#indexes.set(`${schema}.${name}`, { schema, predicate });
    }
  }

  /** Makes a candidate known. */
  add(handle: string, { schema, where }: Pick<IndexDefinition, 'schema' | 'where'>): void {
    this.#indexes.set(handle, { schema, predicate: where });
  }

  /** For the plan's scans that filter what a LIMIT ends, the share that passes, 0..1; where it cannot be told 0, of a scan without an index 1. */
  async of([planned]: readonly Plan[], asking: Asking): Promise<(scan: PlanNode) => number> {
    const shares = new Map<PlanNode, number>();
    if (planned?.Plan !== undefined) {
      const rechecked = new Set(recheckedScans(planned.Plan));
      for (const scan of limitedScans(planned.Plan)) {
        shares.set(scan, await this.#shareOf(scan, rechecked.has(scan), asking));
      }
    }
    return (scan) => shares.get(scan) ?? 0;
  }

  /** @param isRechecked its filter has the predicate of a partial index in it, which drops none of that index's rows. */
  async #shareOf(scan: PlanNode, isRechecked: boolean, asking: Asking): Promise<number> {
    const table = this.#tableOf(scan, asking);
    // Nothing names the schema of a table that is read in its own order: of several alike none is charged.
    if (table === null) return scan['Index Name'] === undefined ? 1 : 0;
    const predicate = isRechecked ? (this.#indexOf(scan, asking)?.predicate ?? null) : null;
    const all = await this.#rowsOf(predicate === null ? table : `${table} WHERE ${predicate}`, asking);
    if (all === null) return 0;
    // A filter that refers to another part of the plan (a subplan, an outer row) is no statement by itself. Of all rows
    // of the table no more pass than of those that the index's condition leaves; of one worker's, fewer.
    const pass = (await this.#rowsOf(`${table} WHERE ${scan.Filter}`, asking)) ?? scan['Plan Rows'] ?? 0;
    return Math.min(1, pass / Math.max(1, all));
  }

  /** As FROM has it, under the alias by which the filter may name its columns. */
  #tableOf(scan: PlanNode, asking: Asking): string | null {
    const { 'Relation Name': name, Alias: alias = name } = scan;
    if (name === undefined || alias === undefined) return null;
    const schemas = this.#schemas.get(name);
    // A partition may lie in another schema than the index on its parent.
    const own = this.#indexOf(scan, asking)?.schema ?? '';
    const schema = schemas?.has(own) ? own : schemas?.size === 1 ? [...schemas][0] : undefined;
    return schema === undefined ? null : `${quoteQualified(schema, name)} AS ${quoteIdentifier(alias)}`;
  }

  #indexOf({ 'Index Name': name = '' }: PlanNode, { nameOf }: Asking): KnownIndex | undefined {
    return this.#indexes.get(nameOf(name));
  }

  #rowsOf(source: string, { role, plan }: Asking): Promise<number | null> {
    const key = `${role ?? ''} ${source}`;
    const known = this.#rows.get(key);
    if (known) return known;
    const asked = plan(`SELECT FROM ONLY ${source}`).then((plans) => plans?.[0]?.Plan?.['Plan Rows'] ?? null);
    this.#rows.set(key, asked);
    return asked;
  }
}
