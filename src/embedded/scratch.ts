/** Private, short-named folders for sockets and throwaway clusters, and the removal of those left behind. */
import { lstatSync, mkdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PgLuthierError } from '../domain/index.ts';
import { type Account, reachable, serverAccount } from './account.ts';
import { type Claim, claimNew, ownerAlive } from './owner.ts';
import { stopPostmaster } from './postmaster.ts';

/** A socket's path may have 107 bytes (Linux) or 103 (macOS); ours adds about 50 to the temporary directory's. */
const LONGEST_PARENT = 45;
/** A folder whose owner file was never written: its maker died within the first moments of a start. */
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

/** The parent of all scratch folders of this user; nobody else may write to it. */
function scratchRoot(): string {
  const account = serverAccount();
  const usable = tmpdir().length <= LONGEST_PARENT && reachable(tmpdir(), account);
  const uid = process.getuid?.() ?? 0;
  const root = join(usable ? tmpdir() : '/tmp', `pgluthier-${uid}`);
  // As root, the server's account has to pass through; it may not list or write.
  const mode = account ? 0o711 : 0o700;
  try {
    mkdirSync(root, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const info = lstatSync(root);
  if (!info.isDirectory() || info.uid !== uid || (info.mode & 0o022) !== 0) {
    throw new PgLuthierError({
      code: 'embedded_scratch_unsafe',
      status: 500,
      message: `${root} exists, but it is not a directory that only this user can write to.`,
      remedy: `Remove ${root}, or set TMPDIR to a directory of your own.`,
    });
  }
  return root;
}

/** Makes a folder for one server, owned by this process until removed. */
export async function createScratch(name: string, account: Account | null): Promise<Scratch> {
  const label = name.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 12) || 'server';
  const directory = await mkdtemp(join(scratchRoot(), `${label}-`));
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
  return !(await ownerAlive(ownerFile, 0));
}

let swept: Promise<void> | undefined;

/** Stops the servers and removes the folders whose owners were killed before they could do it; once per process. */
export function sweepOrphans(): Promise<void> {
  swept ??= sweep();
  return swept;
}

async function sweep(): Promise<void> {
  const root = scratchRoot();
  for (const entry of await readdir(root)) {
    const directory = join(root, entry);
    if (!(await isOrphan(directory))) continue;
    await stopPostmaster(join(directory, 'data'), 'immediate');
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
