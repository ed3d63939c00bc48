/** How much of the host's CPU and memory is in use, where its files may be read. */
import type { HostUsage, Sourced } from '../domain/index.ts';
import { cpuQuota, memoryLimit } from './cgroup.ts';
import type { HostAccess } from './host-files.ts';

/**
 * One reading of /proc/stat and /proc/meminfo. Both are the host's: where a control group has limits of its own,
 * nothing is told, for the host's use says nothing of the group's.
 */
export async function hostUsage(access: HostAccess): Promise<Sourced<HostUsage>> {
  const unknown = (source: string) => ({ value: null, source });
  if (access.kind === 'none') return unknown(access.reason);
  if (access.kind === 'figures') return unknown(`not told by the ${access.figures.source}`);
  const { files } = access;
  const [stat, memory] = [await files.read('/proc/stat'), (await files.read('/proc/meminfo')) ?? ''];
  const ticks =
    /^cpu\s+([\d ]+)$/m
      .exec(stat ?? '')?.[1]
      ?.split(' ')
      .map(Number) ?? [];
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(memory)?.[1]);
  const [total, available] = [kilobytes('MemTotal') * 1024, kilobytes('MemAvailable') * 1024];
  if (ticks.length < 5 || !(total > 0) || !(available >= 0)) {
    return unknown(`/proc/stat and /proc/meminfo (${files.source}) do not say it`);
  }
  const limit = (await cpuQuota(files)) ?? (await memoryLimit(files, total));
  if (limit !== null) {
    return unknown(
      `the server runs in a control group with a limit (${limit.path}): the host's use is not its own`,
    );
  }
  // user, nice, system, idle, iowait, irq, softirq, steal; guest times are within user and nice (proc(5)).
  const counted = ticks.slice(0, 8);
  return {
    value: {
      read_at: new Date().toISOString(),
      cpu_total_ticks: counted.reduce((sum, one) => sum + one, 0),
      cpu_idle_ticks: (counted[3] ?? 0) + (counted[4] ?? 0),
      memory_total_bytes: total,
      memory_available_bytes: available,
    },
    source: `/proc/stat, /proc/meminfo (${files.source})`,
  };
}
