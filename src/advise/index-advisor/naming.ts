/** Names of proposed indexes, and the text that makes two definitions the same. */
import { createHash } from 'node:crypto';
import {
  type IndexDefinition,
  type IndexKey,
  MAX_IDENTIFIER_BYTES,
  renderIndexDefinition,
  type Snapshot,
} from '../../domain/index.ts';

/** The definition without its name: the same index has the same text, on every night. */
export function normalisedDefinition(definition: IndexDefinition): string {
  const rendered = renderIndexDefinition({ ...definition, name: 'x' });
  return rendered.replace(/^CREATE (UNIQUE )?INDEX x ON /, '$1');
}

/** Cuts at a character's end. */
function cut(text: string, bytes: number): string {
  let result = text;
  while (Buffer.byteLength(result) > bytes) result = result.slice(0, -1);
  return result;
}

/** Names in a schema that an index's could meet. */
export interface SchemaNames {
  /** Tables, indexes: relations share one space of names. */
  taken: ReadonlySet<string>;
  /** Columns of its tables, by the table's name. */
  columns: ReadonlyMap<string, ReadonlySet<string>>;
}

const known = new WeakMap<Snapshot, Map<string, SchemaNames>>();

/** Worked out once a snapshot. */
export function schemaNames(snapshot: Snapshot, schema: string): SchemaNames {
  let all = known.get(snapshot);
  if (!all) {
    all = allNames(snapshot);
    known.set(snapshot, all);
  }
  return all.get(schema) ?? { taken: new Set(), columns: new Map() };
}

function allNames(snapshot: Snapshot): Map<string, SchemaNames> {
  const all = new Map<string, { taken: Set<string>; columns: Map<string, Set<string>> }>();
  const of = (schema: string) => {
    const names = all.get(schema) ?? { taken: new Set(), columns: new Map() };
    all.set(schema, names);
    return names;
  };
  const byOid = new Map<number, Set<string>>();
  for (const { oid, schema, name } of snapshot.tables) {
    const columns = new Set<string>();
    byOid.set(oid, columns);
    of(schema).columns.set(name, columns);
    of(schema).taken.add(name);
  }
  for (const { table_oid, name } of snapshot.columns) byOid.get(table_oid)?.add(name);
  for (const { schema, name } of snapshot.indexes) of(schema).taken.add(name);
  return all;
}

/**
 * `table_column_column_idx` as PostgreSQL itself would name it, with a word for what is special. Where that does not
 * tell it from every other index that could be proposed, or is taken or too long, a hash of the definition does: the
 * name depends on the definition and the schema only, never on what else is proposed.
 */
export function indexName(definition: Omit<IndexDefinition, 'name'>, names: SchemaNames): string {
  const words = definition.keys.map((key) => key.column ?? 'expr');
  const special = [
    definition.method === 'btree' ? '' : definition.method,
    definition.where === null ? '' : 'partial',
    definition.include.length > 0 ? 'incl' : '',
  ].filter(Boolean);
  const plain = [definition.table, ...words, ...special, 'idx'].join('_');
  const isPlain =
    special.length === 0 && Object.keys(definition.options).length === 0 && definition.keys.every(isPlainKey);
  const needsHash =
    !isPlain ||
    names.taken.has(plain) ||
    Buffer.byteLength(plain) > MAX_IDENTIFIER_BYTES ||
    isAmbiguous(definition.table, [definition.table, ...words].join('_'), names);
  if (!needsHash) return plain;
  const hash = createHash('sha256')
    .update(normalisedDefinition({ ...definition, name: 'x' }))
    .digest('hex')
    .slice(0, 6);
  const suffix = `_${hash}_idx`;
  return cut(plain.replace(/_idx$/, ''), MAX_IDENTIFIER_BYTES - suffix.length) + suffix;
}

/** Its column alone says what it is. */
function isPlainKey(key: IndexKey): boolean {
  const { column, opclass, collation, direction, nulls } = key;
  const isAscending = direction === 'asc' && (nulls === null || nulls === 'last');
  return column !== null && opclass === null && collation === null && isAscending;
}

/** Another table's columns could make the same name: `a (b_c)` and `a_b (c)`; or others of its own: `(b_c)` and `(b, c)`. */
function isAmbiguous(table: string, stem: string, { columns }: SchemaNames): boolean {
  let readings = 0;
  for (let place = stem.indexOf('_'); place !== -1; place = stem.indexOf('_', place + 1)) {
    const own = columns.get(stem.slice(0, place));
    if (own) readings += readingsOf(stem.slice(place + 1), own);
  }
  // Without the table's columns at hand, its own reading is not among them.
  return readings > (columns.has(table) ? 1 : 0);
}

/** In how many ways the text is names of columns with underscores between them; counted up to 2. */
function readingsOf(text: string, columns: ReadonlySet<string>): number {
  let readings = columns.has(text) ? 1 : 0;
  for (let place = text.indexOf('_'); place !== -1 && readings < 2; place = text.indexOf('_', place + 1)) {
    if (columns.has(text.slice(0, place))) readings += readingsOf(text.slice(place + 1), columns);
  }
  return readings;
}
