-- Before 16 there is no last_idx_scan.
-- $1: relations that somebody holds: pg_get_indexdef() locks the table, so their indexes are left out. $2: the tables
-- whose indexes to read. A definition is printed once, keys by themselves only where they are expressions.
SELECT
    c.oid::int8 AS oid, x.indrelid::int8 AS table_oid, n.nspname::text AS schema, t.relname::text AS "table",
    c.relname::text AS name, am.amname::text AS method, e.definition, k.keys, k.include, k.key_attnums, k.opclasses,
    k.collations, k.options, pg_get_expr(x.indpred, x.indrelid) AS predicate,
    x.indisunique AS is_unique, x.indisprimary AS is_primary, x.indisexclusion AS is_exclusion,
    x.indisvalid AS is_valid, x.indisready AS is_ready, x.indisreplident AS is_replica_identity,
    x.indisclustered AS is_clustered,
    -- Its own constraint before foreign keys of others that need it. pg_constraint has no index over conindid: own ones
    -- are found by their table, others' by their dependency.
    CASE WHEN x.indisunique OR x.indisexclusion THEN coalesce(
        (SELECT o.conname::text FROM pg_constraint AS o
         WHERE o.conrelid = x.indrelid AND o.conindid = c.oid AND o.contype <> 'f' ORDER BY o.conname LIMIT 1),
        (SELECT f.conname::text FROM pg_depend AS d JOIN pg_constraint AS f ON f.oid = d.objid
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_constraint'::regclass
             AND f.contype = 'f' AND f.conindid = c.oid ORDER BY f.conname LIMIT 1)) END AS constraint_name,
    c.relispartition AS is_partition, c.relkind::text AS relkind, c.relfilenode::int8 AS relfilenode,
    c.relpages::int8 AS relpages, c.reltuples::float8 AS reltuples,
    coalesce(e.size_bytes / current_setting('block_size')::int8, 0)::int8 AS main_pages,
    coalesce(e.size_bytes, 0)::int8 AS size_bytes,
    coalesce(c.reloptions, '{}')::text[] AS reloptions,
    coalesce(pg_stat_get_numscans(c.oid), 0) AS idx_scan, coalesce(pg_stat_get_tuples_returned(c.oid), 0) AS idx_tup_read,
    coalesce(pg_stat_get_tuples_fetched(c.oid), 0) AS idx_tup_fetch, NULL::timestamptz AS last_idx_scan
FROM pg_index AS x
JOIN pg_class AS c ON c.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_am AS am ON am.oid = c.relam
-- OFFSET 0: called once a row, and for those alone that nobody holds.
CROSS JOIN LATERAL (
    SELECT pg_get_indexdef(c.oid) AS definition, pg_relation_size(c.oid) AS size_bytes
    WHERE c.oid <> ALL ($1::oid[]) AND x.indrelid <> ALL ($1::oid[]) OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT
        array_agg(CASE WHEN x.indkey[p] = 0 THEN pg_get_indexdef(c.oid, p + 1, true) ELSE quote_ident(a.attname) END ORDER BY p)
            FILTER (WHERE p < x.indnkeyatts) AS keys,
        coalesce(array_agg(a.attname::text ORDER BY p) FILTER (WHERE p >= x.indnkeyatts), '{}') AS include,
        array_agg(x.indkey[p]::int4 ORDER BY p) FILTER (WHERE p < x.indnkeyatts) AS key_attnums,
        array_agg(ocn.nspname || '.' || oc.opcname ORDER BY p) FILTER (WHERE p < x.indnkeyatts) AS opclasses,
        array_agg(x.indcollation[p]::int8::float8 ORDER BY p) FILTER (WHERE p < x.indnkeyatts) AS collations,
        array_agg(x.indoption[p]::int4 ORDER BY p) FILTER (WHERE p < x.indnkeyatts) AS options
    FROM generate_series(0, x.indnatts - 1) AS p
    LEFT JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[p] AND x.indkey[p] <> 0
    LEFT JOIN pg_opclass AS oc ON oc.oid = x.indclass[p] AND p < x.indnkeyatts
    LEFT JOIN pg_namespace AS ocn ON ocn.oid = oc.opcnamespace
) AS k
WHERE x.indrelid = ANY ($2::oid[]) AND e.definition IS NOT NULL
