/** The doctor on applying: whose tables the role may change, where it may create, which settings it may set. */
import { type Capabilities, type DiagnosisCheck, quoteIdentifier } from '../domain/index.ts';
import type { TargetSession } from './session.ts';

/** Settings that advice is given on today; sql/roles/applier.sql grants the same (a test compares). */
export const advisedSettings: readonly string[] = [
  'checkpoint_completion_target',
  'effective_cache_size',
  'effective_io_concurrency',
  'maintenance_work_mem',
  'max_wal_size',
  'min_wal_size',
  'random_page_cost',
  'shared_buffers',
  'wal_buffers',
  'work_mem',
];

/** Before this version only superusers may ALTER SYSTEM. */
const PARAMETER_PRIVILEGES_SINCE = 150_000;

export async function applyChecks(
  session: TargetSession,
  capabilities: Capabilities,
): Promise<DiagnosisCheck[]> {
  return [
    await ownership(session),
    await creating(session),
    await settings(session, capabilities),
    await earlierValues(session),
    await scopedSettings(session),
  ];
}

const USER_TABLES = `
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`;

/**
 * Index DDL and storage parameters are the owner's: membership in that role is the least that works. Membership in a
 * superuser's role would be every right there is, and is not proposed.
 */
async function ownership(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{
    tables: number;
    owned: number;
    owners: string[] | null;
    superusers: string[] | null;
  }>(
    `SELECT count(*) AS tables, count(*) FILTER (WHERE o.ours) AS owned,
            array_agg(DISTINCT o.name) FILTER (WHERE NOT o.ours AND NOT o.is_superuser) AS owners,
            array_agg(DISTINCT o.name) FILTER (WHERE NOT o.ours AND o.is_superuser) AS superusers
     FROM (SELECT c.relowner ${USER_TABLES}) AS t
     CROSS JOIN LATERAL (
         SELECT pg_has_role(t.relowner, 'USAGE')
                  OR pg_has_role(t.relowner, '${session.server_version_num >= 160_000 ? 'SET' : 'MEMBER'}') AS ours, pg_get_userbyid(t.relowner)::text AS name,
                coalesce((SELECT rolsuper FROM pg_roles WHERE oid = t.relowner), false) AS is_superuser
     ) AS o`,
  );
  const role = quoteIdentifier(session.role);
  const remedies = (row?.owners ?? []).map((owner) => `GRANT ${quoteIdentifier(owner)} TO ${role};`);
  const superusers = (row?.superusers ?? []).map(quoteIdentifier);
  if (superusers.length > 0) {
    remedies.push(
      `Tables of ${superusers.join(', ')} belong to a superuser, whose role should not be granted: give them to a role of the application (ALTER TABLE … OWNER TO …), or apply their changes by hand.`,
    );
  }
  return {
    id: 'apply_tables',
    title: 'may change tables and indexes',
    ok: row ? row.tables === row.owned : null,
    need: 'apply',
    detail: `owns, directly or by membership, ${row?.owned ?? 0} of ${row?.tables ?? 0} tables`,
    remedy: remedies.join(' '),
  };
}

/** CREATE INDEX asks for CREATE on the table's schema as well; a trial on an empty copy for TEMPORARY. */
async function creating(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ schemas: string[] | null; temporary: boolean; database: string }>(
    `SELECT (SELECT array_agg(DISTINCT n.nspname::text) ${USER_TABLES} AND NOT has_schema_privilege(n.oid, 'CREATE')) AS schemas,
            has_database_privilege(current_database(), 'TEMPORARY') AS temporary, current_database()::text AS database`,
  );
  const role = quoteIdentifier(session.role);
  const grants = (row?.schemas ?? []).map(
    (schema) => `GRANT CREATE ON SCHEMA ${quoteIdentifier(schema)} TO ${role};`,
  );
  if (row && !row.temporary) {
    grants.push(`GRANT TEMPORARY ON DATABASE ${quoteIdentifier(row.database)} TO ${role};`);
  }
  return {
    id: 'apply_schemas',
    title: 'may create indexes',
    ok: row ? grants.length === 0 : null,
    need: 'apply',
    detail:
      grants.length === 0
        ? 'CREATE on every schema that has tables'
        : `lacks CREATE on ${row?.schemas?.length ?? 0} schemas${row?.temporary ? '' : ' and TEMPORARY on the database'}`,
    remedy: grants.join(' '),
  };
}

async function settings(session: TargetSession, capabilities: Capabilities): Promise<DiagnosisCheck> {
  const granular = session.server_version_num >= PARAMETER_PRIVILEGES_SINCE;
  const [row] = await session.query<{ denied: string[]; reload: boolean; forbidden: boolean }>(
    `SELECT ARRAY(SELECT name FROM unnest($1::text[]) AS name
                  WHERE NOT ${granular ? "has_parameter_privilege(name, 'ALTER SYSTEM')" : '$2::boolean'} ORDER BY name) AS denied,
            has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE') AS reload,
            EXISTS (SELECT 1 FROM pg_settings WHERE name = 'allow_alter_system' AND setting = 'off')${granular ? ' AND $2::boolean IS NOT NULL' : ''} AS forbidden`,
    [[...advisedSettings], capabilities.is_superuser],
  );
  const base = { id: 'apply_settings', title: 'may change settings', need: 'apply' as const };
  if (!row) return { ...base, ok: null, detail: 'could not be told', remedy: null };
  const service = capabilities.managed_service;
  if (row.forbidden) {
    return {
      ...base,
      ok: false,
      detail: 'allow_alter_system = off: settings are made outside of the server',
      remedy:
        "Make changes of settings where the server's configuration is kept (Patroni, an operator, the service's console).",
    };
  }
  const role = quoteIdentifier(session.role);
  const grants = [
    row.denied.length > 0 && granular
      ? [`GRANT ALTER SYSTEM ON PARAMETER ${row.denied.map(quoteIdentifier).join(', ')} TO ${role};`]
      : [],
    row.reload ? [] : [`GRANT EXECUTE ON FUNCTION pg_reload_conf() TO ${role};`],
  ].flat();
  const ok = row.denied.length === 0 && row.reload;
  return {
    ...base,
    ok,
    detail: ok
      ? `ALTER SYSTEM for ${advisedSettings.length} settings, and pg_reload_conf()`
      : `ALTER SYSTEM is denied for ${row.denied.join(', ') || 'none'}${row.reload ? '' : '; pg_reload_conf() is denied'}`,
    remedy:
      service !== null
        ? `On ${service} settings are changed through the service (parameter group, flags, console), not by ALTER SYSTEM.`
        : granular
          ? grants.join(' ')
          : 'Before PostgreSQL 15 only a superuser may ALTER SYSTEM: make changes of settings by hand.',
  };
}

/** What stood in postgresql.auto.conf before a change is its way back. */
async function earlierValues(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ ok: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
            AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS ok`,
  );
  const role = quoteIdentifier(session.role);
  return {
    id: 'apply_settings_rollback',
    title: 'sees what a setting was set to before',
    ok: row?.ok ?? null,
    need: 'apply',
    detail: 'pg_file_settings',
    remedy: `GRANT SELECT ON pg_file_settings TO ${role}; GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO ${role};`,
  };
}

/** ALTER DATABASE … SET is the owner's; ALTER ROLE … SET takes ADMIN on the role from 16 on, which is not proposed for all of them. */
async function scopedSettings(session: TargetSession): Promise<DiagnosisCheck> {
  const withAdmin = session.server_version_num >= 160_000;
  const [row] = await session.query<{
    ours: boolean;
    owner: string;
    owner_is_superuser: boolean;
    roles: number;
    altered: number;
  }>(
    `SELECT pg_has_role(d.datdba, 'USAGE') OR pg_has_role(d.datdba, '${withAdmin ? 'SET' : 'MEMBER'}') AS ours,
            pg_get_userbyid(d.datdba)::text AS owner,
            coalesce((SELECT rolsuper FROM pg_roles WHERE oid = d.datdba), false) AS owner_is_superuser,
            (SELECT count(*) FROM pg_roles WHERE rolcanlogin AND NOT rolsuper) AS roles,
            (SELECT count(*) FROM pg_roles AS r WHERE r.rolcanlogin AND NOT r.rolsuper
               AND (me.rolsuper OR r.oid = me.oid
                    OR me.rolcreaterole${withAdmin ? " AND pg_has_role(r.oid, 'USAGE WITH ADMIN OPTION')" : ''})) AS altered
     FROM pg_database AS d, pg_roles AS me
     WHERE d.datname = current_database() AND me.rolname = current_user`,
  );
  const base = {
    id: 'apply_scoped_settings',
    title: 'may change settings of the database',
    need: 'apply' as const,
  };
  if (!row) return { ...base, ok: null, detail: 'could not be told', remedy: null };
  const others =
    row.altered === row.roles
      ? ''
      : ` (ALTER ROLE … SET takes CREATEROLE${withAdmin ? ' and ADMIN on the role' : ''}, or a person)`;
  return {
    ...base,
    ok: row.ours,
    detail: `${row.ours ? 'acts as' : 'is no member of'} its owner ${row.owner}; may change settings of ${row.altered} of ${row.roles} roles that log in${others}`,
    remedy: row.ours ? null : ownerRemedy(row, quoteIdentifier(session.role), withAdmin),
  };
}

function ownerRemedy(
  { owner, owner_is_superuser }: { owner: string; owner_is_superuser: boolean },
  role: string,
  withAdmin: boolean,
): string {
  return owner_is_superuser
    ? 'The database belongs to a superuser, whose role should not be granted: give it to a role of the application (ALTER DATABASE … OWNER TO …), or apply its settings by hand.'
    : `GRANT ${quoteIdentifier(owner)} TO ${role}${withAdmin ? ' WITH INHERIT FALSE, SET TRUE' : ''};`;
}
