-- Asked only where pageinspect is there and may be used. $1: relations that somebody holds: to read them would wait.
SELECT c.oid::int8 AS oid, (:extension_schema.bt_metap(quote_ident(n.nspname) || '.' || quote_ident(c.relname))).level::int4 AS level
FROM pg_class AS c
JOIN pg_index AS x ON x.indexrelid = c.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
WHERE c.relkind = 'i' AND a.amname = 'btree' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname NOT LIKE 'pg\_temp%' AND x.indisvalid
    AND CASE WHEN x.indexrelid = ANY ($1::oid[]) OR x.indrelid = ANY ($1::oid[]) THEN false
        ELSE pg_relation_size(c.oid) > 0 END
