-- A stat() for each file of pg_wal: 1,000 segments are 16 GB.
SELECT (SELECT count(*) FROM pg_catalog.pg_ls_waldir()) AS files,
  (SELECT coalesce(sum(size), 0)::int8 FROM pg_catalog.pg_ls_waldir()) AS bytes,
  (SELECT count(*) FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS archive_ready
