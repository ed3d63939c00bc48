-- pg_stat_statements 1.11 (PostgreSQL 17 and newer): with the JIT of deforming, and since when each row counts.
-- $1: with texts; without them the file that holds them is not read.
SELECT
    s.userid::int8 AS userid, s.dbid::int8 AS dbid, coalesce(s.queryid::text, '') AS queryid, s.toplevel,
    r.rolname::text AS "user",
    -- Without the right to see it there is neither queryid nor text. The comment that never ends keeps a cut text from
    -- being taken for a whole one.
    CASE WHEN s.queryid IS NULL THEN NULL
        WHEN length(s.query) > 100000 THEN left(s.query, 100000) || ' /* cut off'
        ELSE s.query END AS query,
    s.calls, s.total_exec_time AS total_exec_time_ms, s.mean_exec_time AS mean_exec_time_ms,
    s.stddev_exec_time AS stddev_exec_time_ms, s.min_exec_time AS min_exec_time_ms,
    s.max_exec_time AS max_exec_time_ms, s.plans, s.total_plan_time AS total_plan_time_ms, s.rows,
    s.shared_blks_hit, s.shared_blks_read, s.shared_blks_dirtied, s.shared_blks_written,
    s.temp_blks_read, s.temp_blks_written,
    -- Nothing is timed while track_io_timing is off, and blocks without any time are of when it was: no 0 then.
    CASE WHEN t.timed THEN round(s.temp_blk_read_time::numeric, 3)::float8 END AS temp_blk_read_time_ms,
    CASE WHEN t.timed THEN round(s.temp_blk_write_time::numeric, 3)::float8 END AS temp_blk_write_time_ms,
    s.wal_records, s.wal_bytes,
    s.jit_generation_time + s.jit_inlining_time + s.jit_optimization_time + s.jit_emission_time + s.jit_deform_time AS jit_time_ms,
    s.stats_since
FROM :extension_schema.pg_stat_statements($1::bool) AS s
LEFT JOIN pg_roles AS r ON r.oid = s.userid
CROSS JOIN LATERAL (
    SELECT current_setting('track_io_timing')::bool
        AND (s.temp_blks_read + s.temp_blks_written = 0 OR s.temp_blk_read_time + s.temp_blk_write_time > 0) AS timed
) AS t
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
