-- 15 and newer: the right to change a setting of the session can be granted.
-- Columns that a B-tree leads with and whose table changed since ANALYZE, the most changed first: where a constant lies
-- beyond the histogram the planner asks such an index for the column's ends. Only types whose values are numbers or
-- times, and only indexes that give them in the column's own order: no plan may need more than a look at either end.
-- uncounted: our look need not count as a scan of the index, which would pass for used ever after; only_unique: only
-- indexes lead with the column that nobody would drop for not being scanned.
-- $1: relations that somebody holds.
SELECT f.table_oid, f.schema, f."table", f.name, f.attnum, f.nulls_first, f.may_select, f.only_unique, u.uncounted,
    count(*) OVER () AS columns
FROM (
    SELECT DISTINCT ON (c.oid, a.attnum) c.oid::int8 AS table_oid, n.nspname::text AS schema, c.relname::text AS "table",
        a.attname::text AS name, a.attnum::int4 AS attnum,
        -- In ascending order: bit 0 is DESC, bit 1 NULLS FIRST.
        (x.indoption[0] & 1 = 0) = (x.indoption[0] & 2 <> 0) AS nulls_first,
        has_column_privilege(c.oid, a.attnum, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS may_select,
        NOT EXISTS (SELECT 1 FROM pg_index AS y WHERE y.indrelid = c.oid AND y.indkey[0] = a.attnum AND NOT y.indisunique) AS only_unique,
        pg_stat_get_mod_since_analyze(c.oid) / greatest(c.reltuples, 1) AS change
    FROM pg_index AS x
    JOIN pg_class AS i ON i.oid = x.indexrelid
    JOIN pg_class AS c ON c.oid = x.indrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
    JOIN pg_opclass AS oc ON oc.oid = x.indclass[0] AND oc.opcdefault AND oc.opcintype = a.atttypid
    JOIN pg_am AS am ON am.oid = i.relam
    WHERE am.amname = 'btree' AND i.relkind = 'i' AND c.relkind = 'r' AND c.relpersistence <> 't'
        AND x.indisvalid AND x.indisready AND x.indislive AND NOT x.indcheckxmin AND x.indpred IS NULL
        AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype,
            'numeric'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
        AND pg_stat_get_mod_since_analyze(c.oid) > 0 AND c.reltuples > 0 AND c.oid <> ALL ($1::oid[])
        AND NOT (c.relrowsecurity AND row_security_active(c.oid))
    ORDER BY c.oid, a.attnum, i.relpages
) AS f
CROSS JOIN (SELECT r.rolsuper OR has_parameter_privilege('track_counts', 'SET') AS uncounted FROM pg_roles AS r WHERE r.rolname = current_user) AS u
ORDER BY f.may_select DESC, u.uncounted OR f.only_unique DESC, f.change DESC, f.table_oid, f.attnum
LIMIT CASE WHEN current_setting('pg_stat_statements.track', true) = 'all' THEN 50 ELSE 2000 END
