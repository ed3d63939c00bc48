-- SECURITY DEFINER functions of users: without a search_path of their own they may be led astray by the caller's.
SELECT p.oid::int8 AS oid, n.nspname::text AS schema, p.proname::text AS name, r.rolsuper AS owner_is_superuser,
    EXISTS (SELECT 1 FROM unnest(p.proconfig) AS c WHERE starts_with(c, 'search_path=')) AS sets_search_path,
    has_function_privilege('public', p.oid, 'EXECUTE') AS public_may_execute,
    pg_get_function_identity_arguments(p.oid) AS identity_arguments, p.prosqlbody IS NOT NULL AS is_parsed_early
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_roles AS r ON r.oid = p.proowner
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.oid
