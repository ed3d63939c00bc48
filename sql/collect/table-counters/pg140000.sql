-- Before 16 there are neither the times of the last scans nor updates that went to another page.
-- As pg_stat_all_tables has it, without its names and groups: no file is looked at, no relation locked.
SELECT
    c.oid::int8 AS oid,
    coalesce(pg_stat_get_numscans(c.oid), 0) AS seq_scan,
    coalesce(pg_stat_get_tuples_returned(c.oid), 0) AS seq_tup_read,
    i.idx_scan, i.idx_tup_fetch + coalesce(pg_stat_get_tuples_fetched(c.oid), 0) AS idx_tup_fetch,
    coalesce(pg_stat_get_tuples_inserted(c.oid), 0) AS n_tup_ins,
    coalesce(pg_stat_get_tuples_updated(c.oid), 0) AS n_tup_upd,
    coalesce(pg_stat_get_tuples_deleted(c.oid), 0) AS n_tup_del,
    coalesce(pg_stat_get_tuples_hot_updated(c.oid), 0) AS n_tup_hot_upd,
    NULL::int8 AS n_tup_newpage_upd,
    coalesce(pg_stat_get_live_tuples(c.oid), 0) AS n_live_tup,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0) AS n_dead_tup,
    coalesce(pg_stat_get_mod_since_analyze(c.oid), 0) AS n_mod_since_analyze,
    coalesce(pg_stat_get_ins_since_vacuum(c.oid), 0) AS n_ins_since_vacuum,
    pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
    pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
    pg_stat_get_last_analyze_time(c.oid) AS last_analyze,
    pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze,
    NULL::timestamptz AS last_seq_scan, i.last_idx_scan,
    coalesce(pg_stat_get_vacuum_count(c.oid), 0) AS vacuum_count,
    coalesce(pg_stat_get_autovacuum_count(c.oid), 0) AS autovacuum_count,
    coalesce(pg_stat_get_analyze_count(c.oid), 0) AS analyze_count,
    coalesce(pg_stat_get_autoanalyze_count(c.oid), 0) AS autoanalyze_count
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
    SELECT x.indrelid, sum(pg_stat_get_numscans(x.indexrelid))::int8 AS idx_scan,
        sum(pg_stat_get_tuples_fetched(x.indexrelid))::int8 AS idx_tup_fetch, NULL::timestamptz AS last_idx_scan
    FROM pg_index AS x GROUP BY x.indrelid
) AS i ON i.indrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
