-- Before 17 checkpoints are counted in pg_stat_bgwriter.
SELECT checkpoints_timed AS timed, checkpoints_req AS requested, NULL::int8 AS done,
    checkpoint_write_time AS write_time_ms, checkpoint_sync_time AS sync_time_ms,
    buffers_checkpoint AS buffers_written, stats_reset
FROM pg_stat_bgwriter
