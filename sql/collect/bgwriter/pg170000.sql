-- 17 and newer count backends' own writes in pg_stat_io only.
SELECT buffers_clean, maxwritten_clean, buffers_alloc, NULL::int8 AS buffers_backend, stats_reset FROM pg_stat_bgwriter
