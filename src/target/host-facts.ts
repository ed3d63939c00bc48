/**
 * RAM, CPU and disk type of the target's host: the operator's word first, then what the server lets us read, then,
 * only for a server on this very host, our own /proc and cgroups. Every value says where it comes from.
 */
import { readFile } from 'node:fs/promises';
import type { DiskType, HostFacts, HostOverrides, Sourced } from '../domain/index.ts';
import type { TargetSession } from './session.ts';

/** cgroup v1 writes "no limit" as PAGE_COUNTER_MAX in bytes, 9223372036854771712; nothing real comes near. */
const CGROUP_V1_UNLIMITED = 2 ** 62;

/** Reads a small text file of the host that runs the server; null: not readable this way. */
type ReadHostFile = (path: string) => Promise<string | null>;

interface HostReader {
  read: ReadHostFile;
  source: string;
}

/** Finds out what it can; what it cannot is null with the reason in `source`. */
export async function detectHostFacts(session: TargetSession, overrides: HostOverrides): Promise<HostFacts> {
  const reader = await hostReader(session);
  return {
    ram_bytes: overrides.ram_bytes ? given(overrides.ram_bytes) : await ramBytes(reader),
    cpu_count: overrides.cpu_count ? given(overrides.cpu_count) : await cpuCount(reader),
    disk_type: overrides.disk_type ? given(overrides.disk_type) : await diskType(session, reader),
  };
}

function given<T>(value: T): Sourced<T> {
  return { value, source: 'operator' };
}

const unknown = <T>(reason: string): Sourced<T> => ({ value: null, source: reason });
const NOT_READABLE = 'not visible: this role may not read host files and the server is not on this host';

async function hostReader(session: TargetSession): Promise<HostReader | null> {
  const throughServer: ReadHostFile = async (path) => {
    try {
      // The length must be given: files of /proc say that their size is 0.
      const [row] = await session.query<{ text: string | null }>(
        'SELECT pg_read_file($1, 0, 65536, true) AS text',
        [path],
      );
      return row?.text ?? null;
    } catch {
      return null;
    }
  };
  if ((await throughServer('/proc/meminfo')) !== null) return { read: throughServer, source: 'pg_read_file' };
  if (await isOnThisHost(session)) {
    const local: ReadHostFile = (path) => readFile(path, 'utf8').catch(() => null);
    return { read: local, source: 'this host' };
  }
  return null;
}

/**
 * A loopback address alone proves nothing (a tunnel looks the same): the backend's pid must be a postgres process
 * here.
 */
async function isOnThisHost(session: TargetSession): Promise<boolean> {
  if (!session.host.startsWith('/') && !['localhost', '127.0.0.1', '::1'].includes(session.host))
    return false;
  const command = await readFile(`/proc/${session.pid}/cmdline`, 'utf8').catch(() => '');
  return command.startsWith('postgres');
}

async function ramBytes(reader: HostReader | null): Promise<Sourced<number>> {
  if (!reader) return unknown(NOT_READABLE);
  const meminfo = await reader.read('/proc/meminfo');
  const kilobytes = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo ?? '')?.[1];
  if (kilobytes === undefined) return unknown(`/proc/meminfo (${reader.source}) has no MemTotal`);
  const total = Number(kilobytes) * 1024;
  const limits = [
    ['/sys/fs/cgroup/memory.max', await reader.read('/sys/fs/cgroup/memory.max')],
    [
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      await reader.read('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
    ],
  ] as const;
  for (const [path, text] of limits) {
    const limit = Number(text?.trim());
    // `max` and a file that does not exist are no limit; so is v1's number for none.
    if (text && Number.isFinite(limit) && limit > 0 && limit < Math.min(total, CGROUP_V1_UNLIMITED)) {
      return { value: limit, source: `${path} (${reader.source})` };
    }
  }
  return { value: total, source: `/proc/meminfo (${reader.source})` };
}

async function cpuCount(reader: HostReader | null): Promise<Sourced<number>> {
  if (!reader) return unknown(NOT_READABLE);
  const online = (await reader.read('/sys/devices/system/cpu/online'))?.trim();
  const cpuinfo = await reader.read('/proc/cpuinfo');
  const listed = cpuinfo?.match(/^processor\s*:/gm)?.length ?? 0;
  const total = listed > 0 ? listed : countCpuList(online ?? '');
  if (total === 0)
    return unknown(`neither /proc/cpuinfo nor the list of CPUs is readable (${reader.source})`);
  const quota = await cpuQuota(reader.read);
  if (quota !== null && quota.cpus < total) {
    return { value: Math.max(1, Math.floor(quota.cpus)), source: `${quota.path} (${reader.source})` };
  }
  return {
    value: total,
    source: `${listed > 0 ? '/proc/cpuinfo' : '/sys/devices/system/cpu/online'} (${reader.source})`,
  };
}

/** CPU limits are a quota over a period (cpu.max), not a set of CPUs. */
async function cpuQuota(read: ReadHostFile): Promise<{ cpus: number; path: string } | null> {
  const v2 = (await read('/sys/fs/cgroup/cpu.max'))?.trim().split(' ');
  if (v2 && v2[0] !== 'max' && v2.length === 2) {
    return { cpus: Number(v2[0]) / Number(v2[1]), path: '/sys/fs/cgroup/cpu.max' };
  }
  const quota = Number((await read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'))?.trim() ?? Number.NaN);
  const period = Number((await read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'))?.trim() ?? Number.NaN);
  return quota > 0 && period > 0
    ? { cpus: quota / period, path: '/sys/fs/cgroup/cpu/cpu.cfs_quota_us' }
    : null;
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

/** The device under the data directory, and whether its queue says rotational. Virtual disks may misreport: the source says so. */
async function diskType(session: TargetSession, reader: HostReader | null): Promise<Sourced<DiskType>> {
  if (!reader) return unknown(NOT_READABLE);
  const dataDirectory = await session
    .query<{ path: string | null }>(
      "SELECT (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS path",
    )
    .then(([row]) => row?.path ?? null)
    .catch(() => null);
  if (dataDirectory === null) return unknown('this role may not see data_directory (pg_read_all_settings)');
  const mounts = await reader.read('/proc/self/mountinfo');
  const mount = longestMount(mounts ?? '', dataDirectory);
  if (mount === null)
    return unknown(`no mount of ${dataDirectory} in /proc/self/mountinfo (${reader.source})`);
  const device = mount.source.startsWith('/dev/') ? mount.source.slice('/dev/'.length) : null;
  const name = device ?? '';
  for (const candidate of [name, name.replace(/p?\d+$/, '')]) {
    if (candidate === '' || /^(loop|ram)/.test(candidate)) continue;
    const rotational = (await reader.read(`/sys/block/${candidate}/queue/rotational`))?.trim();
    if (rotational === undefined) continue;
    const source = `/sys/block/${candidate}/queue/rotational (${reader.source})`;
    if (candidate.startsWith('nvme')) return { value: 'nvme', source };
    const virtual = /^(vd|xvd)/.test(candidate);
    // Hypervisors commonly pass "rotational" for disks that are none: a 1 of a virtual disk is no evidence.
    if (rotational === '1' && virtual) return unknown(`${source} says 1, but a virtual disk does not know`);
    return { value: rotational === '1' ? 'hdd' : 'ssd', source };
  }
  return unknown(`the device of ${dataDirectory} (${mount.source}) is no disk that /sys/block knows`);
}

function longestMount(mountinfo: string, path: string): { point: string; source: string } | null {
  let best: { point: string; source: string } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    const source = right?.split(' ')[1];
    if (!point || !source) continue;
    const within = point === '/' || path === point || path.startsWith(`${point}/`);
    if (within && point.length >= (best?.point.length ?? 0)) best = { point, source };
  }
  return best;
}
