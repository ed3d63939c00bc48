SELECT i.inhrelid::int8 AS table_oid, i.inhparent::int8 AS parent_oid
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE NOT c.relispartition AND c.relkind IN ('r', 'f') ORDER BY i.inhrelid, i.inhseqno
