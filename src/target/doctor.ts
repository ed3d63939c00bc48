/** The doctor: what this role can see and do on a target, and exactly what to grant where it cannot. */
import { type Diagnosis, type DiagnosisCheck, quoteIdentifier } from '../domain/index.ts';
import { detectCapabilities } from './capabilities.ts';
import { detectHostFacts } from './host-facts.ts';
import { openTarget, type TargetSession } from './session.ts';

/**
 * Connects and checks everything that collecting, advising and applying need.
 * @throws PgLuthierError when no connection comes about: then there is nothing else to say.
 */
export async function diagnoseTarget(dsn: string): Promise<Diagnosis> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:doctor', readOnly: true });
  try {
    const [identity] = await session.query<{ role: string; version: string }>(
      "SELECT current_user AS role, current_setting('server_version') AS version",
    );
    if (!identity) throw new Error('a SELECT without FROM gave no row');
    const capabilities = await detectCapabilities(session);
    const role = quoteIdentifier(identity.role);
    const findings: DiagnosisCheck[] = [
      {
        id: 'version',
        title: 'supported version',
        ok: capabilities.major >= 14,
        need: 'required',
        detail: `PostgreSQL ${identity.version}`,
        remedy: capabilities.major >= 14 ? null : 'PgLuthier knows PostgreSQL 14 and newer.',
      },
      {
        id: 'session',
        title: 'a session of our own',
        ok: await sessionHolds(session),
        need: 'required',
        detail: 'settings made in the session stay, as they do not behind a pooler in transaction mode',
        remedy: 'Use a DSN that leads to the server itself.',
      },
      {
        id: 'primary',
        title: 'primary',
        ok: !capabilities.in_recovery,
        need: 'apply',
        detail: capabilities.in_recovery
          ? 'this is a standby: it can be watched, not changed'
          : 'not in recovery',
        remedy: capabilities.in_recovery ? 'Apply on the primary.' : null,
      },
      {
        id: 'pg_monitor',
        title: 'role sees other sessions and statistics',
        ok: capabilities.is_monitor,
        need: 'advised',
        detail: capabilities.is_monitor ? 'member of pg_monitor' : 'not a member of pg_monitor',
        remedy: `GRANT pg_monitor TO ${role};`,
      },
      {
        id: 'pg_stat_statements',
        title: 'statements are counted',
        ok: capabilities.pg_stat_statements !== null && capabilities.pg_stat_statements_loaded,
        need: 'advised',
        detail: statementsDetail(capabilities),
        remedy: capabilities.pg_stat_statements_loaded
          ? 'CREATE EXTENSION pg_stat_statements;'
          : "shared_preload_libraries = 'pg_stat_statements' in postgresql.conf, restart, then CREATE EXTENSION pg_stat_statements;",
      },
      await columnStatistics(session, role),
      await ioTiming(session),
      ...(await applyRights(session, role)),
      ...(await hostChecks(session)),
    ];
    const checks = findings.map((check) => (check.ok === true ? { ...check, remedy: null } : check));
    return {
      address: session.address,
      role: identity.role,
      server_version: identity.version,
      checks,
      limits: capabilities.limits,
    };
  } finally {
    await session.close();
  }
}

function statementsDetail(capabilities: Awaited<ReturnType<typeof detectCapabilities>>): string {
  if (capabilities.pg_stat_statements === null) return 'the extension is not created in this database';
  if (!capabilities.pg_stat_statements_loaded)
    return 'the extension is created, but its library is not preloaded';
  return `pg_stat_statements ${capabilities.pg_stat_statements}`;
}

/** In transaction pooling the next statement may land on another backend, where our settings are not. */
async function sessionHolds(session: TargetSession): Promise<boolean> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const [row] = await session.query<{ pid: number; tz: string }>(
      "SELECT pg_backend_pid() AS pid, current_setting('timezone') AS tz",
    );
    if (row?.pid !== session.pid || row.tz !== 'UTC') return false;
  }
  return true;
}

async function columnStatistics(session: TargetSession, role: string): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ tables: number; readable: number }>(
    `SELECT count(*) AS tables,
            count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')) AS readable
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`,
  );
  const { tables, readable } = row ?? { tables: 0, readable: 0 };
  return {
    id: 'column_statistics',
    title: "columns' statistics are visible",
    ok: tables === readable,
    need: 'advised',
    detail: `pg_stats shows ${readable} of ${tables} tables (it shows only what the role may SELECT)`,
    remedy: `GRANT pg_read_all_data TO ${role};`,
  };
}

async function ioTiming(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ value: string }>("SELECT current_setting('track_io_timing') AS value");
  return {
    id: 'track_io_timing',
    title: 'I/O is timed',
    ok: row?.value === 'on',
    need: 'advised',
    detail: `track_io_timing = ${row?.value ?? 'unknown'}`,
    remedy: "ALTER SYSTEM SET track_io_timing = 'on'; SELECT pg_reload_conf();",
  };
}

async function applyRights(session: TargetSession, role: string): Promise<DiagnosisCheck[]> {
  const [row] = await session.query<{
    owned: number;
    tables: number;
    owners: string[] | null;
    reload: boolean;
  }>(
    `SELECT count(*) AS tables,
            count(*) FILTER (WHERE pg_has_role(current_user, c.relowner, 'USAGE')) AS owned,
            array_agg(DISTINCT pg_get_userbyid(c.relowner)::text) FILTER (WHERE NOT pg_has_role(current_user, c.relowner, 'USAGE')) AS owners,
            has_function_privilege('pg_reload_conf()', 'EXECUTE') AS reload
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`,
  );
  const alterSystem =
    session.server_version_num >= 150000
      ? "has_parameter_privilege('work_mem', 'ALTER SYSTEM')"
      : '(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)';
  const [system] = await session.query<{ allowed: boolean }>(`SELECT ${alterSystem} AS allowed`);
  const owners = row?.owners ?? [];
  return [
    {
      id: 'apply_tables',
      title: 'may change tables and indexes',
      ok: row ? row.tables === row.owned : null,
      need: 'apply',
      detail: `owns, directly or by membership, ${row?.owned ?? 0} of ${row?.tables ?? 0} tables`,
      remedy: owners.map((owner) => `GRANT ${quoteIdentifier(owner)} TO ${role};`).join(' '),
    },
    {
      id: 'apply_settings',
      title: 'may change settings',
      ok: (system?.allowed ?? false) && (row?.reload ?? false),
      need: 'apply',
      detail: 'ALTER SYSTEM and pg_reload_conf()',
      remedy:
        session.server_version_num >= 150000
          ? `See sql/roles/applier.sql: GRANT ALTER SYSTEM ON PARAMETER … TO ${role}; GRANT EXECUTE ON FUNCTION pg_reload_conf() TO ${role};`
          : 'Before PostgreSQL 15 only a superuser may ALTER SYSTEM.',
    },
  ];
}

async function hostChecks(session: TargetSession): Promise<DiagnosisCheck[]> {
  const facts = await detectHostFacts(session, {});
  return (
    [
      ['ram_bytes', 'memory of the host', facts.ram_bytes],
      ['cpu_count', 'CPUs of the host', facts.cpu_count],
      ['disk_type', 'disk type of the host', facts.disk_type],
    ] as const
  ).map(([id, title, fact]) => ({
    id: `host_${id}`,
    title,
    ok: fact.value === null ? null : true,
    need: 'advised' as const,
    detail: fact.value === null ? fact.source : `${fact.value} (${fact.source})`,
    remedy: `Tell it: --ram, --cpu, --disk on the command line, or "host": { "${id}": … } when adding the target.`,
  }));
}
