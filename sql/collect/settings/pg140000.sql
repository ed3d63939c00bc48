-- Commands and connection strings may hold passwords, and so may settings of extensions with such names: of these only
-- whether they are set is read.
SELECT name, CASE WHEN secret AND setting <> '' THEN '***' ELSE setting END AS setting, unit, category, context, vartype,
    source, min_val, max_val, enumvals, CASE WHEN secret AND boot_val <> '' THEN '***' ELSE boot_val END AS boot_val,
    CASE WHEN secret AND reset_val <> '' THEN '***' ELSE reset_val END AS reset_val, sourcefile, pending_restart
FROM pg_settings
CROSS JOIN LATERAL (
    SELECT vartype = 'string' AND (
        name IN ('primary_conninfo', 'archive_command', 'restore_command', 'archive_cleanup_command',
                 'recovery_end_command', 'ssl_passphrase_command')
        OR (name LIKE '%.%' AND name ~* '(passw|secret|token|key|salt|conninfo|credential|uri|url|dsn)')
    ) AS secret
) AS s
ORDER BY name
