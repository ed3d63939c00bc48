-- What PgLuthier needs to apply approved changes, beyond collector.sql. Replace the names by your own;
-- `pgluthier doctor <dsn>` prints these statements for the roles, schemas and settings that are there.

-- Indexes and table options belong to the table's owner: membership in that role is the least that works. One GRANT
-- for each owner. A member has the owner's CREATE on the schemas too; an owner without it needs it for any new index.
-- GRANT app_owner TO pgluthier_collector;
-- GRANT CREATE ON SCHEMA app TO pgluthier_collector;

-- Settings (PostgreSQL 15 and newer: before that only superusers may ALTER SYSTEM, and this statement is an error;
-- managed services have ways of their own). One name for each parameter that it may change.
GRANT ALTER SYSTEM ON PARAMETER work_mem, maintenance_work_mem, effective_cache_size, random_page_cost,
    effective_io_concurrency, max_wal_size, min_wal_size, checkpoint_completion_target, shared_buffers, wal_buffers
    TO pgluthier_collector;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO pgluthier_collector;
-- What stood in postgresql.auto.conf before, for the way back.
GRANT SELECT ON pg_file_settings TO pgluthier_collector;
GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO pgluthier_collector;
