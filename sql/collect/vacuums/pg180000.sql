-- 18 and newer: how long it slept for its cost limit, with track_cost_delay_timing.
SELECT v.pid::int8 AS pid, v.relid::int8 AS table_oid, v.phase, v.heap_blks_total, v.heap_blks_scanned, v.heap_blks_vacuumed,
    v.index_vacuum_count, coalesce(a.backend_type = 'autovacuum worker', false) AS is_autovacuum,
    -- The worker itself writes so into pg_stat_activity; a person's comment could say the same only in a session of theirs.
    coalesce(a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)', false) AS is_wraparound,
    a.xact_start AS started_at, CASE WHEN current_setting('track_cost_delay_timing')::bool THEN v.delay_time END AS delay_time_ms
FROM pg_stat_progress_vacuum AS v LEFT JOIN pg_stat_activity AS a ON a.pid = v.pid
WHERE v.datname = current_database() ORDER BY v.pid
