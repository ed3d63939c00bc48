-- Asked before, for a refusal would put an error into the server's log at each snapshot; a service may lack a function.
SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS file_settings,
  coalesce(has_function_privilege(to_regprocedure('pg_catalog.pg_ls_waldir()')::oid, 'EXECUTE')
    AND has_function_privilege(to_regprocedure('pg_catalog.pg_ls_archive_statusdir()')::oid, 'EXECUTE'), false) AS wal_directory
