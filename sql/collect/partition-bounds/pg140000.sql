-- $1: relations that somebody holds: to print their bounds would wait.
SELECT c.oid::int8 AS table_oid, i.inhparent::int8 AS parent_oid, pg_get_expr(c.relpartbound, c.oid) AS definition
FROM pg_class AS c JOIN pg_inherits AS i ON i.inhrelid = c.oid
WHERE c.relispartition AND c.oid <> ALL ($1::oid[]) AND c.relkind IN ('r', 'p', 'f') ORDER BY 1
