-- Aggregates, operators and casts of users, as the statements that make them: no function of the catalog prints these.
-- Aggregates of ordered sets aside, and what only a superuser can make for them.
SELECT k.kind, k.schema::text AS schema, k.name::text AS name, k.definition
FROM (
    SELECT 'aggregate' AS kind, n.nspname AS schema, p.proname AS name, 'pg_proc'::regclass AS class, p.oid,
        format('CREATE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname,
            CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END,
            concat_ws(', ', 'SFUNC = ' || a.aggtransfn::text, 'STYPE = ' || format_type(a.aggtranstype, NULL),
                CASE WHEN a.aggtransspace > 0 THEN 'SSPACE = ' || a.aggtransspace END,
                CASE WHEN a.aggfinalfn::oid <> 0 THEN 'FINALFUNC = ' || a.aggfinalfn::text END,
                CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
                CASE WHEN a.aggcombinefn::oid <> 0 THEN 'COMBINEFUNC = ' || a.aggcombinefn::text END,
                'INITCOND = ' || quote_literal(a.agginitval),
                CASE WHEN s.oid IS NOT NULL THEN format('SORTOP = OPERATOR(%I.%s)', sn.nspname, s.oprname) END,
                'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END)) AS definition
    FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid JOIN pg_namespace AS n ON n.oid = p.pronamespace
    LEFT JOIN pg_operator AS s ON s.oid = a.aggsortop LEFT JOIN pg_namespace AS sn ON sn.oid = s.oprnamespace
    WHERE a.aggkind = 'n'
    UNION ALL
    SELECT 'operator', n.nspname, o.oprname, 'pg_operator'::regclass, o.oid,
        format('CREATE OPERATOR %I.%s (%s)', n.nspname, o.oprname,
            concat_ws(', ', 'FUNCTION = ' || o.oprcode::text,
                CASE WHEN o.oprleft <> 0 THEN 'LEFTARG = ' || format_type(o.oprleft, NULL) END,
                'RIGHTARG = ' || format_type(o.oprright, NULL),
                CASE WHEN c.oid IS NOT NULL THEN format('COMMUTATOR = OPERATOR(%I.%s)', cn.nspname, c.oprname) END,
                CASE WHEN g.oid IS NOT NULL THEN format('NEGATOR = OPERATOR(%I.%s)', gn.nspname, g.oprname) END,
                CASE WHEN o.oprrest::oid <> 0 THEN 'RESTRICT = ' || o.oprrest::text END,
                CASE WHEN o.oprjoin::oid <> 0 THEN 'JOIN = ' || o.oprjoin::text END,
                CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END))
    FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
    LEFT JOIN pg_operator AS c ON c.oid = o.oprcom LEFT JOIN pg_namespace AS cn ON cn.oid = c.oprnamespace
    LEFT JOIN pg_operator AS g ON g.oid = o.oprnegate LEFT JOIN pg_namespace AS gn ON gn.oid = g.oprnamespace
    WHERE o.oprcode::oid <> 0
    UNION ALL
    -- Casts have no schema: of what the server is made with the OIDs are below 16384.
    SELECT 'cast', '', format('%s AS %s', format_type(x.castsource, NULL), format_type(x.casttarget, NULL)), 'pg_cast'::regclass, x.oid,
        format('CREATE CAST (%s AS %s) %s%s', format_type(x.castsource, NULL), format_type(x.casttarget, NULL),
            CASE x.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || x.castfunc::regprocedure::text WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
            CASE x.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' ELSE '' END)
    FROM pg_cast AS x WHERE x.oid >= 16384
) AS k
WHERE k.schema NOT IN ('pg_catalog', 'information_schema') AND k.schema NOT LIKE 'pg\_temp%'
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = k.class AND d.objid = k.oid AND d.deptype IN ('e', 'i'))
ORDER BY k.kind, k.oid
LIMIT 2000
