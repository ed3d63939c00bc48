-- 18 counts those that were completed, too: timed and requested hold skipped ones.
SELECT num_timed AS timed, num_requested AS requested, num_done AS done, write_time AS write_time_ms,
    sync_time AS sync_time_ms, buffers_written, stats_reset
FROM pg_stat_checkpointer
