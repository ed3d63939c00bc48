/** The doctor on what advice is made of: counted statements and columns' statistics. */
import { type Capabilities, type DiagnosisCheck, quoteIdentifier, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from './session.ts';

/** More evictions than this lose statements between two snapshots: each throws out 5% of all entries. */
const EVICTIONS_PER_HOUR = 1;

/** Whether statements are counted here, and whether this role may read them with their texts. */
export async function statementChecks(
  session: TargetSession,
  capabilities: Capabilities,
): Promise<DiagnosisCheck[]> {
  const { pg_stat_statements: version, pg_stat_statements_schema: schema } = capabilities;
  const role = quoteIdentifier(session.role);
  const checks: DiagnosisCheck[] = [
    await preloaded(session, capabilities),
    {
      id: 'pg_stat_statements',
      title: 'pg_stat_statements is created in this database',
      ok: version !== null && !isOutdated(version),
      need: 'advised',
      detail: version === null ? 'the extension is not created in this database' : `version ${version}`,
      remedy:
        version === null
          ? 'CREATE EXTENSION pg_stat_statements;'
          : 'ALTER EXTENSION pg_stat_statements UPDATE;',
    },
  ];
  if (version === null || schema === null) return checks;
  checks.push(await readable(session, schema), {
    id: 'statement_texts',
    title: "other roles' statement texts are visible",
    ok: capabilities.sees_all_statements,
    need: 'advised',
    detail: capabilities.sees_all_statements
      ? 'has the rights of pg_read_all_stats'
      : "other roles' rows come without queryid and text",
    remedy: `GRANT pg_read_all_stats TO ${role};`,
  });
  if (!capabilities.pg_stat_statements_loaded) return checks;
  checks.push(await counting(session));
  if (checks.every((check) => check.id !== 'pg_stat_statements_readable' || check.ok)) {
    checks.push(await evictions(session, schema));
  }
  return checks;
}

/** 1.9 came with PostgreSQL 14; a pg_upgrade leaves the old version in place. */
function isOutdated(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < 1 || (major === 1 && minor < 9);
}

async function preloaded(session: TargetSession, capabilities: Capabilities): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ libraries: string }>(
    "SELECT setting AS libraries FROM pg_settings WHERE name = 'shared_preload_libraries'",
  );
  const libraries = (row?.libraries ?? '').split(',').map((name) => name.trim());
  const names = [...libraries.filter(Boolean), 'pg_stat_statements'];
  return {
    id: 'pg_stat_statements_preloaded',
    title: 'pg_stat_statements is preloaded',
    ok: capabilities.pg_stat_statements_loaded,
    need: 'advised',
    detail: capabilities.pg_stat_statements_loaded
      ? 'the library is loaded'
      : `the library is not loaded${row ? ` (shared_preload_libraries = '${row.libraries}')` : ''}`,
    remedy: row
      ? `ALTER SYSTEM SET shared_preload_libraries = ${names.map(quoteIdentifier).join(', ')}; then restart the server.`
      : 'Add pg_stat_statements to what shared_preload_libraries has already, and restart the server.',
  };
}

async function readable(session: TargetSession, schema: string): Promise<DiagnosisCheck> {
  const reading = `${quoteQualified(schema, 'pg_stat_statements')}(boolean)`;
  const [right] = await session.query<{ on_schema: boolean; on_views: boolean; on_function: boolean }>(
    `SELECT has_schema_privilege(n.oid, 'USAGE') AS on_schema,
            (SELECT bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class AS c
             WHERE c.relnamespace = n.oid
               AND c.relname IN ('pg_stat_statements', 'pg_stat_statements_info')) AS on_views,
            (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc AS p
             WHERE p.pronamespace = n.oid AND p.proname = 'pg_stat_statements') AS on_function
     FROM pg_namespace AS n WHERE n.nspname = $1`,
    [schema],
  );
  const role = quoteIdentifier(session.role);
  const views = ['pg_stat_statements', 'pg_stat_statements_info'].map((view) => quoteQualified(schema, view));
  const grants = [
    right?.on_schema ? [] : [`GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${role};`],
    right?.on_views ? [] : [`GRANT SELECT ON ${views.join(', ')} TO ${role};`],
    right?.on_function ? [] : [`GRANT EXECUTE ON FUNCTION ${reading} TO ${role};`],
  ].flat();
  return {
    id: 'pg_stat_statements_readable',
    title: 'role may read pg_stat_statements',
    ok: grants.length === 0,
    need: 'advised',
    detail: grants.length === 0 ? `${views[0]}` : `lacks rights on ${views[0]}`,
    remedy: grants.join(' '),
  };
}

async function counting(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ compute: string; track: string }>(
    `SELECT current_setting('compute_query_id') AS compute, current_setting('pg_stat_statements.track') AS track`,
  );
  const remedies = [
    row?.compute === 'off' ? ['ALTER SYSTEM SET compute_query_id = auto;'] : [],
    row?.track === 'none' ? ['ALTER SYSTEM SET pg_stat_statements.track = top;'] : [],
  ].flat();
  return {
    id: 'statements_counted',
    title: 'statements are counted',
    ok: row === undefined ? null : remedies.length === 0,
    need: 'advised',
    detail: `compute_query_id = ${row?.compute}, pg_stat_statements.track = ${row?.track}`,
    remedy: `${remedies.join(' ')} SELECT pg_reload_conf();`,
  };
}

async function evictions(session: TargetSession, schema: string): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ dealloc: number; hours: number; maximum: number }>(
    `SELECT dealloc, greatest(extract(epoch FROM now() - stats_reset)::float8 / 3600, 1) AS hours,
            current_setting('pg_stat_statements.max')::int8 AS maximum
     FROM ${quoteQualified(schema, 'pg_stat_statements_info')}`,
  );
  const maximum = row?.maximum ?? 5000;
  return {
    id: 'pg_stat_statements_evictions',
    title: 'statements are not evicted',
    ok: row === undefined ? null : row.dealloc / row.hours <= EVICTIONS_PER_HOUR,
    need: 'advised',
    detail: `${row?.dealloc} evictions in ${row?.hours.toFixed(1)} hours, pg_stat_statements.max = ${maximum}`,
    remedy: `ALTER SYSTEM SET pg_stat_statements.max = ${maximum * 2}; then restart the server.`,
  };
}

/** The conditions are those of the view pg_stats: SELECT on the column, and no row-level security in force. */
export async function columnStatistics(session: TargetSession): Promise<DiagnosisCheck> {
  const [row] = await session.query<{ tables: number; unreadable: number; policies: number }>(
    `SELECT count(*) AS tables, count(*) FILTER (WHERE NOT r.may_select) AS unreadable,
            count(*) FILTER (WHERE r.may_select AND c.relrowsecurity AND row_security_active(c.oid)) AS policies
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (
         SELECT coalesce(bool_and(has_column_privilege(a.attrelid, a.attnum, 'SELECT')), true) AS may_select
         FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     ) AS r
     WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`,
  );
  const { tables, unreadable, policies } = row ?? { tables: 0, unreadable: 0, policies: 0 };
  const role = quoteIdentifier(session.role);
  return {
    id: 'column_statistics',
    title: "columns' statistics are visible",
    ok: unreadable + policies === 0,
    need: 'advised',
    detail: `pg_stats shows all columns of ${tables - unreadable - policies} of ${tables} tables${policies > 0 ? `; ${policies} are behind row-level security` : ''}`,
    remedy: [
      unreadable > 0 ? [`GRANT pg_read_all_data TO ${role};`] : [],
      policies > 0 ? [`ALTER ROLE ${role} BYPASSRLS;`] : [],
    ]
      .flat()
      .join(' '),
  };
}

/**
 * Whether looking up the ends of columns can be kept out of the indexes' own counts: else an index that nobody uses
 * would pass for used, and only those that unique indexes lead with are looked up. Before 15 it takes a superuser.
 */
export async function uncountedReads(session: TargetSession): Promise<DiagnosisCheck[]> {
  if (session.server_version_num < 150_000) return [];
  const [row] = await session.query<{ may: boolean }>(
    `SELECT rolsuper OR has_parameter_privilege('track_counts', 'SET') AS may FROM pg_roles WHERE rolname = current_user`,
  );
  return [
    {
      id: 'uncounted_reads',
      title: 'looking up the ends of columns is not counted as use of their indexes',
      ok: row?.may ?? null,
      need: 'advised',
      detail: row?.may
        ? 'may switch track_counts off for itself'
        : 'may not switch track_counts off: only columns that unique indexes lead with are looked up',
      remedy: `GRANT SET ON PARAMETER track_counts TO ${quoteIdentifier(session.role)};`,
    },
  ];
}
