-- In the order they were made, so that a view comes after those it reads.
-- $1: relations that somebody holds: to print a view locks it and what it reads.
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, pg_get_viewdef(c.oid) AS definition,
    pg_get_userbyid(c.relowner)::text AS owner, coalesce(c.reloptions, '{}')::text[] AS reloptions
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_temp%'
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND c.oid <> ALL ($1::oid[])
    AND NOT EXISTS (
        SELECT 1 FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[])
    )
ORDER BY c.oid
