-- $1: queryids whose texts are wanted. The file with all texts is read for it: only when there are new statements.
SELECT
    s.userid::int8 AS userid, s.dbid::int8 AS dbid, s.queryid::text AS queryid, s.toplevel,
    -- The comment that never ends keeps a cut text from being taken for a whole one.
    CASE WHEN length(s.query) > 100000 THEN left(s.query, 100000) || ' /* cut off' ELSE s.query END AS query
FROM :extension_schema.pg_stat_statements(true) AS s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND s.queryid = ANY ($1::int8[])
