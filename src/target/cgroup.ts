/**
 * Limits of a process's control group: memory and CPU that a container or a systemd slice grants. All groups above it
 * count too: the tightest limit is the one in force.
 */
import type { HostFiles } from './host-files.ts';

/** A limit and the file that says it. */
export interface FoundLimit {
  value: number;
  path: string;
}

/** Folders of the process's own group and all above it, for a controller of v1 or, `''`, for v2. */
async function groupFolders(files: HostFiles, controller: 'memory' | 'cpu' | ''): Promise<string[]> {
  const listed = (await files.read(`${files.process}/cgroup`)) ?? '';
  const line = listed.split('\n').find((entry) => {
    const [, controllers] = entry.split(':');
    return controller === '' ? controllers === '' : controllers?.split(',').includes(controller);
  });
  const group = line?.split(':').slice(2).join(':') ?? '/';
  // v1 controllers that are mounted together have a folder of both names; the link of one name may be missing.
  const together = controller === '' ? undefined : line?.split(':')[1];
  const roots =
    controller === ''
      ? ['/sys/fs/cgroup']
      : [...new Set([controller, together ?? controller])].map((name) => `/sys/fs/cgroup/${name}`);
  const parts = group.split('/').filter(Boolean);
  // Inside a container the path is the host's while the mount begins at the container's group: the root is always asked.
  return roots.flatMap((root) =>
    parts.map((_, index) => `${root}/${parts.slice(0, parts.length - index).join('/')}`).concat(root),
  );
}

function tightest(found: FoundLimit[]): FoundLimit | null {
  return found.reduce<FoundLimit | null>(
    (best, limit) => (best === null || limit.value < best.value ? limit : best),
    null,
  );
}

/**
 * Memory limit in bytes, if one is below `total`. v2's files may be missing (the root group has none) or say
 * `max`; v1 writes 9223372036854771712 for "no limit": neither is below the host's memory.
 */
export async function memoryLimit(files: HostFiles, total: number): Promise<FoundLimit | null> {
  const paths = [
    // Above memory.high (systemd's MemoryHigh=) the kernel slows a group down and takes its cache: a limit in effect.
    ...(await groupFolders(files, '')).flatMap((folder) => [`${folder}/memory.max`, `${folder}/memory.high`]),
    ...(await groupFolders(files, 'memory')).map((folder) => `${folder}/memory.limit_in_bytes`),
  ];
  const found: FoundLimit[] = [];
  for (const path of paths) {
    const value = Number((await files.read(path))?.trim() || Number.NaN);
    if (value > 0 && value < total) found.push({ value, path });
  }
  return tightest(found);
}

/** CPUs worth of time that a quota grants (cpu.max, or v1's pair of files), if there is one; may be a fraction. */
export async function cpuQuota(files: HostFiles): Promise<FoundLimit | null> {
  const found: FoundLimit[] = [];
  for (const folder of await groupFolders(files, '')) {
    const path = `${folder}/cpu.max`;
    const [quota, period] = ((await files.read(path)) ?? '').trim().split(' ').map(Number);
    if (quota && period && quota > 0 && period > 0) found.push({ value: quota / period, path });
  }
  for (const folder of await groupFolders(files, 'cpu')) {
    const path = `${folder}/cpu.cfs_quota_us`;
    const quota = Number((await files.read(path))?.trim() || Number.NaN);
    if (!(quota > 0)) continue;
    const period = Number((await files.read(`${folder}/cpu.cfs_period_us`))?.trim() || Number.NaN);
    if (period > 0) found.push({ value: quota / period, path });
  }
  return tightest(found);
}
