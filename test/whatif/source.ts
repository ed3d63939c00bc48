/** A real database beside its twin: what the one plans, the other should. */
import pg from 'pg';
import type { ColumnStats, Snapshot } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { collectOn } from '../collect/watched.ts';
import { ofOwnTables } from '../support/own-tables.ts';
import { testServer } from '../support/servers.ts';

export interface Source {
  client: pg.Client;
  snapshot: Snapshot;
  plan(sql: string): Promise<PlanNode>;
  /** A snapshot of now. */
  again(): Promise<Snapshot>;
  close(): Promise<void>;
}

export interface PlanNode {
  'Node Type': string;
  'Total Cost': number;
  'Plan Rows': number;
  'Index Name'?: string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

/** Node types with what they read, nested as the plan is. */
export function shapeOf(node: PlanNode): unknown[] {
  return [
    node['Node Type'],
    node['Index Name'] ?? node['Relation Name'] ?? '',
    ...(node.Plans ?? []).map(shapeOf),
  ];
}

/** @param statements run one by one, for VACUUM cannot stand with others. */
export async function openSource(major: number, statements: string[]): Promise<Source> {
  const server = await testServer({ major });
  const database = await server.createDatabase();
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  for (const sql of [...statements, 'CREATE EXTENSION pageinspect'])
    await client.query(await ofOwnTables(client, sql));
  const collect = async () => {
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier-test', readOnly: true });
    const collected = await collectOn(session).finally(() => session.close());
    await readMore(client, collected);
    return collected;
  };
  const snapshot = await collect();
  return {
    again: collect,
    client,
    snapshot,
    async plan(sql) {
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
      return rows[0]['QUERY PLAN'][0].Plan;
    },
    async close() {
      await client.end();
      await database.drop();
    },
  };
}

const STATS = `s.inherited, s.null_frac::float8 AS null_frac, s.avg_width, s.n_distinct::float8 AS n_distinct, s.most_common_vals::text AS most_common_vals,
  s.most_common_freqs::float8[] AS most_common_freqs, s.histogram_bounds::text AS histogram_bounds, s.correlation::float8 AS correlation,
  s.most_common_elems::text AS most_common_elems, s.most_common_elem_freqs::float8[] AS most_common_elem_freqs,
  s.elem_count_histogram::float8[] AS elem_count_histogram`;

/** What a snapshot may hold of expressions, ranges and trees of tables, where the collector has left it out. */
export async function readMore(client: pg.Client, snapshot: Snapshot): Promise<void> {
  if (snapshot.schema.expression_stats === undefined) {
    const { rows } = await client.query<ColumnStats & { index_oid: number; attnum: number }>(
      `SELECT c.oid::int4 AS index_oid, a.attnum::int4 AS attnum, ${STATS}
       FROM pg_stats s JOIN pg_namespace n ON n.nspname = s.schemaname
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename AND c.relkind = 'i'
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname`,
    );
    snapshot.schema.expression_stats = rows.map(({ index_oid, attnum, ...stats }) => ({
      index_oid,
      attnum,
      stats,
    }));
  }
  const { rows: trees } = await client.query<
    ColumnStats & Record<'schemaname' | 'tablename' | 'attname', string>
  >(
    `SELECT s.schemaname, s.tablename, s.attname, ${STATS} FROM pg_stats s JOIN pg_namespace n ON n.nspname = s.schemaname
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename AND c.relkind = 'r' WHERE s.inherited`,
  );
  for (const { schemaname, tablename, attname, ...stats } of trees) {
    const column = snapshot.columns.find(
      (item) => item.schema === schemaname && item.table === tablename && item.name === attname,
    );
    if (column && column.tree_stats === undefined) column.tree_stats = stats;
  }
  if (snapshot.server.server_version_num < 170_000) return;
  const { rows } = await client.query<Record<string, string | null> & { range_empty_frac: number | null }>(
    `SELECT schemaname, tablename, attname, range_length_histogram::text AS range_length_histogram,
            range_empty_frac::float8 AS range_empty_frac, range_bounds_histogram::text AS range_bounds_histogram
     FROM pg_stats WHERE range_bounds_histogram IS NOT NULL`,
  );
  for (const row of rows) {
    const column = snapshot.columns.find(
      (item) => item.schema === row.schemaname && item.table === row.tablename && item.name === row.attname,
    );
    if (column?.stats && column.stats.range_bounds_histogram === undefined) {
      column.stats.range_length_histogram = row.range_length_histogram ?? null;
      column.stats.range_empty_frac = row.range_empty_frac;
      column.stats.range_bounds_histogram = row.range_bounds_histogram ?? null;
    }
  }
}
