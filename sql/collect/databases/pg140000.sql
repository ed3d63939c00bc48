SELECT d.oid::int8 AS oid, d.datname::text AS name, d.datallowconn AS allows_connections, d.datistemplate AS is_template,
    age(d.datfrozenxid)::int8 AS datfrozenxid_age, mxid_age(d.datminmxid)::int8 AS datminmxid_age,
    coalesce(s.numbackends, 0)::int8 AS numbackends
FROM pg_database AS d LEFT JOIN pg_stat_database AS s ON s.datid = d.oid ORDER BY d.datname
