-- Before 15 the view does not tell inherited statistics apart: 14 keeps those of the tree for partitioned tables only.
SELECT x.oid::int8 AS oid, n.nspname::text AS schema, x.stxname::text AS name, x.stxrelid::int8 AS table_oid,
    pg_get_statisticsobjdef(x.oid) AS definition,
    ARRAY(SELECT a.attname::text FROM unnest(x.stxkeys::int2[]) AS k (attnum)
          JOIN pg_attribute AS a ON a.attrelid = x.stxrelid AND a.attnum = k.attnum ORDER BY k.attnum) AS columns,
    coalesce(pg_get_statisticsobjdef_expressions(x.oid), '{}')::text[] AS expressions,
    x.stxkind::text[] AS kinds, CASE WHEN x.stxstattarget >= 0 THEN x.stxstattarget::int4 END AS stattarget,
    e.statistics_name IS NOT NULL AS analysed, c.relkind = 'p' AS inherited,
    e.n_distinct::text AS n_distinct, e.dependencies::text AS dependencies,
    to_jsonb(e.most_common_vals) AS most_common_vals, to_jsonb(e.most_common_val_nulls) AS most_common_val_nulls,
    e.most_common_freqs::float8[] AS most_common_freqs, e.most_common_base_freqs::float8[] AS most_common_base_freqs
FROM pg_statistic_ext AS x
JOIN pg_namespace AS n ON n.oid = x.stxnamespace
JOIN pg_class AS c ON c.oid = x.stxrelid
LEFT JOIN pg_stats_ext AS e ON e.statistics_schemaname = n.nspname AND e.statistics_name = x.stxname
    AND (e.n_distinct IS NOT NULL OR e.dependencies IS NOT NULL OR e.most_common_vals IS NOT NULL)
WHERE x.stxrelid <> ALL ($1::oid[])
ORDER BY x.oid
