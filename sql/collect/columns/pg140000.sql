-- Columns with what pg_stats says of them. Arrays as their text: they are given to a planner as they are.
-- $1: relations that somebody holds: to print their expressions would wait, and with columns but without indexes they
-- would be advised on wrongly. $2: the tables whose columns to read.
SELECT
    c.oid::int8 AS table_oid, n.nspname::text AS schema, c.relname::text AS "table", a.attname::text AS name,
    a.attnum::int4 AS attnum, format_type(a.atttypid, a.atttypmod) AS type, a.attlen::int4 AS typlen,
    a.attalign::text AS typalign, t.typtype::text AS typtype, t.typcategory::text AS typcategory,
    a.attnotnull AS not_null,
    CASE WHEN a.attcollation <> t.typcollation AND co.oid IS NOT NULL
        THEN quote_ident(con.nspname) || '.' || quote_ident(co.collname) END AS collation,
    a.attgenerated::text AS generated, a.attidentity::text AS identity,
    pg_get_expr(d.adbin, d.adrelid) AS default_expression,
    CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::int4 END AS stattarget,
    coalesce(a.attoptions, '{}')::text[] AS options,
    -- The conditions of the view pg_stats itself.
    has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_select,
    c.relrowsecurity AND row_security_active(c.oid) AS behind_policies,
    s.inherited, s.null_frac::float8 AS null_frac, s.avg_width::int4 AS avg_width, s.n_distinct::float8 AS n_distinct,
    s.most_common_vals::text AS most_common_vals, s.most_common_freqs::float8[] AS most_common_freqs,
    s.histogram_bounds::text AS histogram_bounds, s.correlation::float8 AS correlation,
    s.most_common_elems::text AS most_common_elems, s.most_common_elem_freqs::float8[] AS most_common_elem_freqs,
    s.elem_count_histogram::float8[] AS elem_count_histogram
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_collation AS co ON co.oid = a.attcollation
LEFT JOIN pg_namespace AS con ON con.oid = co.collnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
-- A parent has a row for itself and one for its tree: the tree's says what a query over the parent meets.
LEFT JOIN LATERAL (
    SELECT * FROM pg_stats AS st
    WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
    ORDER BY st.inherited = (c.relkind = 'p') DESC LIMIT 1
) AS s ON true
WHERE c.oid = ANY ($2::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND c.oid <> ALL ($1::oid[])
