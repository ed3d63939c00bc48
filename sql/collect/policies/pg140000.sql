-- Row-level security: whom it binds gets these conditions in every plan. PUBLIC is no role: no role can have its name.
-- $1: relations that somebody holds: to print their expressions would wait.
SELECT p.polrelid::int8 AS table_oid, p.polname::text AS name, p.polpermissive AS permissive, p.polcmd::text AS command,
    CASE WHEN p.polroles = '{0}' THEN '{public}'
        ELSE ARRAY(SELECT r.rolname::text FROM pg_roles AS r WHERE r.oid = ANY (p.polroles) ORDER BY 1) END AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS using_expression, pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_temp%' AND c.oid <> ALL ($1::oid[])
ORDER BY p.polrelid, p.polname
