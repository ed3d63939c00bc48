SELECT r.status, r.sender_host, r.slot_name, (r.latest_end_lsn - pg_last_wal_replay_lsn())::int8 AS received_lag_bytes,
    (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8 AS replay_age_ms
FROM pg_stat_wal_receiver AS r
