-- Before 16 there is no last_idx_scan.
SELECT
    x.indexrelid::int8 AS oid, coalesce(pg_stat_get_numscans(x.indexrelid), 0) AS idx_scan,
    coalesce(pg_stat_get_tuples_returned(x.indexrelid), 0) AS idx_tup_read,
    coalesce(pg_stat_get_tuples_fetched(x.indexrelid), 0) AS idx_tup_fetch, NULL::timestamptz AS last_idx_scan
FROM pg_index AS x
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
