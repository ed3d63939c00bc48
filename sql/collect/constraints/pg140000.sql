-- $1: relations that somebody holds: to print their expressions would wait. $2: the tables whose constraints to read.
SELECT n.nspname::text AS schema, c.relname::text AS "table", c.oid::int8 AS table_oid, k.conname::text AS name,
    k.contype::text AS type, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid,
    CASE WHEN k.contype = 'f' THEN k.confrelid::int8 END AS referenced_oid,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
          JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.position) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, position)
          JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.position) AS referenced_columns,
    CASE WHEN k.contype IN ('p', 'u', 'x') THEN (SELECT i.relname::text FROM pg_class AS i WHERE i.oid = k.conindid) END AS index_name
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.conrelid = ANY ($2::oid[]) AND (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND NOT k.convalidated) -- 18 has them for NOT NULL, too
    AND (k.contype NOT IN ('c', 'x') OR c.oid <> ALL ($1::oid[]))
