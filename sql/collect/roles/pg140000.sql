-- member_of: whose rights it has without SET ROLE, directly.
SELECT r.oid::int8 AS oid, r.rolname::text AS name, r.rolsuper AS is_superuser, r.rolcanlogin AS can_login,
    r.rolreplication AS can_replicate, r.rolbypassrls AS bypasses_rls, r.rolconnlimit::int4 AS connection_limit,
    CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END AS valid_until,
    ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
          WHERE m.member = r.oid AND r.rolinherit ORDER BY 1) AS member_of
FROM pg_roles AS r WHERE NOT starts_with(r.rolname::text, 'pg_') ORDER BY r.oid
