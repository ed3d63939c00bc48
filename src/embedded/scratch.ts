/** Private, short-named folders for sockets and throwaway clusters, and the removal of those left behind. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { MEMORY_DIRECTORY, memoryDirectory } from './memory-files.ts';
import { type Claim, claimNew, ownerAlive } from './owner.ts';
import { stopPostmaster } from './postmaster.ts';
import { privateDirectory, shortTemporaryDirectory } from './private-directory.ts';

/**
 * After this time a folder without an owner file is an orphan (its maker died within the first moments of a start),
 * and so is one whose owner, invisible in another container, gave no sign of life.
 */
const UNCLAIMED_MS = 600_000;

const OWNER_FILE = 'owner.json';

export interface Scratch {
  directory: string;
  /** Where a throwaway cluster lies; made by initdb. */
  data: string;
  socket: string;
  log: string;
  remove(): Promise<void>;
}

/** The parent of all scratch folders of this user in a temporary directory; nobody else may write to it. */
const scratchRoot = (parent: string) => join(parent, `pgluthier-${process.getuid?.() ?? 0}`);

/**
 * Makes a folder for one server, owned by this process until removed.
 * @param inMemory what it will hold is little and may lie in memory.
 */
export async function createScratch(
  name: string,
  account: Account | null,
  inMemory = false,
): Promise<Scratch> {
  const label = name.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 12) || 'server';
  const parent = (inMemory ? memoryDirectory() : null) ?? shortTemporaryDirectory();
  const directory = await mkdtemp(join(privateDirectory(scratchRoot(parent)), `${label}-`));
  const claimed: Claim = await claimNew(join(directory, OWNER_FILE));
  const socket = join(directory, 'socket');
  if (account) await chmod(directory, 0o711);
  await mkdir(socket, { mode: 0o700 });
  if (account) await chown(socket, account.uid, account.gid);
  return {
    directory,
    data: join(directory, 'data'),
    socket,
    log: join(directory, 'server.log'),
    async remove() {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
      await claimed.release();
    },
  };
}

async function isOrphan(directory: string): Promise<boolean> {
  const ownerFile = join(directory, OWNER_FILE);
  try {
    await stat(ownerFile);
  } catch {
    const info = await stat(directory).catch(() => null);
    return info !== null && Date.now() - info.mtimeMs > UNCLAIMED_MS;
  }
  return !(await ownerAlive(ownerFile, { silenceMs: UNCLAIMED_MS, patienceMs: 0 }));
}

let swept: Promise<void> | undefined;

/** Stops the servers and removes the folders whose owners were killed before they could do it; once per process. */
export function sweepOrphans(): Promise<void> {
  swept ??= sweep();
  return swept;
}

/** Whether or not files would be laid into memory now: an earlier process may have. */
async function sweep(): Promise<void> {
  await sweepRoot(privateDirectory(scratchRoot(shortTemporaryDirectory())));
  const inMemory = scratchRoot(MEMORY_DIRECTORY);
  if (existsSync(inMemory)) await sweepRoot(privateDirectory(inMemory));
}

async function sweepRoot(root: string): Promise<void> {
  for (const entry of await readdir(root)) {
    const directory = join(root, entry);
    if (!(await isOrphan(directory))) continue;
    await stopPostmaster(join(directory, 'data'), 'immediate');
    try {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      // A watchdog or another start removes it, too, right now; what they leave is found the next time.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}
