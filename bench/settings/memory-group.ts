/** A control group with a limit on memory, its cache with it, where this account may make one: Linux, root. */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';

/** v1's and v2's folder and file of the limit. */
const KINDS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
] as const;

export interface MemoryGroup {
  /** Moves a process and its children in. Pages that they touched before stay where they were counted. */
  take(pid: number): Promise<void>;
  /** When all of its processes have ended. */
  remove(): Promise<void>;
}

/** Null: this machine, or this account, cannot make one. */
export async function memoryGroup(bytes: number): Promise<MemoryGroup | null> {
  for (const { root, limit } of KINDS) {
    const folder = `${root}/pgluthier-bench-${process.pid}`;
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
    return {
      take: async (pid) => {
        for (const one of [pid, ...(await childrenOf(pid))])
          await writeFile(`${folder}/cgroup.procs`, String(one)).catch(() => {});
      },
      remove: () => rmdir(folder),
    };
  }
  return null;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}
