SELECT wal_records, wal_bytes::int8 AS wal_bytes, wal_fpi, wal_buffers_full, stats_reset FROM pg_stat_wal
