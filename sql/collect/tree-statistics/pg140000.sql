-- ANALYZE of a table with children (plain inheritance) keeps a second row of statistics, of the whole tree: that is what
-- the planner asks for a query over the parent. $1: relations that somebody holds, $2: the tables.
SELECT c.oid::int8 AS table_oid, a.attnum::int4 AS attnum, s.inherited, s.null_frac::float8 AS null_frac,
    s.avg_width::int4 AS avg_width, s.n_distinct::float8 AS n_distinct, s.most_common_vals::text AS most_common_vals,
    s.most_common_freqs::float8[] AS most_common_freqs, s.histogram_bounds::text AS histogram_bounds,
    s.correlation::float8 AS correlation, s.most_common_elems::text AS most_common_elems,
    s.most_common_elem_freqs::float8[] AS most_common_elem_freqs, s.elem_count_histogram::float8[] AS elem_count_histogram
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
-- LIMIT: looked up by name for each column; joined as a whole the view is read once for every group of tables.
CROSS JOIN LATERAL (
    SELECT * FROM pg_stats AS st
    WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname AND st.inherited LIMIT 1
) AS s
WHERE c.oid = ANY ($2::oid[]) AND c.oid <> ALL ($1::oid[]) AND c.relkind <> 'p' AND c.relhassubclass
