-- 18 and newer know how many pages are frozen.
-- $1: relations that somebody holds; their sizes are the catalog's, for measuring would wait.
SELECT
    c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
    c.relpersistence::text AS relpersistence, pg_get_userbyid(c.relowner)::text AS owner,
    c.relpages::int8 AS relpages, c.reltuples::float8 AS reltuples, c.relallvisible::int8 AS relallvisible,
    coalesce(z.main / b.size, 0)::int8 AS main_pages,
    coalesce(z.total, 0)::int8 AS total_bytes,
    coalesce(z.toast, 0)::int8 AS toast_bytes,
    coalesce(z.indexes, 0)::int8 AS indexes_bytes,
    coalesce(c.reloptions, '{}')::text[] AS reloptions,
    coalesce(tc.reloptions, '{}')::text[] AS toast_reloptions,
    (SELECT i.inhparent::int8 FROM pg_inherits AS i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) AS parent_oid,
    c.relispartition AS is_partition,
    coalesce(s.seq_scan, 0) AS seq_scan, coalesce(s.seq_tup_read, 0) AS seq_tup_read,
    s.idx_scan, s.idx_tup_fetch,
    coalesce(s.n_tup_ins, 0) AS n_tup_ins, coalesce(s.n_tup_upd, 0) AS n_tup_upd,
    coalesce(s.n_tup_del, 0) AS n_tup_del, coalesce(s.n_tup_hot_upd, 0) AS n_tup_hot_upd,
    coalesce(s.n_tup_newpage_upd, 0) AS n_tup_newpage_upd,
    coalesce(s.n_live_tup, 0) AS n_live_tup, coalesce(s.n_dead_tup, 0) AS n_dead_tup,
    coalesce(s.n_mod_since_analyze, 0) AS n_mod_since_analyze,
    coalesce(s.n_ins_since_vacuum, 0) AS n_ins_since_vacuum,
    s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze,
    coalesce(s.vacuum_count, 0) AS vacuum_count, coalesce(s.autovacuum_count, 0) AS autovacuum_count,
    coalesce(s.analyze_count, 0) AS analyze_count, coalesce(s.autoanalyze_count, 0) AS autoanalyze_count,
    CASE WHEN c.relfrozenxid::text <> '0' THEN age(c.relfrozenxid)::int8 END AS xid_age,
    CASE WHEN c.relminmxid::text <> '0' THEN mxid_age(c.relminmxid)::int8 END AS mxid_age,
    c.relallfrozen::int8 AS relallfrozen, s.last_seq_scan, s.last_idx_scan,
    am.amname::text AS access_method, c.relrowsecurity AS row_security,
    tc.oid::int8 AS toast_oid, tc.relpages::int8 AS toast_relpages, tc.reltuples::float8 AS toast_reltuples,
    coalesce(pg_stat_get_tuples_inserted(tc.oid), 0) AS toast_n_tup_ins,
    coalesce(pg_stat_get_tuples_deleted(tc.oid), 0) AS toast_n_tup_del,
    coalesce(pg_stat_get_live_tuples(tc.oid), 0) AS toast_n_live_tup,
    coalesce(pg_stat_get_dead_tuples(tc.oid), 0) AS toast_n_dead_tup,
    coalesce(pg_stat_get_ins_since_vacuum(tc.oid), 0) AS toast_n_ins_since_vacuum,
    pg_stat_get_last_autovacuum_time(tc.oid) AS toast_last_autovacuum,
    coalesce(pg_stat_get_vacuum_count(tc.oid), 0) AS toast_vacuum_count,
    coalesce(pg_stat_get_autovacuum_count(tc.oid), 0) AS toast_autovacuum_count,
    CASE WHEN tc.relfrozenxid::text <> '0' THEN age(tc.relfrozenxid)::int8 END AS toast_xid_age,
    CASE WHEN tc.relminmxid::text <> '0' THEN mxid_age(tc.relminmxid)::int8 END AS toast_mxid_age
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
LEFT JOIN pg_class AS tc ON tc.oid = c.reltoastrelid
LEFT JOIN pg_am AS am ON am.oid = c.relam
CROSS JOIN (SELECT current_setting('block_size')::int8 AS size) AS b
CROSS JOIN LATERAL (
    SELECT pg_relation_size(c.oid) AS main, pg_total_relation_size(c.oid) AS total,
        pg_total_relation_size(nullif(c.reltoastrelid, 0)) AS toast, pg_indexes_size(c.oid) AS indexes
    WHERE c.oid <> ALL ($1::oid[])
    UNION ALL
    SELECT c.relpages * b.size, (c.relpages + e.toast + e.indexes) * b.size, e.toast * b.size, e.indexes * b.size
    FROM (
        SELECT coalesce((SELECT sum(t.relpages) FROM pg_class AS t
                         WHERE t.oid = c.reltoastrelid
                            OR t.oid IN (SELECT ti.indexrelid FROM pg_index AS ti WHERE ti.indrelid = c.reltoastrelid)), 0) AS toast,
            coalesce((SELECT sum(i.relpages) FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
                      WHERE x.indrelid = c.oid), 0) AS indexes
    ) AS e
    WHERE c.oid = ANY ($1::oid[])
) AS z
WHERE c.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY n.nspname, c.relname
