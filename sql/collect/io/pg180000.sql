-- 18 and newer count bytes by themselves.
SELECT backend_type, object, context, reads, read_bytes::int8 AS read_bytes, read_time AS read_time_ms,
    writes, write_bytes::int8 AS write_bytes, write_time AS write_time_ms,
    extends, extend_bytes::int8 AS extend_bytes, extend_time AS extend_time_ms,
    hits, evictions, reuses, fsyncs, fsync_time AS fsync_time_ms, stats_reset
FROM pg_stat_io ORDER BY 1, 2, 3
