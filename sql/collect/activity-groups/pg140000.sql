-- All sessions and processes but our own. state is null where this role may not see it.
SELECT a.backend_type, a.datname::text AS database, a.usename::text AS "user", nullif(a.application_name, '') AS application_name,
    a.state, a.wait_event_type, a.wait_event, CASE WHEN a.state = 'active' THEN a.query_id::text END AS query_id,
    count(*)::int8 AS sessions
FROM pg_stat_activity AS a WHERE a.pid <> pg_backend_pid() AND a.backend_type IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 9 DESC, 1, 2, 3, 4, 5, 6, 7, 8
