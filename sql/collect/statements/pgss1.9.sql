-- pg_stat_statements 1.9 (PostgreSQL 14): no JIT counters, no times of temporary blocks.
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
    s.temp_blks_read, s.temp_blks_written, NULL::float8 AS temp_blk_read_time_ms, NULL::float8 AS temp_blk_write_time_ms,
    s.wal_records, s.wal_bytes,
    NULL::float8 AS jit_time_ms, NULL::timestamptz AS stats_since
FROM :extension_schema.pg_stat_statements($1::bool) AS s
LEFT JOIN pg_roles AS r ON r.oid = s.userid
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
