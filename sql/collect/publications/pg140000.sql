SELECT p.oid::int8 AS oid, p.pubname::text AS name, p.puballtables AS all_tables, p.pubinsert AS inserts,
    p.pubupdate AS updates, p.pubdelete AS deletes, p.pubtruncate AS truncates, p.pubviaroot AS via_root,
    ARRAY(SELECT r.prrelid::int8 FROM pg_publication_rel AS r WHERE r.prpubid = p.oid ORDER BY r.prrelid) AS table_oids
FROM pg_publication AS p ORDER BY p.oid
