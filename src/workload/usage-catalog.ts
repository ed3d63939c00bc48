/** A snapshot's tables, columns and views in the form that name resolution asks for. */
import type { ColumnRow, IndexRow, Snapshot } from '../domain/index.ts';
import { isComment, loadGrammar, scanTokens } from './parser.ts';

/** A table, materialised view or foreign table with its columns by name, in their order. */
export interface CatalogTable {
  oid: number;
  schema: string;
  name: string;
  reltuples: number;
  columns: ReadonlyMap<string, ColumnRow>;
  indexes: readonly IndexRow[];
}

/** A view's definition as pg_get_viewdef gave it. */
export interface CatalogView {
  schema: string;
  name: string;
  definition: string;
}

/** What a relation's name stands for. */
export type CatalogRelation = ({ table: CatalogTable } | { view: CatalogView }) & {
  /** Not on the search path, but the only one of its name: taken with a note. */
  off_path: boolean;
};

/** Names → tables and views of one snapshot. Build it once with `usageCatalog` and use it for all statements. */
export class UsageCatalog {
  /** Schemas that unqualified names are looked up in, in order. */
  readonly search_path: readonly string[];
  /** default_text_search_config, e.g. `pg_catalog.english`; null: not known. */
  readonly text_search_config: string | null;
  private readonly bySchema = new Map<string, Map<string, CatalogRelation>>();
  private readonly byName = new Map<string, CatalogRelation[]>();
  private readonly byOid = new Map<number, CatalogTable>();

  constructor(snapshot: Snapshot, searchPath: readonly string[]) {
    this.search_path = searchPath;
    this.text_search_config = currentSetting(snapshot, 'default_text_search_config');
    const columns = byTable([...snapshot.columns].sort((a, b) => a.attnum - b.attnum));
    const indexes = byTable(snapshot.indexes);
    for (const row of snapshot.tables) {
      if (row.relkind === 't') continue;
      const table: CatalogTable = {
        oid: row.oid,
        schema: row.schema,
        name: row.name,
        reltuples: row.reltuples,
        columns: new Map((columns.get(row.oid) ?? []).map((column) => [column.name, column])),
        indexes: indexes.get(row.oid) ?? [],
      };
      this.byOid.set(row.oid, table);
      this.add(row.schema, row.name, { table, off_path: false });
    }
    for (const view of snapshot.schema.views) this.add(view.schema, view.name, { view, off_path: false });
  }

  private add(schema: string, name: string, relation: CatalogRelation): void {
    const names = this.bySchema.get(schema) ?? new Map<string, CatalogRelation>();
    names.set(name, relation);
    this.bySchema.set(schema, names);
    const namesakes = this.byName.get(name);
    if (namesakes === undefined) this.byName.set(name, [relation]);
    else namesakes.push(relation);
  }

  /** The table of an OID, or undefined. */
  table(oid: number): CatalogTable | undefined {
    return this.byOid.get(oid);
  }

  /** Some name is that of tables or views in more than one schema. */
  get hasNamesakes(): boolean {
    for (const namesakes of this.byName.values()) if (namesakes.length > 1) return true;
    return false;
  }

  /** Schemas that have a table or view of this name. */
  schemasOf(name: string): string[] {
    return (this.byName.get(name) ?? []).map((each) =>
      'table' in each ? each.table.schema : each.view.schema,
    );
  }

  /** First schema of a search path that has a table or view of this name; null: none. */
  schemaOf(name: string, searchPath: readonly string[]): string | null {
    return searchPath.find((schema) => this.bySchema.get(schema)?.has(name) === true) ?? null;
  }

  /**
   * What `schema.name`, or `name` on `searchPath`, stands for. A name that no schema of the path has, but exactly one
   * other schema, is taken as that one (applications set their own search_path) and marked `off_path`.
   */
  resolve(schema: string | undefined, name: string, searchPath: readonly string[]): CatalogRelation | null {
    if (schema !== undefined) return this.bySchema.get(schema)?.get(name) ?? null;
    for (const each of searchPath) {
      const found = this.bySchema.get(each)?.get(name);
      if (found !== undefined) return found;
    }
    const [only, ...more] = this.byName.get(name) ?? [];
    return only !== undefined && more.length === 0 ? { ...only, off_path: true } : null;
  }
}

function byTable<T extends { table_oid: number }>(rows: readonly T[]): Map<number, T[]> {
  const tables = new Map<number, T[]>();
  for (const row of rows) {
    const list = tables.get(row.table_oid);
    if (list === undefined) tables.set(row.table_oid, [row]);
    else list.push(row);
  }
  return tables;
}

/**
 * A setting as sessions of this database get it: the override of role and database, of the role, of the database,
 * else the server's value (the order of PostgreSQL's process_settings). `reset_val` rather than the current value,
 * which the collecting session may have changed for itself.
 */
function currentSetting(snapshot: Snapshot, name: string, user: string | null = null): string | null {
  const own = snapshot.setting_overrides.filter(
    (each) =>
      each.name === name &&
      (each.role === null || each.role === user) &&
      (each.database === null || each.database === snapshot.server.database),
  );
  const rank = (each: (typeof own)[number]) =>
    (each.role === null ? 0 : 2) + (each.database === null ? 0 : 1);
  const [override] = own.sort((a, b) => rank(b) - rank(a));
  if (override !== undefined) return override.value;
  const row = snapshot.settings.find((each) => each.name === name);
  return row?.reset_val ?? row?.setting ?? null;
}

/**
 * Schemas of a search_path setting, e.g. `"$user", public`. `$user` becomes the user's own schema where a user is
 * given, and is left out otherwise. Needs `loadGrammar()` first.
 */
function schemasOfSearchPath(setting: string, user: string | null): string[] {
  const schemas: string[] = [];
  for (const token of scanTokens(setting) ?? []) {
    if (isComment(token) || token.text === ',') continue;
    const quoted = token.text.startsWith('"') || token.text.startsWith("'");
    const quote = token.text.slice(0, 1);
    const name = quoted ? token.text.slice(1, -1).replaceAll(quote + quote, quote) : token.text.toLowerCase();
    if (name === '$user') {
      if (user !== null) schemas.push(user);
    } else if (name !== '') schemas.push(name);
  }
  return schemas;
}

const DEFAULT_SEARCH_PATH = '"$user", public';

/**
 * Schemas that a user's sessions look unqualified names up in, as far as settings of role and database tell; what
 * sessions set for themselves is not seen. Needs `loadGrammar()` first.
 */
export function searchPathOf(snapshot: Snapshot, user: string | null): string[] {
  return schemasOfSearchPath(currentSetting(snapshot, 'search_path', user) ?? DEFAULT_SEARCH_PATH, user);
}

/** The catalog of a snapshot, for `statementUsage` and `sampleStatements`. */
export async function usageCatalog(snapshot: Snapshot): Promise<UsageCatalog> {
  await loadGrammar();
  return new UsageCatalog(snapshot, searchPathOf(snapshot, null));
}
