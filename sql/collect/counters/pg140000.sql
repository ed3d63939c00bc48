-- Before 17 checkpoints are counted in pg_stat_bgwriter.
SELECT
    d.xact_commit, d.xact_rollback, d.blks_read, d.blks_hit, d.tup_returned, d.tup_fetched, d.temp_files, d.temp_bytes,
    d.deadlocks, d.numbackends::int8 AS numbackends, d.stats_reset AS database_stats_reset,
    b.checkpoints_timed AS checkpoints_timed, b.checkpoints_req AS checkpoints_requested, b.stats_reset AS checkpoints_stats_reset,
    w.wal_bytes, w.wal_fpi, w.wal_buffers_full, w.stats_reset AS wal_stats_reset
FROM pg_stat_database AS d CROSS JOIN pg_stat_bgwriter AS b CROSS JOIN pg_stat_wal AS w
WHERE d.datname = current_database()
