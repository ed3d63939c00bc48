-- pg_sequence_last_value() reads the sequence itself and so needs its lock and a right on it: null where there is none,
-- and for those that somebody holds ($1).
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, format_type(s.seqtypid, NULL) AS data_type,
    s.seqstart::text AS start_value, s.seqmin::text AS min_value, s.seqmax::text AS max_value,
    s.seqincrement::text AS increment_by, s.seqcycle AS cycle,
    CASE WHEN c.oid = ANY ($1::oid[]) THEN NULL
        WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE') THEN pg_sequence_last_value(c.oid)::text END AS last_value,
    d.refobjid::int8 AS owner_table_oid, a.attname::text AS owner_column
FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY n.nspname, c.relname
