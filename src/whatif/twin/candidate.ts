/** Making a candidate: an index on empty tables that has the size, the height and the statistics of a real one. */
import { dirname, join } from 'node:path';
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
import { writeGinMetapage } from './gin-pages.ts';
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

/** What is to be made. */
interface WantedCandidate {
  definition: IndexDefinition;
  size: IndexSize;
  /** Of the index here; those of partitions are named after it. */
  name: string;
}

/** OIDs and names of all parts of a candidate. */
export type MadeCandidate = { oid: number; name: string }[];

/**
 * Makes indexes, switched off, in one transaction; where PostgreSQL refuses one, the others are made by themselves.
 * @returns for each, in order, its parts, or `candidate_refused` with the server's reason.
 */
export async function makeCandidates(
  context: CandidateContext,
  wanted: readonly WantedCandidate[],
): Promise<(MadeCandidate | PgLuthierError)[]> {
  const { admin } = context;
  let all: Map<string, Part[]>;
  await admin.query('BEGIN');
  try {
    // A block-range index made on no page says that its map has one page, a page for 1,360 ranges too few: one unit of
    // seq_page_cost each (brincostestimate() of selfuncs.c), where the ranges themselves cost thousands.
    const paths = await tablePaths(context, wanted);
    await withoutPages(paths, async () => {
      for (const item of wanted) await createIndex(admin, item);
    });
    all = await readParts(admin, wanted);
    await shapeParts(context, wanted, all);
    await restoreTables(context, [...all.values()].flat());
    await admin.query('COMMIT');
  } catch (cause) {
    await admin.query('ROLLBACK');
    if (!(cause instanceof pg.DatabaseError)) throw cause;
    if (wanted.length === 1) {
      return [new PgLuthierError({ code: 'candidate_refused', status: 422, message: cause.message, cause })];
    }
    const results: (MadeCandidate | PgLuthierError)[] = [];
    for (const item of wanted) results.push(...(await makeCandidates(context, [item])));
    return results;
  }
  await writeMetapages(context, wanted, all);
  const made: MadeCandidate[] = [];
  for (const { name, definition } of wanted) {
    const parts = all.get(name) ?? [];
    await describeExpressions(context, definition, parts);
    made.push(parts.map((part, position) => ({ oid: part.oid, name: partName(name, position) })));
  }
  return made;
}

/** By the extended protocol, which takes no second statement hidden in the text. */
function createIndex(admin: pg.Client, { definition, name }: WantedCandidate): Promise<unknown> {
  return queryOne(admin, renderIndexDefinition({ ...definition, name }));
}

/** Gives files their length and height, and the catalog its sizes and names. */
async function shapeParts(
  context: CandidateContext,
  wanted: readonly WantedCandidate[],
  all: ReadonlyMap<string, Part[]>,
): Promise<void> {
  const { admin } = context;
  const rows: { oid: number; name: string; pages: number; tuples: number }[] = [];
  for (const { definition, size, name } of wanted) {
    const parts = all.get(name) ?? [];
    const shares = shareOut(context.snapshot, parts, size);
    for (const [position, { part, pages, tuples, level }] of shares.entries()) {
      rows.push({ oid: part.oid, name: partName(name, position), pages, tuples });
      if (part.path === null) continue;
      const path = join(context.dataDirectory, part.path);
      if (definition.method === 'btree') {
        const height = level ?? estimateBtreeLevel(pages, definitionBytes(context, definition));
        await raiseBtree(path, height, pages);
      } else await extendRelation(path, pages);
    }
  }
  await admin.query(
    `UPDATE pg_class SET relname = given.name, relpages = given.pages, reltuples = given.tuples
     FROM unnest($1::oid[], $2::name[], $3::int4[], $4::float4[]) AS given (oid, name, pages, tuples) WHERE pg_class.oid = given.oid`,
    [
      rows.map((row) => row.oid),
      rows.map((row) => row.name),
      rows.map((row) => row.pages),
      rows.map((row) => row.tuples),
    ],
  );
  await admin.query('UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY ($1::oid[])', [
    rows.map((row) => row.oid),
  ]);
}

/** Numbers for files that we lay down ourselves: far above those that a young cluster gives out. */
const FIRST_FILE = 2_000_000_000;

/**
 * What a GIN index's metapage says. The server has the page that it made in memory, so the index gets another file:
 * a number that no page in memory belongs to.
 */
async function writeMetapages(
  { admin, dataDirectory, snapshot }: CandidateContext,
  wanted: readonly WantedCandidate[],
  all: ReadonlyMap<string, Part[]>,
): Promise<void> {
  for (const { definition, size, name } of wanted) {
    if (definition.method !== 'gin' || !size.gin) continue;
    const parts = all.get(name) ?? [];
    for (const { part, pages, share } of shareOut(snapshot, parts, size)) {
      if (part.path === null) continue;
      const number = FIRST_FILE + part.oid;
      const old = join(dataDirectory, part.path);
      const path = join(dirname(old), String(number));
      const shape = {
        entry_pages: Math.max(1, Math.round(size.gin.entry_pages * share)),
        data_pages: Math.round(size.gin.data_pages * share),
        entries: Math.max(1, Math.round(size.gin.entries * share)),
      };
      await writeGinMetapage(path, shape, pages, old);
      await extendRelation(path, pages);
      await admin.query('UPDATE pg_class SET relfilenode = $2 WHERE oid = $1', [part.oid, number]);
    }
  }
}

/** Files of the tables and of their partitions. */
async function tablePaths(
  { admin, dataDirectory }: CandidateContext,
  wanted: readonly WantedCandidate[],
): Promise<string[]> {
  const tables = new Set(wanted.map(({ definition }) => quoteQualified(definition.schema, definition.table)));
  const { rows } = await admin.query<{ path: string }>({
    name: 'table-paths',
    text: `SELECT DISTINCT pg_relation_filepath(c.oid) AS path FROM pg_class c
      WHERE c.relkind IN ('r', 'm') AND (c.oid = ANY ($1::regclass[]::oid[])
        OR c.oid IN (SELECT relid FROM unnest($1::regclass[]) AS given (root), pg_partition_tree(given.root)))`,
    values: [[...tables]],
  });
  return rows.map((row) => join(dataDirectory, row.path));
}

const partName = (name: string, position: number) => (position === 0 ? name : `${name}_${position}`);

/** Parts of each candidate by its name; itself first. */
async function readParts(admin: pg.Client, wanted: readonly WantedCandidate[]): Promise<Map<string, Part[]>> {
  const { rows } = await admin.query<Part & { candidate: string }>({
    name: 'parts',
    text: `SELECT given.name AS candidate, c.oid::int4 AS oid, n.nspname AS schema, t.relname AS "table", c.relkind::text AS relkind,
            CASE c.relkind WHEN 'i' THEN pg_relation_filepath(c.oid) END AS path,
            ARRAY(SELECT attcollation::int4 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) AS collations
     FROM unnest($1::text[], $2::regclass[]) AS given (name, root)
     CROSS JOIN LATERAL (SELECT given.root::oid AS oid UNION SELECT relid FROM pg_partition_tree(given.root)) AS part
     JOIN pg_class c ON c.oid = part.oid JOIN pg_index x ON x.indexrelid = c.oid
     JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     ORDER BY c.oid <> given.root::oid, c.oid`,
    values: [
      wanted.map(({ name }) => name),
      wanted.map(({ definition, name }) => quoteQualified(definition.schema, name)),
    ],
  });
  const all = new Map<string, Part[]>();
  for (const { candidate, ...part } of rows) all.set(candidate, [...(all.get(candidate) ?? []), part]);
  return all;
}

interface Share {
  part: Part;
  /** Of the whole, 0..1. */
  share: number;
  pages: number;
  tuples: number;
  /** Null: to be estimated. */
  level: number | null;
}

/** A partitioned index has no pages of its own: its size is its partitions', by their rows. */
function shareOut(snapshot: Snapshot, parts: readonly Part[], size: IndexSize): Share[] {
  const stored = parts.filter((part) => part.relkind === 'i');
  if (parts.length === 1 && stored.length === 1) {
    return parts.map((part) => ({
      part,
      share: 1,
      pages: size.pages,
      tuples: size.tuples,
      level: size.tree_height,
    }));
  }
  const rowsOf = new Map(
    stored.map((part) => [part.oid, Math.max(1, tableOf(snapshot, part)?.reltuples ?? 0)]),
  );
  const total = [...rowsOf.values()].reduce((sum, rows) => sum + rows, 0);
  return parts.map((part) => {
    const share = (rowsOf.get(part.oid) ?? 0) / Math.max(1, total);
    if (part.relkind !== 'i') return { part, share: 0, pages: 0, tuples: 0, level: null };
    return {
      part,
      share,
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
