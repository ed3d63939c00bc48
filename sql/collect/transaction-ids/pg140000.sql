-- A standby has no insert position: there what was replayed.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS next_xid, age(d.datfrozenxid)::int8 AS datfrozenxid_age,
    mxid_age(d.datminmxid)::int8 AS datminmxid_age,
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END
        - '0/0'::pg_lsn)::int8 AS wal_position_bytes
FROM pg_database AS d WHERE d.datname = current_database()
