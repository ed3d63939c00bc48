-- A lock on an index or a TOAST table is in the way of measuring its table too.
WITH held AS (
    SELECT DISTINCT l.relation AS oid FROM pg_locks AS l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), with_tables AS (
    SELECT oid FROM held
    UNION SELECT x.indrelid FROM held AS h JOIN pg_index AS x ON x.indexrelid = h.oid
), with_owners AS (
    SELECT oid FROM with_tables
    UNION SELECT c.oid FROM with_tables AS w JOIN pg_class AS c ON c.reltoastrelid = w.oid WHERE c.reltoastrelid <> 0
)
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name
FROM with_owners AS w JOIN pg_class AS c ON c.oid = w.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
