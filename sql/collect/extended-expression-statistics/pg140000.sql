-- What ANALYZE keeps of the expressions of CREATE STATISTICS; up to 14 there is no row of a tree beside a table's own.
-- $1: relations that somebody holds: their expressions are printed by the view.
SELECT x.oid::int8 AS oid, s.expr AS expression, false AS inherited, s.null_frac::float8 AS null_frac,
    s.avg_width::int4 AS avg_width, s.n_distinct::float8 AS n_distinct,
    s.most_common_vals::text AS most_common_vals, s.most_common_freqs::float8[] AS most_common_freqs,
    s.histogram_bounds::text AS histogram_bounds, s.correlation::float8 AS correlation,
    s.most_common_elems::text AS most_common_elems, s.most_common_elem_freqs::float8[] AS most_common_elem_freqs,
    s.elem_count_histogram::float8[] AS elem_count_histogram
FROM pg_stats_ext_exprs AS s
JOIN pg_namespace AS n ON n.nspname = s.statistics_schemaname
JOIN pg_statistic_ext AS x ON x.stxnamespace = n.oid AND x.stxname = s.statistics_name
JOIN pg_class AS c ON c.oid = x.stxrelid
WHERE s.n_distinct IS NOT NULL AND x.stxrelid <> ALL ($1::oid[])
