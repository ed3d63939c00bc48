/**
 * Which share of a scan's rows passes its filter. A plan tells how many rows pass, not how many an index's condition
 * or predicate left before: the planner is asked how many of the table's rows the filter by itself passes, which is
 * what it multiplies with. Each filter once.
 */
import { quoteIdentifier, quoteQualified, type Snapshot } from '../domain/index.ts';
import { limitedScans } from './early-end.ts';
import type { Plan, PlanNode } from './plan.ts';

export interface Asking {
  /** Who plans: policies of row-level security are among the conditions of both questions, and cancel out. */
  role: string | null;
  /** What the plans call an index, to its handle or `schema.name`. */
  nameOf: (name: string) => string;
  /** The plan of a statement; null: the server refuses it. */
  plan: (sql: string) => Promise<readonly Plan[] | null>;
}

export class FilterShares {
  /** Schemas that have a table of the name. */
  readonly #schemas = new Map<string, Set<string>>();
  /** The schema of an index, by its handle or `schema.name`. */
  readonly #schemaOf = new Map<string, string>();
  readonly #rows = new Map<string, Promise<number | null>>();

  constructor({ tables, indexes }: Pick<Snapshot, 'tables' | 'indexes'>) {
    for (const { schema, name } of tables) {
      this.#schemas.set(name, (this.#schemas.get(name) ?? new Set()).add(schema));
    }
    for (const { schema, name } of indexes) this.#schemaOf.set(`${schema}.${name}`, schema);
  }

  /** Makes a candidate known. */
  add(handle: string, schema: string): void {
    this.#schemaOf.set(handle, schema);
  }

  /** For the plan's scans that filter what a LIMIT ends, the share that passes, 0..1; where it cannot be told 0, of a scan without an index 1. */
  async of([planned]: readonly Plan[], asking: Asking): Promise<(scan: PlanNode) => number> {
    const shares = new Map<PlanNode, number>();
    for (const scan of planned?.Plan === undefined ? [] : limitedScans(planned.Plan)) {
      shares.set(scan, await this.#shareOf(scan, asking));
    }
    return (scan) => shares.get(scan) ?? 0;
  }

  async #shareOf(scan: PlanNode, asking: Asking): Promise<number> {
    const table = this.#tableOf(scan, asking);
    // Nothing names the schema of a table that is read in its own order: of several alike none is charged.
    if (table === null) return scan['Index Name'] === undefined ? 1 : 0;
    const all = await this.#rowsOf(table, asking);
    if (all === null) return 0;
    // A filter that refers to another part of the plan (a subplan, an outer row) is no statement by itself. Of all rows
    // of the table no more pass than of those that the index's condition leaves; of one worker's, fewer.
    const pass = (await this.#rowsOf(`${table} WHERE ${scan.Filter}`, asking)) ?? scan['Plan Rows'] ?? 0;
    return Math.min(1, pass / Math.max(1, all));
  }

  /** As FROM has it, under the alias by which the filter may name its columns. */
  #tableOf(scan: PlanNode, { nameOf }: Asking): string | null {
    const { 'Relation Name': name, 'Index Name': index = '', Alias: alias = name } = scan;
    if (name === undefined || alias === undefined) return null;
    const schemas = this.#schemas.get(name);
    // A partition may lie in another schema than the index on its parent.
    const own = this.#schemaOf.get(nameOf(index)) ?? '';
    const schema = schemas?.has(own) ? own : schemas?.size === 1 ? [...schemas][0] : undefined;
    return schema === undefined ? null : `${quoteQualified(schema, name)} AS ${quoteIdentifier(alias)}`;
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
