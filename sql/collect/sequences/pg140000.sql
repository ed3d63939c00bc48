-- Whether last_value may be read: not without the right to, nor on a standby where no write-ahead log tells it.
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, format_type(s.seqtypid, NULL) AS data_type,
    s.seqstart::text AS start_value, s.seqmin::text AS min_value, s.seqmax::text AS max_value,
    s.seqincrement::text AS increment_by, s.seqcycle AS cycle,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
    c.relpersistence = 'u' AND pg_is_in_recovery() AS unlogged_here,
    d.refobjid::int8 AS owner_table_oid, a.attname::text AS owner_column
FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_temp%'
