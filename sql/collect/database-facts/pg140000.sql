-- Before 15 a database does not remember which version of its collation its indexes were built with.
SELECT d.oid::int8 AS oid, d.datname::text AS name, d.datconnlimit::int4 AS connection_limit,
    pg_encoding_to_char(d.encoding)::text AS encoding, NULL::text AS collation_version,
    NULL::text AS collation_actual_version
FROM pg_database AS d ORDER BY d.oid
