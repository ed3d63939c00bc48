SELECT b.pid::int8 AS pid, b.relid::int8 AS table_oid, b.index_relid::int8 AS index_oid, b.command, b.phase, b.lockers_total,
    b.lockers_done, b.blocks_total, b.blocks_done, b.tuples_total, b.tuples_done, a.query_start AS started_at
FROM pg_stat_progress_create_index AS b LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
WHERE b.datname = current_database() ORDER BY b.pid
