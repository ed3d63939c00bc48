-- Before 15 a database has no locale provider but libc.
SELECT
    current_setting('server_version') AS server_version, current_setting('server_version_num')::int8 AS server_version_num,
    current_database()::text AS database, pg_postmaster_start_time() AS started_at,
    -- Asked for by itself: a function that may not be called fails a statement even where a CASE leaves it out.
    has_function_privilege('pg_control_system()', 'EXECUTE') AS tells_identifier,
    pg_is_in_recovery() AS in_recovery, current_setting('block_size')::int8 AS block_size,
    pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS lc_collate, d.datctype::text AS lc_ctype,
    NULL::text AS locale_provider, NULL::text AS icu_locale,
    (SELECT stats_reset FROM pg_stat_database WHERE datid = d.oid) AS stats_reset, clock_timestamp() AS taken_at
FROM pg_database AS d WHERE d.datname = current_database()
