/** Foreign keys as somebody wrote them: the server makes copies for partitions on both sides. */
import type { SchemaFacts, Snapshot } from '../../domain/index.ts';

export type ForeignKey = SchemaFacts['constraints'][number] & { referenced_oid: number };

/** Without those of partitions and those to partitions of a table that the same key refers to. */
export function writtenForeignKeys(snapshot: Snapshot): ForeignKey[] {
  const tables = new Map(snapshot.tables.map((table) => [table.oid, table]));
  const keys = snapshot.schema.constraints.filter(
    (each): each is ForeignKey => each.type === 'f' && each.referenced_oid !== null,
  );
  const columnsOf = (key: ForeignKey) => JSON.stringify([key.table_oid, key.columns]);
  const targets = new Map<string, Set<number>>();
  for (const key of keys) {
    targets.set(columnsOf(key), (targets.get(columnsOf(key)) ?? new Set()).add(key.referenced_oid));
  }
  return keys.filter((key) => {
    if (tables.get(key.table_oid)?.is_partition) return false;
    const parent = tables.get(key.referenced_oid);
    const copied = parent?.is_partition && parent.parent_oid !== null;
    return !(copied && targets.get(columnsOf(key))?.has(parent.parent_oid ?? 0));
  });
}
