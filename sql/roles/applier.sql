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

-- Settings of the database (ALTER DATABASE … SET) are its owner's: membership, as for tables. Those of a role, and of a role
-- in a database, take CREATEROLE and ADMIN on that role (16 and newer; before, CREATEROLE is enough for every role that is
-- no superuser, and is more than most would give: such changes can be run by hand, and are recognised).
-- GRANT database_owner TO pgluthier_collector WITH INHERIT FALSE, SET TRUE;
-- A superuser's parameter (log_temp_files, track_io_timing, …) takes its own right, of the role that runs the statement: the
-- database's owner where the login does not inherit (PostgreSQL 15 and newer).
-- GRANT SET ON PARAMETER log_temp_files TO database_owner;
