SELECT buffers_clean, maxwritten_clean, buffers_alloc, buffers_backend, stats_reset FROM pg_stat_bgwriter
