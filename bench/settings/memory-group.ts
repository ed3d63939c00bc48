/** A control group with a limit on memory, its cache with it, that counts its CPU, where this account may make one: Linux, root. */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';

/** v1's and v2's folder and file of the limit; where CPU time is counted, and what one of it is in ms. */
const KINDS = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    cpu: { root: '/sys/fs/cgroup/cpuacct', file: 'cpuacct.usage', read: /^(\d+)/, unit_ms: 1e-6 },
  },
  {
    root: '/sys/fs/cgroup',
    limit: 'memory.max',
    cpu: { root: '/sys/fs/cgroup', file: 'cpu.stat', read: /^usage_usec (\d+)/m, unit_ms: 1e-3 },
  },
] as const;

export interface MemoryGroup {
  /** Moves a process and its children in. Pages that they touched before stay where they were counted. */
  take(pid: number): Promise<void>;
  /** CPU that its processes have taken so far, ms; null: not counted here. */
  cpuMs(): Promise<number | null>;
  /** When all of its processes have ended. */
  remove(): Promise<void>;
}

/** Null: this machine, or this account, cannot make one. */
export async function memoryGroup(bytes: number): Promise<MemoryGroup | null> {
  for (const { root, limit, cpu } of KINDS) {
    const name = `pgluthier-bench-${process.pid}`;
    const folder = `${root}/${name}`;
    try {
      await readFile(`${root}/cgroup.procs`);
      await mkdir(folder);
    } catch {
      continue;
    }
    try {
      await writeFile(`${folder}/${limit}`, String(bytes));
    } catch {
      await rmdir(folder);
      continue;
    }
    const counting = `${cpu.root}/${name}`;
    const own =
      counting !== folder &&
      (await mkdir(counting).then(
        () => true,
        () => false,
      ));
    const folders = own ? [folder, counting] : [folder];
    return {
      take: async (pid) => {
        for (const one of [pid, ...(await childrenOf(pid))])
          for (const each of folders) await writeFile(`${each}/cgroup.procs`, String(one)).catch(() => {});
      },
      cpuMs: async () => {
        const text = await readFile(`${counting}/${cpu.file}`, 'utf8').catch(() => '');
        const counted = cpu.read.exec(text)?.[1];
        return counted === undefined ? null : Number(counted) * cpu.unit_ms;
      },
      remove: async () => {
        for (const each of folders) await rmdir(each);
      },
    };
  }
  return null;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}
