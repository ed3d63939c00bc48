/** What the settings rules need to know of a target, each fact with its source, or a limit that says what is missing. */
import type { DiskType, Evidence, Limit, RuleContext, SettingRow } from '../../domain/index.ts';
import { staticBaseline } from './baseline.ts';

export interface HostInputs {
  ram_bytes: number;
  cpu_count: number;
  evidence: Evidence[];
}

/** RAM and CPU count; a limit with how to give them where they are not known. */
export function hostInputs(context: RuleContext, rule: string): HostInputs | Limit {
  const { ram_bytes, cpu_count } = context.snapshot.host;
  if (ram_bytes.value === null || cpu_count.value === null) {
    const missing = [ram_bytes.value === null ? 'memory' : '', cpu_count.value === null ? 'CPUs' : ''].filter(
      Boolean,
    );
    return {
      scope: rule,
      code: 'host_unknown',
      message: `Not advised: the host's ${missing.join(' and ')} are not known (${ram_bytes.value === null ? ram_bytes.source : cpu_count.source}).`,
      remedy: 'Give --ram and --cpu, or "host": {"ram_bytes": …, "cpu_count": …} of the target.',
    };
  }
  return {
    ram_bytes: ram_bytes.value,
    cpu_count: cpu_count.value,
    evidence: [
      measured('memory of the host', ram_bytes.value, 'bytes', ram_bytes.source),
      measured('CPUs of the host', cpu_count.value, null, cpu_count.source),
    ],
  };
}

/** The disk type, or a limit with how to give it. */
export function diskInput(
  context: RuleContext,
  rule: string,
): { disk_type: DiskType; evidence: Evidence[] } | Limit {
  const { disk_type: disk } = context.snapshot.host;
  if (disk.value === null) {
    return {
      scope: rule,
      code: 'host_unknown',
      message: `Not advised: the disk type is not known (${disk.source}).`,
      remedy: 'Give --disk, or "host": {"disk_type": "ssd"} of the target.',
    };
  }
  return { disk_type: disk.value, evidence: [measured('disk type', disk.value, null, disk.source)] };
}

export function setting(context: RuleContext, name: string): SettingRow | undefined {
  return context.snapshot.settings.find((row) => row.name === name);
}

export function measured(
  name: string,
  value: Evidence['value'],
  unit: string | null,
  source: string,
): Evidence {
  return { name, value, unit, source, level: 'measured', formula: null };
}

/**
 * Connections that count for memory: max_connections says what could come, not what does. A server's own count of
 * backends (times a margin), at least four a CPU and a quarter of max_connections.
 */
export function activeConnections(context: RuleContext, cpus: number): { value: number; evidence: Evidence } {
  const allowed = Number(setting(context, 'max_connections')?.setting ?? 100);
  const seen = context.snapshot.counters.database?.numbackends ?? 0;
  const value = Math.min(allowed, Math.max(4 * cpus, 2 * seen, allowed / 4));
  return {
    value,
    evidence: {
      name: 'active connections counted on',
      value,
      unit: null,
      source: 'pg_stat_database.numbackends, pg_settings.max_connections',
      level: 'estimated',
      formula: `min(max_connections ${allowed}, max(4 × ${cpus} CPUs, 2 × ${seen} backends seen, max_connections / 4))`,
    },
  };
}

/** The baseline for this target's host; the disk type only matters for values that depend on it. */
export function baselineOf(context: RuleContext, host: HostInputs, disk: DiskType = 'ssd') {
  const connections = activeConnections(context, host.cpu_count);
  return {
    connections,
    baseline: staticBaseline({
      ram_bytes: host.ram_bytes,
      cpu_count: host.cpu_count,
      disk_type: disk,
      connections: connections.value,
      autovacuum_workers: Number(setting(context, 'autovacuum_max_workers')?.setting ?? 3),
    }),
  };
}
