-- From 15 on a publication may name schemas: then all tables there are sent, those to come as well.
SELECT p.oid::int8 AS oid, p.pubname::text AS name, p.puballtables AS all_tables, p.pubinsert AS inserts,
    p.pubupdate AS updates, p.pubdelete AS deletes, p.pubtruncate AS truncates, p.pubviaroot AS via_root,
    ARRAY(SELECT r.prrelid::int8 FROM pg_publication_rel AS r WHERE r.prpubid = p.oid
          UNION
          SELECT c.oid::int8 FROM pg_publication_namespace AS s JOIN pg_class AS c ON c.relnamespace = s.pnnspid
          WHERE s.pnpubid = p.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
          ORDER BY 1) AS table_oids
FROM pg_publication AS p ORDER BY p.oid
