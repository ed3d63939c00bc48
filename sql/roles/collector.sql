-- What PgLuthier needs to watch a database: run it as a superuser (or the service's administrator) in that database.
-- Replace pgluthier_collector by your role's name and give it a password of your own.

CREATE ROLE pgluthier_collector LOGIN;

-- Other sessions, all statistics, all settings.
GRANT pg_monitor TO pgluthier_collector;

-- pg_stats shows the statistics of a column only to those who may read it. Whoever does not want to grant this grants
-- SELECT on single tables; the others are then advised on without their columns' statistics, which the report says.
GRANT pg_read_all_data TO pgluthier_collector;

-- Statements are counted by this extension; its library must be in shared_preload_libraries.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
