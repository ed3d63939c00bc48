-- This database's row of pg_stat_database; times are milliseconds there already.
SELECT d.xact_commit, d.xact_rollback, d.blks_read, d.blks_hit, d.tup_returned, d.tup_fetched, d.tup_inserted,
    d.tup_updated, d.tup_deleted, d.temp_files, d.temp_bytes, d.deadlocks, d.conflicts, d.checksum_failures,
    d.blk_read_time AS blk_read_time_ms, d.blk_write_time AS blk_write_time_ms, d.sessions,
    d.session_time AS session_time_ms, d.active_time AS active_time_ms,
    d.idle_in_transaction_time AS idle_in_transaction_time_ms, d.sessions_abandoned, d.sessions_fatal,
    d.sessions_killed, NULL::int8 AS parallel_workers_to_launch, NULL::int8 AS parallel_workers_launched,
    d.numbackends::int8 AS numbackends, d.stats_reset
FROM pg_stat_database AS d WHERE d.datname = current_database()
