-- Only of settings that the server knows: applications keep keys and tokens in settings of their own making.
SELECT
    CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole)::text END AS role, d.datname::text AS database,
    i.name, substr(item, strpos(item, '=') + 1) AS value
FROM pg_db_role_setting AS s
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) AS item
CROSS JOIN LATERAL (SELECT split_part(item, '=', 1) AS name) AS i
WHERE (s.setdatabase = 0 OR d.datname = current_database())
    AND EXISTS (SELECT 1 FROM pg_settings AS g WHERE lower(g.name) = lower(i.name) AND (g.vartype <> 'string' OR g.name NOT LIKE '%.%'))
ORDER BY 1, 2, 3
