-- Users' triggers, and of the internal ones (foreign keys) those that are switched off. tgtype: trigger.h.
SELECT t.tgrelid::int8 AS table_oid, t.tgname::text AS name, t.tgisinternal AS is_internal, t.tgenabled::text AS enabled,
    t.tgtype::int4 & 1 <> 0 AS for_each_row, t.tgtype::int4 & 2 <> 0 AS is_before, t.tgtype::int4 & 4 <> 0 AS on_insert,
    t.tgtype::int4 & 8 <> 0 AS on_delete, t.tgtype::int4 & 16 <> 0 AS on_update, t.tgtype::int4 & 32 <> 0 AS on_truncate
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE (NOT t.tgisinternal OR t.tgenabled = 'D') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY t.oid
