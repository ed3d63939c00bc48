SELECT d.oid::int8 AS oid, d.datname::text AS name, d.datconnlimit::int4 AS connection_limit,
    pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollversion AS collation_version,
    pg_database_collation_actual_version(d.oid) AS collation_actual_version
FROM pg_database AS d ORDER BY d.oid
