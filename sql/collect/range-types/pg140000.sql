SELECT n.nspname::text AS schema, t.typname::text AS name, format_type(r.rngsubtype, NULL) AS subtype,
    quote_ident(ocn.nspname) || '.' || quote_ident(oc.opcname) AS subtype_opclass,
    CASE WHEN co.oid IS NOT NULL THEN quote_ident(con.nspname) || '.' || quote_ident(co.collname) END AS collation,
    CASE WHEN p.oid IS NOT NULL THEN quote_ident(pn.nspname) || '.' || quote_ident(p.proname) END AS subtype_diff
FROM pg_range AS r JOIN pg_type AS t ON t.oid = r.rngtypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_opclass AS oc ON oc.oid = r.rngsubopc LEFT JOIN pg_namespace AS ocn ON ocn.oid = oc.opcnamespace
LEFT JOIN pg_collation AS co ON co.oid = r.rngcollation LEFT JOIN pg_namespace AS con ON con.oid = co.collnamespace
LEFT JOIN pg_proc AS p ON p.oid = r.rngsubdiff LEFT JOIN pg_namespace AS pn ON pn.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY t.oid
