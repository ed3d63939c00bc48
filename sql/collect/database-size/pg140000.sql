-- Looks at every file of the database: not for a snapshot each minute.
SELECT CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END AS database_size_bytes
FROM pg_database AS d WHERE d.datname = current_database()
