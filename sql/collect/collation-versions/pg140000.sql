-- Collations that indexes of users' tables sort by, the database's default aside.
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.collname::text AS name, c.collprovider::text AS provider,
    c.collisdeterministic AS is_deterministic, c.collversion AS version, pg_collation_actual_version(c.oid) AS actual_version
FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
WHERE c.collprovider <> 'd'
    AND c.oid IN (SELECT u FROM pg_index AS i CROSS JOIN LATERAL unnest(i.indcollation::oid[]) AS u WHERE i.indrelid >= 16384)
ORDER BY c.oid
