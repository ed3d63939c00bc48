-- The server looks into its folder of extensions.
SELECT a.name::text AS name, a.installed_version AS installed_version, a.default_version AS default_version
FROM pg_available_extensions AS a WHERE a.installed_version IS NOT NULL ORDER BY a.name
