SELECT name, setting, unit, category, context, vartype, source, min_val, max_val, enumvals, boot_val, reset_val,
    sourcefile, pending_restart
FROM pg_settings ORDER BY name
