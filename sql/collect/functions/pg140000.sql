-- Functions of users that planning may need: first those that relations, types, policies, operators, casts and
-- aggregates call, for these could not be rebuilt without them; then those that statements may call, short ones first,
-- 2,000 and 4 MB at most. Neither triggers' nor what only the server itself calls (arguments of type internal),
-- nor what comes with an extension or a range type.
WITH called AS (
    SELECT DISTINCT d.refobjid AS oid FROM pg_depend AS d
    WHERE d.refclassid = 'pg_proc'::regclass AND (
        d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass,
            'pg_policy'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass, 'pg_statistic_ext'::regclass)
        OR d.classid = 'pg_proc'::regclass AND EXISTS (SELECT 1 FROM pg_aggregate AS g WHERE g.aggfnoid = d.objid))
),
found AS (
    SELECT p.oid, n.nspname, p.proname, l.lanname, p.provolatile, p.proleakproof, octet_length(p.prosrc) AS bytes,
        EXISTS (SELECT 1 FROM called AS c WHERE c.oid = p.oid) AS is_called
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_language AS l ON l.oid = p.prolang
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_temp%' AND p.prokind = 'f'
        AND NOT ARRAY['trigger', 'event_trigger', 'internal', 'cstring', '"any"', 'language_handler', 'fdw_handler',
            'index_am_handler', 'table_am_handler', 'tsm_handler']::regtype[]::oid[] && (p.proargtypes::oid[] || p.prorettype)
        AND NOT EXISTS (SELECT 1 FROM pg_depend AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid
            AND e.deptype IN ('e', 'i'))
),
ordered AS (
    SELECT f.*, row_number() OVER w AS position, sum(f.bytes) OVER w AS bytes_so_far, count(*) OVER () AS functions
    FROM found AS f WINDOW w AS (ORDER BY f.is_called DESC, f.bytes, f.oid)
)
SELECT o.nspname::text AS schema, o.proname::text AS name, o.lanname::text AS language, o.provolatile::text AS volatility,
    pg_get_functiondef(o.oid) AS definition, pg_get_function_identity_arguments(o.oid) AS identity_arguments,
    o.proleakproof AS leakproof, o.is_called, o.functions::int8 AS functions
FROM ordered AS o WHERE o.position <= 2000 AND (o.is_called OR o.bytes_so_far <= 4 * 1024 * 1024)
ORDER BY o.oid
