/** What planning sees of a catalog, by names: the same of a source and of its twin. */
import pg from 'pg';

const USERS =
  "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp%'";
const RELATION = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)";

const QUERIES = (major: number): Record<string, string> => ({
  relations: `SELECT ${RELATION} AS relation, c.relkind::text, c.relpages, c.reltuples, c.relallvisible FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${USERS} AND c.relkind IN ('r', 'p', 'i', 'I', 'v') ORDER BY 1`,
  lengths: `SELECT ${RELATION} AS relation, pg_relation_size(c.oid) / 8192 AS pages FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${USERS} AND c.relkind IN ('r', 'i') ORDER BY 1`,
  columns: `SELECT ${RELATION} AS relation, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS place, format_type(a.atttypid, a.atttypmod) AS type,
      a.attnotnull, a.attcollation::regcollation::text AS collation, a.attlen, a.attalign::text, (a.attgenerated = 'v') AS virtual
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${USERS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v') ORDER BY 1, 3`,
  indexes: `SELECT ${RELATION} AS relation, pg_get_indexdef(c.oid) AS definition, x.indisunique, x.indisprimary, x.indisvalid, x.indisexclusion
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${USERS} ORDER BY 1`,
  constraints: `SELECT ${RELATION} AS relation, CASE WHEN k.contype <> 'f' THEN k.conname END AS name, k.contype::text, pg_get_constraintdef(k.oid) AS definition, k.convalidated
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${USERS} AND k.contype IN ('c', 'p', 'u', 'x', 'f') ORDER BY 1, 3, 4, 2`,
  partitions: `SELECT ${RELATION} AS relation, pg_get_expr(c.relpartbound, c.oid) AS bound, pg_get_partkeydef(c.oid) AS key,
      (SELECT array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid) AS parents
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${USERS} AND c.relkind IN ('r', 'p') ORDER BY 1`,
  types: `SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS type, t.typtype::text, t.typnotnull, format_type(t.typbasetype, t.typtypmod) AS base,
      ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
      ARRAY(SELECT regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') FROM pg_constraint k WHERE k.contypid = t.oid ORDER BY 1) AS checks
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${USERS} AND t.typtype IN ('e', 'd', 'c', 'r') ORDER BY 1`,
  statistics: `SELECT schemaname, tablename, attname, inherited, null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs, histogram_bounds::text, correlation,
      most_common_elems::text, most_common_elem_freqs, elem_count_histogram FROM pg_stats AS s JOIN pg_namespace n ON n.nspname = s.schemaname WHERE ${USERS} ORDER BY 1, 2, 3, 4`,
  extended: `SELECT statistics_schemaname, statistics_name, x.stxkeys::int2[] AS numbers, n_distinct::text, dependencies::text, most_common_vals, most_common_val_nulls, most_common_freqs, most_common_base_freqs
      ${major >= 15 ? ', inherited' : ''} FROM pg_stats_ext AS s JOIN pg_namespace n ON n.nspname = s.statistics_schemaname
      JOIN pg_statistic_ext x ON x.stxnamespace = n.oid AND x.stxname = s.statistics_name
      JOIN pg_class c ON c.oid = x.stxrelid WHERE ${USERS}
      -- Of a parent by inheritance the tree's data is not read (collect/extended-statistics).
      ${major >= 15 ? "AND s.inherited = (c.relkind = 'p')" : ''}
      AND (n_distinct IS NOT NULL OR dependencies IS NOT NULL OR most_common_vals IS NOT NULL) ORDER BY 1, 2`,
});

interface ExtendedRow {
  numbers: number[];
  n_distinct: string | null;
  dependencies: string | null;
  most_common_vals: (string | null)[][] | null;
  most_common_val_nulls: boolean[][] | null;
  most_common_freqs: number[] | null;
  most_common_base_freqs: number[] | null;
}

/**
 * A list of common values is searched from end to end: its order among equal frequencies tells nothing. Columns are
 * numbered among the object's, for the twin has no gaps where columns were dropped.
 */
function withSortedValues(row: ExtendedRow): unknown {
  const renumbered = (text: string | null) =>
    text?.replace(/"[-\d, =>]+"/g, (key) =>
      key.replace(/-?\d+/g, (attnum) =>
        attnum.startsWith('-') ? attnum : `#${row.numbers.indexOf(Number(attnum))}`,
      ),
    ) ?? null;
  const {
    most_common_vals,
    most_common_val_nulls,
    most_common_freqs,
    most_common_base_freqs,
    numbers: _,
    ...rest
  } = row;
  const items = most_common_vals?.map((values, place) =>
    JSON.stringify([
      values,
      most_common_val_nulls?.[place],
      most_common_freqs?.[place],
      most_common_base_freqs?.[place],
    ]),
  );
  return {
    ...rest,
    n_distinct: renumbered(row.n_distinct),
    dependencies: renumbered(row.dependencies),
    items: items?.sort() ?? null,
  };
}

export async function plannerCatalog(dsn: string, major: number): Promise<Record<string, unknown[]>> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    await client.query("SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET extra_float_digits = 1");
    const catalog: Record<string, unknown[]> = {};
    for (const [name, sql] of Object.entries(QUERIES(major))) catalog[name] = (await client.query(sql)).rows;
    catalog.extended = (catalog.extended ?? []).map((row) => withSortedValues(row as ExtendedRow));
    return catalog;
  } finally {
    await client.end();
  }
}
