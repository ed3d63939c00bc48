SELECT p.gid, p.database::text AS database, p.owner::text AS owner, p.prepared AS prepared_at, age(p.transaction)::int8 AS xid_age
FROM pg_prepared_xacts AS p ORDER BY p.prepared
