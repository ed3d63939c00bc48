-- What PgLuthier needs to watch a database: run it as a superuser (or the service's administrator) in that database,
-- in every database that is to be watched; the role itself is made once a server. PostgreSQL 14 and newer.
-- Replace pgluthier_collector by your role's name and give it a password of your own (\password in psql, so that it
-- reaches neither a log nor pg_stat_statements).

CREATE ROLE pgluthier_collector LOGIN;

-- Other sessions, all statistics, all settings.
GRANT pg_monitor TO pgluthier_collector;

-- pg_stats shows the statistics of a column only to those who may read it. Whoever does not want to grant this grants
-- SELECT on single tables; the others are then advised on without their columns' statistics, which the report says.
GRANT pg_read_all_data TO pgluthier_collector;

-- Tables with row-level security show their statistics only to roles that their policies do not bind.
-- ALTER ROLE pgluthier_collector BYPASSRLS;

-- Statements are counted by this extension; its library must be in shared_preload_libraries.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- The least and greatest value of columns are looked up by their indexes (docs/collecting.md; PGLUTHIER_COLUMN_ENDS=off
-- forgoes it). With this right, which there is from 15 on, the role's own looks are not counted as scans of the indexes.
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        EXECUTE 'GRANT SET ON PARAMETER track_counts TO pgluthier_collector';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'track_counts cannot be granted here: ends of columns are read by unique indexes alone';
END $$;

-- Memory, CPUs and disk of the host are read through the server only with these two, which let the role read every
-- file that the server can: to tell PgLuthier the three figures is the better way.
-- GRANT pg_read_server_files TO pgluthier_collector;
-- GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint, boolean) TO pgluthier_collector;
