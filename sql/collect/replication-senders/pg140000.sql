-- A cascading standby sends too; there the position is the replayed one.
SELECT r.pid::int8 AS pid, r.application_name, r.usename::text AS "user", host(r.client_addr) AS client_addr, r.state, r.sync_state,
    (w.position - r.sent_lsn)::int8 AS sent_lag_bytes, (w.position - r.flush_lsn)::int8 AS flush_lag_bytes,
    (w.position - r.replay_lsn)::int8 AS replay_lag_bytes,
    (extract(epoch FROM r.replay_lag) * 1000)::float8 AS replay_lag_ms, age(r.backend_xmin)::int8 AS xmin_age
FROM pg_stat_replication AS r CROSS JOIN (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS position
) AS w ORDER BY r.pid
