-- Histograms of range and multirange columns: pg_stats shows them from 17 on. $1: relations that somebody holds, $2: the
-- tables.
SELECT c.oid::int8 AS table_oid, a.attnum::int4 AS attnum, s.range_length_histogram::text AS range_length_histogram,
    s.range_empty_frac::float8 AS range_empty_frac, s.range_bounds_histogram::text AS range_bounds_histogram
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
CROSS JOIN LATERAL (
    SELECT * FROM pg_stats AS st
    WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
    ORDER BY st.inherited = (c.relkind = 'p') DESC LIMIT 1
) AS s
WHERE c.oid = ANY ($2::oid[]) AND c.oid <> ALL ($1::oid[]) AND coalesce(b.typtype, t.typtype) IN ('r', 'm')
    AND s.range_empty_frac IS NOT NULL
