-- Its connection string is not for everybody to see, and not read. Errors are counted from 15 on.
SELECT s.oid::int8 AS oid, s.subname::text AS name, s.subenabled AS enabled, s.subslotname::text AS slot_name,
    s.subpublications::text[] AS publications, NULL::int8 AS apply_error_count
FROM pg_subscription AS s WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY s.oid
