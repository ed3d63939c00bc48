/** What the metapages of existing GIN indexes say, which no view shows: reckoned from statistics and the real length. */
import type { GinShape, IndexDefinition, IndexRow, Snapshot } from '../../domain/index.ts';
import { type AdvisorCatalog, advisorCatalog } from './catalog.ts';
import { ginBuildOn } from './gin-build.ts';
import { indexSize } from './size-model.ts';

/** By the index's OID; only those over columns whose statistics tell what is in them. */
export function existingGinShapes(snapshot: Snapshot): Map<number, GinShape> {
  const catalog = advisorCatalog(snapshot);
  const shapes = new Map<number, GinShape>();
  for (const index of snapshot.indexes) {
    const shape = index.method === 'gin' && index.main_pages > 1 ? shapeOf(index, catalog, snapshot) : null;
    if (shape) shapes.set(index.oid, shape);
  }
  return shapes;
}

function shapeOf(index: IndexRow, catalog: AdvisorCatalog, snapshot: Snapshot): GinShape | null {
  const table = catalog.tables.get(index.table_oid);
  if (!table) return null;
  const byAttnum = new Map([...table.columns.values()].map((column) => [column.attnum, column]));
  const keys: IndexDefinition['keys'] = [];
  for (const [position, attnum] of index.key_attnums.entries()) {
    const column = byAttnum.get(attnum);
    if (!column?.stats) return null;
    keys.push({
      column: column.name,
      expression: null,
      opclass: index.opclasses[position] ?? null,
      collation: null,
      direction: 'asc',
      nulls: null,
    });
  }
  const rows = table.row.reltuples;
  const selectivity = index.predicate === null || rows <= 0 ? 1 : Math.min(1, index.reltuples / rows);
  const { schema, name, predicate, reloptions } = index;
  const definition: IndexDefinition = {
    schema,
    table: index.table,
    name,
    method: 'gin',
    unique: false,
    keys,
    include: [],
    where: predicate,
    options: reloptions,
  };
  const { gin } = indexSize({
    definition,
    table,
    selectivity,
    gin_build: ginBuildOn(snapshot, table.row.main_pages),
  });
  if (!gin) return null;
  // The length is known: the parts are given their share of it.
  const scale = (index.main_pages - 1) / (gin.entry_pages + gin.data_pages);
  const entry_pages = Math.max(1, Math.round(gin.entry_pages * scale));
  return { entry_pages, data_pages: Math.max(0, index.main_pages - 1 - entry_pages), entries: gin.entries };
}
