-- Asked before, for a refusal would put an error into the server's log at each snapshot.
SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS file_settings,
  has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')
    AND has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE') AS wal_directory
