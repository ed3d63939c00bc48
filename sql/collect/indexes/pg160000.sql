-- 16 and newer know when an index was last used.
-- $1: relations that somebody holds: pg_get_indexdef() locks the table, so their indexes are left out.
SELECT
    c.oid::int8 AS oid, x.indrelid::int8 AS table_oid, n.nspname::text AS schema, t.relname::text AS "table",
    c.relname::text AS name, am.amname::text AS method, pg_get_indexdef(c.oid) AS definition,
    ARRAY(SELECT pg_get_indexdef(c.oid, k, true) FROM generate_series(1, x.indnkeyatts) AS k ORDER BY k) AS keys,
    ARRAY(
        SELECT a.attname::text FROM generate_series(x.indnkeyatts, x.indnatts - 1) AS k
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k] ORDER BY k
    ) AS include,
    ARRAY(SELECT x.indkey[k]::int4 FROM generate_series(0, x.indnkeyatts - 1) AS k ORDER BY k) AS key_attnums,
    ARRAY(
        SELECT ocn.nspname || '.' || oc.opcname FROM generate_series(0, x.indnkeyatts - 1) AS k
        JOIN pg_opclass AS oc ON oc.oid = x.indclass[k]
        JOIN pg_namespace AS ocn ON ocn.oid = oc.opcnamespace ORDER BY k
    ) AS opclasses,
    ARRAY(SELECT x.indcollation[k]::int8::float8 FROM generate_series(0, x.indnkeyatts - 1) AS k ORDER BY k) AS collations,
    ARRAY(SELECT x.indoption[k]::int4 FROM generate_series(0, x.indnkeyatts - 1) AS k ORDER BY k) AS options,
    pg_get_expr(x.indpred, x.indrelid) AS predicate,
    x.indisunique AS is_unique, x.indisprimary AS is_primary, x.indisexclusion AS is_exclusion,
    x.indisvalid AS is_valid, x.indisready AS is_ready, x.indisreplident AS is_replica_identity,
    x.indisclustered AS is_clustered,
    con.conname::text AS constraint_name,
    c.relispartition AS is_partition, c.relkind::text AS relkind,
    c.relpages::int8 AS relpages, c.reltuples::float8 AS reltuples,
    coalesce(pg_relation_size(c.oid) / current_setting('block_size')::int8, 0)::int8 AS main_pages,
    coalesce(pg_relation_size(c.oid), 0)::int8 AS size_bytes,
    coalesce(c.reloptions, '{}')::text[] AS reloptions,
    coalesce(s.idx_scan, 0) AS idx_scan, coalesce(s.idx_tup_read, 0) AS idx_tup_read,
    coalesce(s.idx_tup_fetch, 0) AS idx_tup_fetch, s.last_idx_scan
FROM pg_index AS x
JOIN pg_class AS c ON c.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_am AS am ON am.oid = c.relam
-- Its own constraint before foreign keys of others that need it; pg_constraint has no index over conindid.
LEFT JOIN (
    SELECT DISTINCT ON (conindid) conindid, conname FROM pg_constraint WHERE conindid <> 0
    ORDER BY conindid, contype = 'f', conname
) AS con ON con.conindid = c.oid
LEFT JOIN pg_stat_all_indexes AS s ON s.indexrelid = c.oid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
    -- CASE: only so is the function surely not called for the others.
    AND CASE WHEN x.indexrelid = ANY ($1::oid[]) OR x.indrelid = ANY ($1::oid[]) THEN false
        ELSE pg_get_indexdef(c.oid) IS NOT NULL END
ORDER BY n.nspname, t.relname, c.relname
