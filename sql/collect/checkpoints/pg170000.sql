-- 17 counts checkpoints in pg_stat_checkpointer.
SELECT num_timed AS timed, num_requested AS requested, NULL::int8 AS done, write_time AS write_time_ms,
    sync_time AS sync_time_ms, buffers_written, stats_reset
FROM pg_stat_checkpointer
