-- ANALYZE keeps what it learns of an index's expressions under the index's name.
-- $1: relations that somebody holds, $2: the tables whose indexes' expressions to read.
SELECT x.indexrelid::int8 AS index_oid, a.attnum::int4 AS attnum, s.inherited, s.null_frac::float8 AS null_frac,
    s.avg_width::int4 AS avg_width, s.n_distinct::float8 AS n_distinct, s.most_common_vals::text AS most_common_vals,
    s.most_common_freqs::float8[] AS most_common_freqs, s.histogram_bounds::text AS histogram_bounds,
    s.correlation::float8 AS correlation, s.most_common_elems::text AS most_common_elems,
    s.most_common_elem_freqs::float8[] AS most_common_elem_freqs, s.elem_count_histogram::float8[] AS elem_count_histogram
FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid
-- LIMIT: looked up by name for each expression; joined as a whole the view is read once for every group of tables.
CROSS JOIN LATERAL (
    SELECT * FROM pg_stats AS st
    WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
    ORDER BY st.inherited LIMIT 1
) AS s
WHERE x.indrelid = ANY ($2::oid[]) AND x.indrelid <> ALL ($1::oid[]) AND x.indexprs IS NOT NULL
    AND x.indkey[a.attnum - 1] = 0
