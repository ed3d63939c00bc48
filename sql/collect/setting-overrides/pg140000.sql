SELECT
    CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole)::text END AS role, d.datname::text AS database,
    split_part(item, '=', 1) AS name, substr(item, strpos(item, '=') + 1) AS value
FROM pg_db_role_setting AS s
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) AS item
WHERE s.setdatabase = 0 OR d.datname = current_database()
ORDER BY 1, 2, 3
