-- 17 and newer count checkpoints in pg_stat_checkpointer.
SELECT
    d.xact_commit, d.xact_rollback, d.blks_read, d.blks_hit, d.tup_returned, d.tup_fetched, d.temp_files, d.temp_bytes,
    d.deadlocks, d.numbackends::int8 AS numbackends, d.stats_reset AS database_stats_reset,
    b.num_timed AS checkpoints_timed, b.num_requested AS checkpoints_requested, b.stats_reset AS checkpoints_stats_reset,
    w.wal_bytes, w.wal_fpi, w.wal_buffers_full, w.stats_reset AS wal_stats_reset
FROM pg_stat_database AS d CROSS JOIN pg_stat_checkpointer AS b CROSS JOIN pg_stat_wal AS w
WHERE d.datname = current_database()
