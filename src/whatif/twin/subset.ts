/** Of a database with thousands of tables, those that the statements can touch: the others need not be rebuilt. */
import type { SchemaFacts, Snapshot } from '../../domain/index.ts';

/** Up to so many tables all are rebuilt: that takes seconds at most. */
const ALL_TABLES_UP_TO = 500;

/**
 * The snapshot without the tables that no statement can touch. Whatever bears a name that occurs anywhere in the
 * statements, or in the views, functions and policies that these may come to, is kept: too many rather than too few.
 * With a table come the tree of partitions or children that it is part of, and those whose foreign keys point to it.
 */
export function withNeededTables(snapshot: Snapshot, statements: readonly string[]): Snapshot {
  if (snapshot.tables.length <= ALL_TABLES_UP_TO) return snapshot;
  const { schema } = snapshot;
  const occurs = nameFinder([
    ...statements,
    ...schema.views.map((view) => view.definition),
    ...schema.functions.map((item) => item.definition),
    ...(schema.policies ?? []).flatMap((item) => [item.using_expression ?? '', item.check_expression ?? '']),
    // A column or an attribute may be of a table's row type.
    ...new Set(snapshot.columns.map((column) => column.type)),
    ...schema.composite_types.flatMap((item) => item.attributes.map(({ type }) => type)),
  ]);
  const needed = new Set(snapshot.tables.filter((table) => occurs(table.name)).map((table) => table.oid));
  addRelatives(needed, schema);
  const own = <T extends { table_oid: number }>(rows: readonly T[]): T[] =>
    rows.filter((row) => needed.has(row.table_oid));
  return {
    ...snapshot,
    tables: snapshot.tables.filter((table) => needed.has(table.oid)),
    indexes: own(snapshot.indexes),
    columns: own(snapshot.columns),
    schema: {
      ...schema,
      constraints: own(schema.constraints),
      partition_keys: own(schema.partition_keys),
      partition_bounds: own(schema.partition_bounds),
      inherits: own(schema.inherits),
      extended_statistics: own(schema.extended_statistics),
    },
  };
}

/** Whole trees of partitions and children, then the tables that refer to one of them. */
function addRelatives(needed: Set<number>, schema: SchemaFacts): void {
  const neighbours = new Map<number, number[]>();
  const join = (a: number, b: number) => {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
  };
  for (const { table_oid, parent_oid } of [...schema.partition_bounds, ...schema.inherits]) {
    join(table_oid, parent_oid);
    join(parent_oid, table_oid);
  }
  const spread = () => {
    const open = [...needed];
    for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
      for (const next of neighbours.get(oid) ?? []) {
        if (needed.has(next)) continue;
        needed.add(next);
        open.push(next);
      }
    }
  };
  spread();
  const referring = schema.constraints.filter(
    (item) => item.referenced_oid !== null && needed.has(item.referenced_oid),
  );
  for (const item of referring) needed.add(item.table_oid);
  spread();
}

/**
 * Whether a name occurs in any of the texts, however it is written there: in any case, quoted or not. Names of letters,
 * digits and underscores are looked up among the texts' words.
 */
function nameFinder(texts: readonly string[]): (name: string) => boolean {
  const words = new Set<string>();
  for (const text of texts) {
    for (const word of text.toLowerCase().split(/[^\p{L}\p{N}_$]+/u)) words.add(word);
  }
  let whole: string | null = null;
  return (name) => {
    const lower = name.toLowerCase();
    if (/^[\p{L}\p{N}_$]+$/u.test(lower)) return words.has(lower);
    whole ??= texts.join('\n').toLowerCase();
    return whole.includes(lower) || whole.includes(lower.replaceAll('"', '""'));
  };
}
