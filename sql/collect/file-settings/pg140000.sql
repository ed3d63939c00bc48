-- What the configuration files say, whether the server took it, and what is wrong with it. Values are not read.
SELECT f.sourcefile AS sourcefile, f.sourceline::int4 AS sourceline, f.name AS name, f.applied AS applied, f.error AS error
FROM pg_file_settings AS f ORDER BY f.seqno
