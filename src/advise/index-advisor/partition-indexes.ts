/** The indexes of a partitioned table's tree, each under a name of its own. */
import type { IndexDefinition, PartitionIndex, Snapshot, TableRow } from '../../domain/index.ts';
import { indexName, schemaNames } from './naming.ts';

/** Parents before their children; empty for a table that is not partitioned. */
export function partitionIndexes(
  definition: IndexDefinition,
  table: TableRow,
  snapshot: Snapshot,
): PartitionIndex[] {
  const found: PartitionIndex[] = [];
  const below = (parent: TableRow, parentName: string) => {
    const children = snapshot.tables.filter((row) => row.is_partition && row.parent_oid === parent.oid);
    for (const child of children) {
      const { name: _name, ...bare } = definition;
      const name = indexName(
        { ...bare, schema: child.schema, table: child.name },
        schemaNames(snapshot, child.schema),
      );
      const leaf = child.relkind !== 'p';
      found.push({
        schema: child.schema,
        table: child.name,
        name,
        parent_schema: parent.schema,
        parent_name: parentName,
        leaf,
      });
      if (!leaf) below(child, name);
    }
  };
  if (table.relkind === 'p') below(table, definition.name);
  return found;
}
