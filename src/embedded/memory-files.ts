/** Where files that live for minutes may lie in memory instead of on a disk. */
import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { reachable, serverAccount } from './account.ts';

/** Linux' file system in memory, for everybody. */
export const MEMORY_DIRECTORY = '/dev/shm';
/** statfs(2)'s f_type of tmpfs. */
const TMPFS_MAGIC = 0x01021994;
/** Both must be free, bytes: the file system (a container's often has 64 MB), and memory, as its cgroup allows. */
const FREE_FILES = 1024 ** 3;
const FREE_MEMORY = 2 * 1024 ** 3;

/**
 * The folder, or null where there is none with room to spare. Many small files are made and removed faster there by
 * far: ext4 looks at each inode that was freed within the last minutes before it takes one (recently_deleted() of
 * fs/ext4/ialloc.c), so that the next twin after another took four times as long.
 */
export function memoryDirectory(): string | null {
  if (process.platform !== 'linux' || !reachable(MEMORY_DIRECTORY, serverAccount())) return null;
  try {
    const files = statfsSync(MEMORY_DIRECTORY);
    if (files.type !== TMPFS_MAGIC || files.bavail * files.bsize < FREE_FILES) return null;
  } catch {
    return null;
  }
  // What a cgroup still allows, where there is one; without one MemAvailable of /proc/meminfo.
  const memory = process.availableMemory?.() ?? freemem();
  return memory >= FREE_MEMORY ? MEMORY_DIRECTORY : null;
}
