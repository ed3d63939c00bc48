/** Definitions of indexes as the advisor and the planners take them. */
import type { IndexDefinition } from '../../src/domain/index.ts';

/** A plain ascending B-tree of these columns in `public`, and what of it is otherwise. */
export function btree(
  table: string,
  columns: readonly string[],
  otherwise: Partial<IndexDefinition> = {},
): IndexDefinition {
  return {
    schema: 'public',
    table,
    name: 'x',
    method: 'btree',
    unique: false,
    keys: columns.map((column) => ({
      column,
      expression: null,
      opclass: null,
      collation: null,
      direction: 'asc',
      nulls: null,
    })),
    include: [],
    where: null,
    options: {},
    ...otherwise,
  };
}
