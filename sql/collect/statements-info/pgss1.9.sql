SELECT dealloc, stats_reset FROM :extension_schema.pg_stat_statements_info
