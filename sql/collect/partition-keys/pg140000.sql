SELECT p.partrelid::int8 AS table_oid, pg_get_partkeydef(p.partrelid) AS definition FROM pg_partitioned_table AS p ORDER BY 1
