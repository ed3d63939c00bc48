SELECT t.oid::int8 AS oid, t.spcname::text AS name, coalesce(t.spcoptions, '{}')::text[] AS options,
    t.oid = (SELECT d.dattablespace FROM pg_database AS d WHERE d.datname = current_database()) AS is_default
FROM pg_tablespace AS t ORDER BY t.oid
