/**
 * RAM, CPU and disk type of the target's host: the operator's word first, then what the server lets us read, then,
 * only for a server on this very host, our own /proc and cgroups. Every value says where it comes from.
 */
import type { HostFacts, HostOverrides, Sourced } from '../domain/index.ts';
import { cpuQuota, memoryLimit } from './cgroup.ts';
import { type DiskFacts, diskOf } from './disk.ts';
import { type HostAccess, type HostFiles, hostAccess } from './host-files.ts';
import { hostUsage } from './host-usage.ts';
import { findManagedService } from './managed-service.ts';
import type { TargetSession } from './session.ts';

/**
 * Finds out what it can; what it cannot is null with the reason in `source`.
 * @throws PgLuthierError `target_connection_lost`.
 */
export async function detectHostFacts(session: TargetSession, overrides: HostOverrides): Promise<HostFacts> {
  const { ram_bytes, cpu_count, disk_type } = overrides;
  const allGiven = ram_bytes && cpu_count && disk_type;
  const access: HostAccess = allGiven ? { kind: 'none', reason: 'not asked' } : await hostAccess(session);
  const disk = await diskFacts(session, access);
  return {
    ram_bytes: ram_bytes ? given(ram_bytes) : await ramBytes(access),
    cpu_count: cpu_count ? given(cpu_count) : await cpuCount(access),
    disk_type: disk_type ? given(disk_type) : disk.type,
    data_device: disk.device,
    managed_service: await findManagedService(session),
    usage: await hostUsage(access),
  };
}

function given<T>(value: T): Sourced<T> {
  return { value, source: 'operator' };
}

const unknown = <T>(reason: string): Sourced<T> => ({ value: null, source: reason });

async function ramBytes(access: HostAccess): Promise<Sourced<number>> {
  if (access.kind === 'none') return unknown(access.reason);
  if (access.kind === 'figures') return { value: access.figures.ram_bytes, source: access.figures.source };
  const { files } = access;
  const kilobytes = /^MemTotal:\s+(\d+) kB$/m.exec((await files.read('/proc/meminfo')) ?? '')?.[1];
  if (kilobytes === undefined) return unknown(`/proc/meminfo (${files.source}) has no MemTotal`);
  const total = Number(kilobytes) * 1024;
  const limit = await memoryLimit(files, total);
  return limit
    ? { value: limit.value, source: `${limit.path} (${files.source})` }
    : { value: total, source: `/proc/meminfo (${files.source})` };
}

async function cpuCount(access: HostAccess): Promise<Sourced<number>> {
  if (access.kind === 'none') return unknown(access.reason);
  if (access.kind === 'figures') return { value: access.figures.cpu_count, source: access.figures.source };
  const { files } = access;
  const counted = await usableCpus(files);
  if (counted === null) {
    return unknown(`neither the process's list of CPUs nor /proc/cpuinfo is readable (${files.source})`);
  }
  const quota = await cpuQuota(files);
  if (quota !== null && quota.value < counted.value) {
    // Parallel workers are whole: half a CPU carries none.
    return { value: Math.max(1, Math.floor(quota.value)), source: `${quota.path} (${files.source})` };
  }
  return { value: counted.value, source: `${counted.path} (${files.source})` };
}

/** CPUs that the process may run on (a cpuset or an affinity narrows the host's); /proc/cpuinfo lists them all. */
async function usableCpus(files: HostFiles): Promise<{ value: number; path: string } | null> {
  const status = await files.read(`${files.process}/status`);
  const allowed = countCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? '')?.[1] ?? '');
  const listed = (await files.read('/proc/cpuinfo'))?.match(/^processor\s*:/gm)?.length ?? 0;
  if (allowed > 0 && (listed === 0 || allowed < listed)) {
    return { value: allowed, path: `${files.process}/status Cpus_allowed_list` };
  }
  return listed > 0 ? { value: listed, path: '/proc/cpuinfo' } : null;
}

/** `0-3,8` is five CPUs. */
function countCpuList(list: string): number {
  return list
    .split(',')
    .filter((part) => /^\d+(-\d+)?$/.test(part))
    .reduce((sum, part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return sum + last - first + 1;
    }, 0);
}

async function diskFacts(session: TargetSession, access: HostAccess): Promise<DiskFacts> {
  const neither = (reason: string): DiskFacts => ({ type: unknown(reason), device: unknown(reason) });
  if (access.kind === 'none') return neither(access.reason);
  if (access.kind === 'figures') return neither(`not told by the ${access.figures.source}`);
  const [row] = await session.query<{ path: string }>(
    "SELECT setting AS path FROM pg_settings WHERE name = 'data_directory'",
  );
  if (row === undefined) return neither('this role may not see data_directory (pg_read_all_settings)');
  return diskOf(access.files, row.path);
}
