/** Making a candidate: an index on empty tables that has the size, the height and the statistics of a real one. */
import { join } from 'node:path';
import pg from 'pg';
import {
  type ColumnRow,
  type IndexDefinition,
  type IndexSize,
  PgLuthierError,
  quoteIdentifier,
  quoteQualified,
  renderIndexDefinition,
  type Snapshot,
  type TableRow,
} from '../../domain/index.ts';
import { deriveExpressionStats } from './expression-statistics.ts';
import { estimateBtreeLevel, extendRelation, raiseBtree, withoutPages } from './pages.ts';
import { keyBytes } from './relations.ts';
import { queryOne } from './session.ts';
import { expressionType, writeStatistics } from './statistics.ts';

/** An index and, of a partitioned table's, those of its partitions. */
interface Part {
  oid: number;
  /** Its table. */
  schema: string;
  table: string;
  relkind: string;
  path: string | null;
  collations: number[];
}

export interface CandidateContext {
  /** Superuser: writes catalogs, makes the index by a statement of its own. */
  admin: pg.Client;
  planner: pg.Client;
  dataDirectory: string;
  snapshot: Snapshot;
}

/**
 * Makes the index, switched off.
 * @param name of the index here; those of partitions are named after it.
 * @returns OIDs and names of all its parts.
 * @throws PgLuthierError `candidate_refused` with the server's reason.
 */
export async function makeCandidate(
  context: CandidateContext,
  definition: IndexDefinition,
  size: IndexSize,
  name: string,
): Promise<{ oid: number; name: string }[]> {
  const { admin } = context;
  let parts: Part[];
  await admin.query('BEGIN');
  try {
    const statement = renderIndexDefinition({ ...definition, name });
    // A block-range index has as much of a map as the table that it was made on has pages.
    const read = definition.method === 'brin' ? [] : await tablePaths(context, definition);
    await withoutPages(read, () => queryOne(admin, statement));
    parts = await readParts(admin, quoteQualified(definition.schema, name));
    const shares = shareOut(context.snapshot, parts, size);
    for (const { part, pages, level } of shares) {
      if (part.path === null) continue;
      const path = join(context.dataDirectory, part.path);
      if (definition.method === 'btree') {
        await raiseBtree(
          path,
          level ?? estimateBtreeLevel(pages, definitionBytes(context, definition)),
          pages,
        );
      } else await extendRelation(path, pages);
    }
    await admin.query(
      `UPDATE pg_class SET relname = given.name, relpages = given.pages, reltuples = given.tuples
       FROM unnest($1::oid[], $2::name[], $3::int4[], $4::float4[]) AS given (oid, name, pages, tuples) WHERE pg_class.oid = given.oid`,
      [
        parts.map((part) => part.oid),
        parts.map((_, position) => partName(name, position)),
        shares.map((share) => share.pages),
        shares.map((share) => share.tuples),
      ],
    );
    await admin.query('UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY ($1::oid[])', [
      parts.map((part) => part.oid),
    ]);
    await restoreTables(context, parts);
    await admin.query('COMMIT');
  } catch (cause) {
    await admin.query('ROLLBACK');
    if (!(cause instanceof pg.DatabaseError)) throw cause;
    throw new PgLuthierError({ code: 'candidate_refused', status: 422, message: cause.message, cause });
  }
  await describeExpressions(context, definition, parts);
  return parts.map((part, position) => ({ oid: part.oid, name: partName(name, position) }));
}

/** Files of the table and of its partitions. */
async function tablePaths(
  { admin, dataDirectory }: CandidateContext,
  { schema, table }: IndexDefinition,
): Promise<string[]> {
  const { rows } = await admin.query<{ path: string }>({
    name: 'table-paths',
    text: `SELECT pg_relation_filepath(c.oid) AS path FROM pg_class c
      WHERE c.relkind IN ('r', 'm') AND (c.oid = $1::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass)))`,
    values: [quoteQualified(schema, table)],
  });
  return rows.map((row) => join(dataDirectory, row.path));
}

const partName = (name: string, position: number) => (position === 0 ? name : `${name}_${position}`);

async function readParts(admin: pg.Client, index: string): Promise<Part[]> {
  const { rows } = await admin.query<Part>(
    `SELECT c.oid::int4 AS oid, n.nspname AS schema, t.relname AS "table", c.relkind::text AS relkind,
            CASE c.relkind WHEN 'i' THEN pg_relation_filepath(c.oid) END AS path,
            ARRAY(SELECT attcollation::int4 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) AS collations
     FROM (SELECT $1::regclass::oid AS oid UNION SELECT relid FROM pg_partition_tree($1::regclass)) AS part
     JOIN pg_class c ON c.oid = part.oid JOIN pg_index x ON x.indexrelid = c.oid
     JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     ORDER BY c.oid <> $1::regclass, c.oid`,
    [index],
  );
  return rows;
}

interface Share {
  part: Part;
  pages: number;
  tuples: number;
  /** Null: to be estimated. */
  level: number | null;
}

/** A partitioned index has no pages of its own: its size is its partitions', by their rows. */
function shareOut(snapshot: Snapshot, parts: readonly Part[], size: IndexSize): Share[] {
  const stored = parts.filter((part) => part.relkind === 'i');
  if (parts.length === 1 && stored.length === 1) {
    return parts.map((part) => ({ part, pages: size.pages, tuples: size.tuples, level: size.tree_height }));
  }
  const rowsOf = new Map(
    stored.map((part) => [part.oid, Math.max(1, tableOf(snapshot, part)?.reltuples ?? 0)]),
  );
  const total = [...rowsOf.values()].reduce((sum, rows) => sum + rows, 0);
  return parts.map((part) => {
    const share = (rowsOf.get(part.oid) ?? 0) / Math.max(1, total);
    if (part.relkind !== 'i') return { part, pages: 0, tuples: 0, level: null };
    return {
      part,
      pages: Math.max(1, Math.round(size.pages * share)),
      tuples: Math.round(size.tuples * share),
      level: null,
    };
  });
}

function tableOf(
  snapshot: Snapshot,
  { schema, table }: { schema: string; table: string },
): TableRow | undefined {
  return snapshot.tables.find((row) => row.schema === schema && row.name === table);
}

function columnsOf(snapshot: Snapshot, { schema, table }: { schema: string; table: string }): ColumnRow[] {
  return snapshot.columns.filter((row) => row.schema === schema && row.table === table);
}

function definitionBytes({ snapshot }: CandidateContext, definition: IndexDefinition): number {
  const columns = columnsOf(snapshot, definition);
  return keyBytes(definition.keys.map((key) => columns.find((column) => column.name === key.column)));
}

/** CREATE INDEX counts the table's rows and writes what it found, none, into pg_class (before 18 even with autovacuum off). */
async function restoreTables({ admin, snapshot }: CandidateContext, parts: readonly Part[]): Promise<void> {
  const tables = parts.flatMap((part) => {
    const row = tableOf(snapshot, part);
    return row ? [{ name: quoteQualified(part.schema, part.table), row }] : [];
  });
  await admin.query(
    `UPDATE pg_class SET relpages = given.pages, reltuples = given.tuples, relallvisible = given.visible
     FROM unnest($1::text[], $2::int4[], $3::float4[], $4::int4[]) AS given (name, pages, tuples, visible)
     WHERE pg_class.oid = given.name::regclass`,
    [
      tables.map(({ name }) => name),
      tables.map(({ row }) => row.relpages),
      tables.map(({ row }) => row.reltuples),
      tables.map(({ row }) => row.relallvisible),
    ],
  );
}

/** Statistics of each expression, for each part by its own table's columns. */
async function describeExpressions(
  { admin, planner, snapshot }: CandidateContext,
  definition: IndexDefinition,
  parts: readonly Part[],
): Promise<void> {
  for (const [position, { expression }] of definition.keys.entries()) {
    if (expression === null) continue;
    for (const part of parts) {
      const rows = tableOf(snapshot, part)?.reltuples ?? 0;
      const stats = await deriveExpressionStats(planner, expression, columnsOf(snapshot, part), rows);
      if (!stats) continue;
      const type = await expressionType(planner, quoteQualified(part.schema, part.table), expression, 0);
      const collation = part.collations[position] ?? 0;
      const what = `${quoteIdentifier(part.table)}: ${expression}`;
      // What does not read back is left to the planner's own guess, as it would be on the target before ANALYZE.
      await writeStatistics(admin, [
        { target: { relation: part.oid, attnum: position + 1, type, collation, what }, stats },
      ]);
    }
  }
}
