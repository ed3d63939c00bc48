/** Relations of the twin as they came out, and their sizes as the target has them. */
import { join } from 'node:path';
import type pg from 'pg';
import {
  type ColumnRow,
  type GinShape,
  type IndexRow,
  quoteQualified,
  type Snapshot,
} from '../../domain/index.ts';
import { writeGinMetapage } from './gin-pages.ts';
import { assertSparseFiles, estimateBtreeLevel, extendRelation, raiseBtree } from './pages.ts';

/** A relation of the twin; its key everywhere is `quoteQualified(schema, name)`, which is unique. */
export interface TwinRelation {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  /** Relative to the data directory; null: no storage. */
  path: string | null;
}

export type TwinRelations = Map<string, TwinRelation>;

/** All relations of users' schemas. */
export async function listRelations(client: pg.Client): Promise<TwinRelations> {
  const { rows } = await client.query<TwinRelation>(
    `SELECT c.oid::int4 AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS relkind,
            CASE WHEN c.relkind IN ('r', 'i', 'm') THEN pg_relation_filepath(c.oid) END AS path
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  return new Map(rows.map((row) => [quoteQualified(row.schema, row.name), row]));
}

/** What the planner last learned of each relation's size, and which indexes are valid. */
export async function writeSizes(
  client: pg.Client,
  relations: TwinRelations,
  snapshot: Snapshot,
): Promise<void> {
  const rows = [
    ...snapshot.tables.map((row) => ({ ...row, allvisible: row.relallvisible })),
    ...snapshot.indexes.map((row) => ({ ...row, allvisible: 0 })),
  ].flatMap((row) => {
    const relation = relations.get(quoteQualified(row.schema, row.name));
    return relation ? [{ ...row, oid: relation.oid }] : [];
  });
  await client.query(
    `UPDATE pg_class SET relpages = given.pages, reltuples = given.tuples, relallvisible = given.visible
     FROM unnest($1::oid[], $2::int4[], $3::float4[], $4::int4[]) AS given (oid, pages, tuples, visible)
     WHERE pg_class.oid = given.oid`,
    [
      rows.map((row) => row.oid),
      rows.map((row) => row.relpages),
      rows.map((row) => row.reltuples),
      rows.map((row) => row.allvisible),
    ],
  );
  const indexes = snapshot.indexes.flatMap((index) => {
    const relation = relations.get(quoteQualified(index.schema, index.name));
    return relation ? [{ oid: relation.oid, valid: index.is_valid }] : [];
  });
  await client.query(
    `UPDATE pg_index SET indisvalid = given.valid FROM unnest($1::oid[], $2::bool[]) AS given (oid, valid)
     WHERE indexrelid = given.oid AND indisvalid <> given.valid`,
    [indexes.map((index) => index.oid), indexes.map((index) => index.valid)],
  );
}

/**
 * Every file as long as the target's, every B-tree as high. The server must be down.
 * @param ginShapes of existing GIN indexes, by the target's OID.
 * @throws PgLuthierError `twin_needs_sparse_files`.
 */
export async function shapeFiles(
  dataDirectory: string,
  snapshot: Snapshot,
  relations: TwinRelations,
  ginShapes: ReadonlyMap<number, GinShape>,
): Promise<void> {
  await assertSparseFiles(dataDirectory);
  const columns = new Map<string, ColumnRow>(
    snapshot.columns.map((column) => [`${column.table_oid}.${column.attnum}`, column]),
  );
  const shapes: (() => Promise<void>)[] = [];
  for (const table of snapshot.tables) {
    const relation = relations.get(quoteQualified(table.schema, table.name));
    if (!relation?.path) continue;
    const path = join(dataDirectory, relation.path);
    shapes.push(() => extendRelation(path, table.main_pages));
  }
  for (const index of snapshot.indexes) {
    const relation = relations.get(quoteQualified(index.schema, index.name));
    if (!relation?.path) continue;
    const path = join(dataDirectory, relation.path);
    const pages = index.main_pages;
    if (index.method === 'btree' && pages > 1) {
      const known = snapshot.schema.btree_levels[String(index.oid)];
      const level = known ?? estimateBtreeLevel(pages, indexKeyBytes(index, columns));
      shapes.push(() => raiseBtree(path, level, pages));
    } else shapes.push(() => extendRelation(path, pages));
    const gin = ginShapes.get(index.oid);
    if (gin && pages > 1) shapes.push(() => writeGinMetapage(path, gin, pages, path));
  }
  for (let start = 0; start < shapes.length; start += FILES_AT_ONCE) {
    await Promise.all(shapes.slice(start, start + FILES_AT_ONCE).map((shape) => shape()));
  }
}

/** Files that are shaped at a time. */
const FILES_AT_ONCE = 32;

/** Width of a key of which nothing is known, such as an expression, bytes. */
const UNKNOWN_WIDTH = 16;

function indexKeyBytes(index: IndexRow, columns: Map<string, ColumnRow>): number {
  return keyBytes(index.key_attnums.map((attnum) => columns.get(`${index.table_oid}.${attnum}`)));
}

/** Average width of a key over these columns; undefined stands for an expression. */
export function keyBytes(columns: readonly (ColumnRow | undefined)[]): number {
  return columns.reduce((sum, column) => {
    const fixed = column && column.typlen > 0 ? column.typlen : UNKNOWN_WIDTH;
    return sum + (column?.stats?.avg_width ?? fixed);
  }, 0);
}
