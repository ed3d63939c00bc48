/**
 * What a snapshot may hold and the twin uses, but the collector does not read (yet): with it the comparison is of the
 * twin alone. `BENCH_AS_COLLECTED=1` leaves it out.
 */
import type pg from 'pg';
import { type ColumnStats, quoteIdentifier, quoteQualified, type Snapshot } from '../src/domain/index.ts';

const STATS = `s.inherited, s.null_frac::float8 AS null_frac, s.avg_width, s.n_distinct::float8 AS n_distinct, s.most_common_vals::text AS most_common_vals,
  s.most_common_freqs::float8[] AS most_common_freqs, s.histogram_bounds::text AS histogram_bounds, s.correlation::float8 AS correlation,
  s.most_common_elems::text AS most_common_elems, s.most_common_elem_freqs::float8[] AS most_common_elem_freqs,
  s.elem_count_histogram::float8[] AS elem_count_histogram`;

type Named = Record<'schemaname' | 'tablename' | 'attname', string>;

function columnOf(snapshot: Snapshot, row: Named) {
  return snapshot.columns.find(
    (item) => item.schema === row.schemaname && item.table === row.tablename && item.name === row.attname,
  );
}

export async function completeSnapshot(client: pg.Client, snapshot: Snapshot): Promise<void> {
  await trees(client, snapshot);
  await expressions(client, snapshot);
  await functions(client, snapshot);
  await rangeTypes(client, snapshot);
  await ends(client, snapshot);
  await ranges(client, snapshot);
}

async function trees(client: pg.Client, snapshot: Snapshot): Promise<void> {
  const { rows } = await client.query<Named & ColumnStats>(
    `SELECT s.schemaname, s.tablename, s.attname, ${STATS} FROM pg_stats s
     JOIN pg_class c ON c.oid = (quote_ident(s.schemaname) || '.' || quote_ident(s.tablename))::regclass AND c.relkind = 'r' WHERE s.inherited`,
  );
  for (const { schemaname, tablename, attname, ...stats } of rows) {
    const column = columnOf(snapshot, { schemaname, tablename, attname });
    if (column !== undefined && column.tree_stats === undefined) column.tree_stats = stats;
  }
}

/** pg_stats has them since 17; before, only whoever may read pg_statistic sees them. */
const RANGES_FROM_17 = `SELECT schemaname, tablename, attname, range_length_histogram::text AS lengths,
    range_empty_frac::float8 AS range_empty_frac, range_bounds_histogram::text AS bounds
  FROM pg_stats WHERE range_bounds_histogram IS NOT NULL`;
const slot = (kind: number, what: string) =>
  `CASE ${[1, 2, 3, 4, 5].map((n) => `WHEN stakind${n} = ${kind} THEN ${what.replace('?', String(n))}`).join(' ')} END`;
const RANGES_BEFORE_17 = `SELECT n.nspname AS schemaname, c.relname AS tablename, a.attname, ${slot(6, 'stavalues?::text')} AS lengths,
    (${slot(6, 'stanumbers?')})[1]::float8 AS range_empty_frac, ${slot(7, 'stavalues?::text')} AS bounds
  FROM pg_statistic s JOIN pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum
  JOIN pg_class c ON c.oid = s.starelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE 7 IN (stakind1, stakind2, stakind3, stakind4, stakind5)`;

async function ranges(client: pg.Client, snapshot: Snapshot): Promise<void> {
  const { rows } = await client.query<Named & Record<string, string> & { range_empty_frac: number }>(
    snapshot.server.server_version_num >= 170_000 ? RANGES_FROM_17 : RANGES_BEFORE_17,
  );
  for (const row of rows) {
    const stats = columnOf(snapshot, row)?.stats;
    if (!stats || stats.range_bounds_histogram !== undefined) continue;
    stats.range_length_histogram = row.lengths ?? null;
    stats.range_empty_frac = row.range_empty_frac;
    stats.range_bounds_histogram = row.bounds ?? null;
  }
}

async function expressions(client: pg.Client, snapshot: Snapshot): Promise<void> {
  for (const item of snapshot.schema.extended_statistics) {
    const { rows } = await client.query<ColumnStats & { expr: string }>(
      `SELECT s.expr, ${STATS.replace('s.inherited', snapshot.server.server_version_num >= 150_000 ? 's.inherited' : 'false AS inherited')}
       FROM pg_stats_ext_exprs s WHERE s.statistics_schemaname = $1 AND s.statistics_name = $2 AND s.n_distinct IS NOT NULL`,
      [item.schema, item.name],
    );
    if (rows.length === 0) continue;
    item.data ??= {
      inherited: false,
      n_distinct: null,
      dependencies: null,
      most_common_vals: null,
      most_common_freqs: null,
      most_common_base_freqs: null,
      expressions: [],
    };
    item.data.expressions = item.expressions.map((text) => rows.find((row) => row.expr === text) ?? null);
  }
}

async function rangeTypes(client: pg.Client, snapshot: Snapshot): Promise<void> {
  const { rows } = await client.query<{ schema: string; name: string; diff: string }>(
    `SELECT n.nspname AS schema, t.typname AS name, quote_ident(pn.nspname) || '.' || quote_ident(p.proname) AS diff
     FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_proc p ON p.oid = r.rngsubdiff JOIN pg_namespace pn ON pn.oid = p.pronamespace`,
  );
  for (const item of snapshot.schema.range_types) {
    item.subtype_diff ??=
      rows.find((row) => row.schema === item.schema && row.name === item.name)?.diff ?? null;
  }
}

/** Functions that statements call, not indexes alone. */
async function functions(client: pg.Client, snapshot: Snapshot): Promise<void> {
  const { rows } = await client.query<Snapshot['schema']['functions'][number]>(
    `SELECT n.nspname AS schema, p.proname AS name, l.lanname AS language, p.provolatile AS volatility, pg_get_functiondef(p.oid) AS definition
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f'
       AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')`,
  );
  const known = new Set(snapshot.schema.functions.map((item) => item.definition));
  snapshot.schema.functions.push(...rows.filter((row) => !known.has(row.definition)));
}

/** Two look-ups at the ends of a B-tree for each column that one leads with. */
async function ends(client: pg.Client, snapshot: Snapshot): Promise<void> {
  for (const index of snapshot.indexes) {
    if (index.method !== 'btree' || index.predicate !== null || !index.is_valid || index.relkind !== 'i')
      continue;
    const column = snapshot.columns.find(
      (item) => item.table_oid === index.table_oid && item.attnum === index.key_attnums[0],
    );
    if (column === undefined || column.ends !== undefined) continue;
    const name = quoteIdentifier(column.name);
    const { rows } = await client.query<{ min: string | null; max: string | null }>(
      `SELECT format('%s', min(${name})) AS min, format('%s', max(${name})) AS max FROM ONLY ${quoteQualified(index.schema, index.table)}`,
    );
    const [found] = rows;
    if (found?.min && found.max) column.ends = { min: found.min, max: found.max };
  }
}
