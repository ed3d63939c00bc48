-- What PgLuthier needs to apply approved changes, beyond collector.sql. Replace the names by your own;
-- `pgluthier doctor <dsn>` prints these statements for the roles, schemas and settings that are there.

-- Indexes, statistics and table options belong to the table's owner: membership in that role is the least that works.
-- One GRANT for each owner. The sessions that make a change take the owner's role on by SET ROLE, so that what they make
-- is the owner's; an owner without CREATE on a schema needs it for any new index there.
-- PostgreSQL 16 and newer: without INHERIT the login has no right of the owner's in all its other sessions.
-- GRANT app_owner TO pgluthier_collector WITH INHERIT FALSE, SET TRUE;
-- PostgreSQL 14 and 15 (there ALTER ROLE pgluthier_collector NOINHERIT would take away pg_monitor as well):
-- GRANT app_owner TO pgluthier_collector;
-- GRANT CREATE ON SCHEMA app TO app_owner;

-- Settings (PostgreSQL 15 and newer: before that only superusers may ALTER SYSTEM, and this statement is an error;
-- managed services have ways of their own). One name for each parameter that it may change.
GRANT ALTER SYSTEM ON PARAMETER work_mem, maintenance_work_mem, effective_cache_size, random_page_cost,
    effective_io_concurrency, max_wal_size, min_wal_size, checkpoint_completion_target, shared_buffers, wal_buffers
    TO pgluthier_collector;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO pgluthier_collector;
-- What stood in postgresql.auto.conf before, for the way back.
GRANT SELECT ON pg_file_settings TO pgluthier_collector;
GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO pgluthier_collector;
