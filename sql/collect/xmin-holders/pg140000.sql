-- Whatever keeps vacuum from removing dead rows, oldest first. Before 17 a slot does not tell since when it is inactive.
SELECT kind, name, database, xmin_age, catalog_xmin_age, since FROM (
    SELECT 'session' AS kind, a.pid::text AS name, a.datname::text AS database,
        greatest(age(a.backend_xmin), age(a.backend_xid))::int8 AS xmin_age,
        NULL::int8 AS catalog_xmin_age, a.xact_start AS since
    FROM pg_stat_activity AS a
    -- A transaction that wrote holds the horizon with its own id, also between statements, when it has no xmin.
    WHERE coalesce(a.backend_xmin, a.backend_xid) IS NOT NULL AND a.pid <> pg_backend_pid() AND a.backend_type <> 'walsender'
        -- A VACUUM has an xmin and holds nothing by it (PROC_IN_VACUUM, ComputeXidHorizons() of procarray.c), in whatever database.
        AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum AS v WHERE v.pid IN (a.pid, a.leader_pid))
    UNION ALL
    SELECT 'replication_slot', s.slot_name::text, s.database::text, age(s.xmin)::int8, age(s.catalog_xmin)::int8, NULL::timestamptz
    FROM pg_replication_slots AS s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'prepared_transaction', p.gid, p.database::text, age(p.transaction)::int8, NULL, p.prepared
    FROM pg_prepared_xacts AS p
    UNION ALL
    SELECT 'standby', coalesce(nullif(r.application_name, ''), r.pid::text), NULL, age(r.backend_xmin)::int8, NULL, r.backend_start
    FROM pg_stat_replication AS r WHERE r.backend_xmin IS NOT NULL
) AS holder
ORDER BY greatest(xmin_age, catalog_xmin_age) DESC NULLS LAST, kind, name LIMIT 50
