-- ANALYZE keeps what it learns of an index's expressions under the index's name.
SELECT c.oid::int8 AS index_oid, a.attnum::int4 AS attnum, s.inherited, s.null_frac::float8 AS null_frac,
    s.avg_width::int4 AS avg_width, s.n_distinct::float8 AS n_distinct, s.most_common_vals::text AS most_common_vals,
    s.most_common_freqs::float8[] AS most_common_freqs, s.histogram_bounds::text AS histogram_bounds,
    s.correlation::float8 AS correlation, s.most_common_elems::text AS most_common_elems,
    s.most_common_elem_freqs::float8[] AS most_common_elem_freqs, s.elem_count_histogram::float8[] AS elem_count_histogram
FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid
JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE x.indexprs IS NOT NULL AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY 1, 2
