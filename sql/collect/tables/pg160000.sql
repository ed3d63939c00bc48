-- 16 and newer count updates that went to another page.
-- $1: relations that somebody holds; their sizes are the catalog's, for measuring would wait. $2: the tables to read.
-- Each file is looked at once: a total is put together of its parts. Counters come from their functions: the view
-- pg_stat_all_tables groups all tables for each group of ours.
SELECT
    c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
    c.relpersistence::text AS relpersistence, pg_get_userbyid(c.relowner)::text AS owner,
    c.relpages::int8 AS relpages, c.reltuples::float8 AS reltuples, c.relallvisible::int8 AS relallvisible,
    coalesce(z.main / b.size, 0)::int8 AS main_pages,
    coalesce(z.main + z.maps + z.toast + z.indexes, 0)::int8 AS total_bytes,
    coalesce(z.toast, 0)::int8 AS toast_bytes,
    coalesce(z.indexes, 0)::int8 AS indexes_bytes,
    coalesce(c.reloptions, '{}')::text[] AS reloptions,
    coalesce(tc.reloptions, '{}')::text[] AS toast_reloptions,
    (SELECT i.inhparent::int8 FROM pg_inherits AS i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) AS parent_oid,
    c.relispartition AS is_partition, c.relreplident::text AS replica_identity,
    c.relnatts::int4 AS column_numbers,
    (SELECT ts.spcname::text FROM pg_tablespace AS ts WHERE ts.oid = c.reltablespace) AS tablespace,
    coalesce(pg_stat_get_numscans(c.oid), 0) AS seq_scan, coalesce(pg_stat_get_tuples_returned(c.oid), 0) AS seq_tup_read,
    i.idx_scan, i.idx_tup_fetch + coalesce(pg_stat_get_tuples_fetched(c.oid), 0) AS idx_tup_fetch,
    coalesce(pg_stat_get_tuples_inserted(c.oid), 0) AS n_tup_ins, coalesce(pg_stat_get_tuples_updated(c.oid), 0) AS n_tup_upd,
    coalesce(pg_stat_get_tuples_deleted(c.oid), 0) AS n_tup_del,
    coalesce(pg_stat_get_tuples_hot_updated(c.oid), 0) AS n_tup_hot_upd,
    coalesce(pg_stat_get_tuples_newpage_updated(c.oid), 0) AS n_tup_newpage_upd,
    coalesce(pg_stat_get_live_tuples(c.oid), 0) AS n_live_tup, coalesce(pg_stat_get_dead_tuples(c.oid), 0) AS n_dead_tup,
    coalesce(pg_stat_get_mod_since_analyze(c.oid), 0) AS n_mod_since_analyze,
    coalesce(pg_stat_get_ins_since_vacuum(c.oid), 0) AS n_ins_since_vacuum,
    pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum, pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
    pg_stat_get_last_analyze_time(c.oid) AS last_analyze, pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze,
    coalesce(pg_stat_get_vacuum_count(c.oid), 0) AS vacuum_count,
    coalesce(pg_stat_get_autovacuum_count(c.oid), 0) AS autovacuum_count,
    coalesce(pg_stat_get_analyze_count(c.oid), 0) AS analyze_count,
    coalesce(pg_stat_get_autoanalyze_count(c.oid), 0) AS autoanalyze_count,
    CASE WHEN c.relfrozenxid::text <> '0' THEN age(c.relfrozenxid)::int8 END AS xid_age,
    CASE WHEN c.relminmxid::text <> '0' THEN mxid_age(c.relminmxid)::int8 END AS mxid_age,
    NULL::int8 AS relallfrozen, pg_stat_get_lastscan(c.oid) AS last_seq_scan, i.last_idx_scan AS last_idx_scan,
    am.amname::text AS access_method, c.relrowsecurity AS row_security, c.relforcerowsecurity AS row_security_forced,
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
LEFT JOIN pg_class AS tc ON tc.oid = c.reltoastrelid
LEFT JOIN pg_am AS am ON am.oid = c.relam
CROSS JOIN (SELECT current_setting('block_size')::int8 AS size) AS b
CROSS JOIN LATERAL (
    SELECT sum(pg_stat_get_numscans(x.indexrelid))::int8 AS idx_scan,
        sum(pg_stat_get_tuples_fetched(x.indexrelid))::int8 AS idx_tup_fetch,
        max(pg_stat_get_lastscan(x.indexrelid)) AS last_idx_scan
    FROM pg_index AS x WHERE x.indrelid = c.oid
) AS i
CROSS JOIN LATERAL (
    SELECT pg_relation_size(c.oid) AS main, pg_relation_size(c.oid, 'fsm') + pg_relation_size(c.oid, 'vm') AS maps,
        coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast, pg_indexes_size(c.oid) AS indexes
    WHERE c.oid <> ALL ($1::oid[])
    UNION ALL
    SELECT c.relpages * b.size, 0, e.toast * b.size, e.indexes * b.size
    FROM (
        SELECT coalesce((SELECT sum(t.relpages) FROM pg_class AS t
                         WHERE t.oid = c.reltoastrelid
                            OR t.oid IN (SELECT ti.indexrelid FROM pg_index AS ti WHERE ti.indrelid = c.reltoastrelid)), 0) AS toast,
            coalesce((SELECT sum(i.relpages) FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
                      WHERE x.indrelid = c.oid), 0) AS indexes
    ) AS e
    WHERE c.oid = ANY ($1::oid[])
) AS z
WHERE c.oid = ANY ($2::oid[])
