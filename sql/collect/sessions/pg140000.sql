-- Sessions worth a row: waiting for a lock, blocking, long in one transaction, or holding back vacuum most.
-- pg_blocking_pids() and pg_locks stop the lock manager for a moment: asked only where somebody waits for a lock, and
-- for 50 of them at most.
WITH activity AS MATERIALIZED (
    SELECT * FROM pg_stat_activity WHERE pid <> pg_backend_pid()
), waiting AS MATERIALIZED (
    SELECT pid, pg_blocking_pids(pid) AS blocked_by
    FROM (SELECT pid FROM activity WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT 50) AS first
), locks AS MATERIALIZED (
    SELECT DISTINCT ON (l.pid) l.pid, l.locktype, l.mode, l.waitstart,
        CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) THEN l.relation::int8 END AS relation_oid
    FROM pg_locks AS l WHERE EXISTS (SELECT 1 FROM waiting) AND NOT l.granted AND l.pid IN (SELECT pid FROM waiting)
    ORDER BY l.pid, l.waitstart
), blocking AS (SELECT DISTINCT unnest(blocked_by) AS pid FROM waiting)
SELECT a.pid::int8 AS pid, a.backend_type, a.datname::text AS database, a.usename::text AS "user",
    nullif(a.application_name, '') AS application_name, host(a.client_addr) AS client_addr, a.state,
    a.wait_event_type, a.wait_event, a.query_id::text AS query_id, a.backend_start, a.xact_start, a.query_start,
    a.state_change, age(a.backend_xmin)::int8 AS xmin_age, age(a.backend_xid)::int8 AS xid_age,
    coalesce(w.blocked_by, '{}')::int4[] AS blocked_by, l.locktype, l.mode, l.relation_oid, l.waitstart AS waits_since,
    count(*) OVER () AS in_all
FROM activity AS a LEFT JOIN waiting AS w ON w.pid = a.pid LEFT JOIN locks AS l ON l.pid = a.pid
WHERE a.wait_event_type = 'Lock' OR a.pid IN (SELECT pid FROM blocking)
    OR (a.state LIKE 'idle in transaction%' AND a.state_change < clock_timestamp() - interval '1 minute')
    OR a.xact_start < clock_timestamp() - interval '5 minutes'
    OR a.pid = (SELECT pid FROM activity WHERE backend_xmin IS NOT NULL ORDER BY age(backend_xmin) DESC LIMIT 1)
ORDER BY a.wait_event_type = 'Lock' DESC, a.xact_start LIMIT 100
