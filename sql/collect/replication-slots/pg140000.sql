SELECT s.slot_name::text AS name, s.slot_type, s.plugin::text AS plugin, s.database::text AS database, s.active, s.temporary, s.wal_status,
    greatest(w.position - s.restart_lsn, 0)::int8 AS retained_bytes, s.safe_wal_size AS safe_wal_bytes,
    age(s.xmin)::int8 AS xmin_age, age(s.catalog_xmin)::int8 AS catalog_xmin_age, NULL::timestamptz AS inactive_since, NULL::text AS invalidation_reason
FROM pg_replication_slots AS s CROSS JOIN (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS position
) AS w ORDER BY s.slot_name
