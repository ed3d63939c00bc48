/** The doctor: what this role can see and do on a target, and exactly what to grant where it cannot. */
import type { Capabilities, Diagnosis, DiagnosisCheck } from '../domain/index.ts';
import { quoteIdentifier } from '../domain/index.ts';
import { detectCapabilities } from './capabilities.ts';
import { applyChecks } from './doctor-apply.ts';
import { columnStatistics, statementChecks, uncountedReads } from './doctor-statistics.ts';
import { detectHostFacts } from './host-facts.ts';
import { openTarget, type TargetSession } from './session.ts';

/**
 * Connects and checks everything that collecting, advising and applying need; it changes nothing.
 * @throws PgLuthierError of openTarget() when no session comes about: then there is nothing else to say.
 */
export async function diagnoseTarget(dsn: string): Promise<Diagnosis> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:doctor', readOnly: true });
  try {
    const [identity] = await session.query<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    );
    if (!identity) throw new Error('a SELECT without FROM gave no row');
    const capabilities = await detectCapabilities(session);
    const role = quoteIdentifier(session.role);
    const findings: DiagnosisCheck[] = [
      connection(session),
      pooling(session),
      version(capabilities, identity.version),
      {
        id: 'pg_monitor',
        title: 'role sees other sessions, statistics and settings',
        ok: capabilities.is_monitor,
        need: 'advised',
        detail: capabilities.is_monitor ? 'has the rights of pg_monitor' : 'not a member of pg_monitor',
        remedy: `GRANT pg_monitor TO ${role};`,
      },
      ...(await statementChecks(session, capabilities)),
      await columnStatistics(session),
      ...(await uncountedReads(session)),
      await ioTiming(session),
      ...(await hostChecks(session)),
      {
        id: 'primary',
        title: 'primary',
        ok: !capabilities.in_recovery,
        need: 'apply',
        detail: capabilities.in_recovery
          ? 'this is a standby: it can be watched, not changed'
          : 'not in recovery',
        remedy: 'Apply on the primary.',
      },
      ...(await applyChecks(session, capabilities)),
    ];
    return {
      address: session.address,
      role: session.role,
      server_version: identity.version,
      checks: findings.map((check) => (check.ok === true ? { ...check, remedy: null } : check)),
      // What the checks above say with their remedy need not be said twice.
      limits: capabilities.limits.filter((limit) => limit.code !== 'not_monitor'),
    };
  } finally {
    await session.close();
  }
}

function connection(session: TargetSession): DiagnosisCheck {
  const bySocket = session.host.startsWith('/');
  const way = bySocket ? 'over a socket' : session.encrypted ? 'under TLS' : 'without TLS';
  return {
    id: 'connect',
    title: 'a connection',
    ok: true,
    need: 'required',
    detail: `${session.address} as ${session.role}, ${way}`,
    remedy: null,
  };
}

/** Transaction pooling is refused when the session is opened. */
function pooling(session: TargetSession): DiagnosisCheck {
  return {
    id: 'session',
    title: 'a session of our own',
    ok: true,
    need: 'required',
    detail:
      session.pooling === 'none'
        ? 'the server itself, no pooler in between'
        : 'a pooler in between, which keeps one backend for the session',
    remedy: null,
  };
}

function version(capabilities: Capabilities, text: string): DiagnosisCheck {
  const untested = capabilities.limits.some((limit) => limit.code === 'version_untested');
  return {
    id: 'version',
    title: 'supported version',
    ok: true,
    need: 'required',
    detail: `PostgreSQL ${text}${untested ? ', newer than what was tested' : ''}`,
    remedy: null,
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
