/**
 * A server's private folder under the system's temporary folder: its socket, its log and, for a throwaway server, its
 * data. Every folder names its owner, so that what a crash left behind is told from what is in use.
 */
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Account, processCommand, processStart } from './account.ts';

const PREFIX = 'pgl-';
const OWNER_FILE = 'owner.json';
/** A socket's path must fit sockaddr_un: 107 bytes on Linux, 103 on macOS, with `/.s.PGSQL.5432` behind it. */
const MAX_SOCKET_DIRECTORY_BYTES = 80;
/** A folder without an owner file is younger than this only while it is being made. */
const OWNERLESS_GRACE_MS = 10 * 60_000;

interface Owner {
  pid: number;
  started: string;
  name: string;
}

/** The temporary folder, or /tmp where its path is too long for a socket. */
function parentDirectory(): string {
  const parent = tmpdir();
  return Buffer.byteLength(parent) > MAX_SOCKET_DIRECTORY_BYTES - 20 ? '/tmp' : parent;
}

/** A new folder that only the server's account (and root) can enter. */
export async function createRunDirectory(name: string, account: Account | null): Promise<string> {
  const directory = await mkdtemp(join(parentDirectory(), PREFIX));
  await writeOwner(directory, name);
  await mkdir(join(directory, 's'), { mode: 0o700 });
  if (account) {
    await chown(join(directory, 's'), account.uid, account.gid);
    await chown(directory, account.uid, account.gid);
  }
  return directory;
}

/** Notes this process as the owner of a folder. */
export async function writeOwner(directory: string, name: string): Promise<void> {
  const owner: Owner = { pid: process.pid, started: processStart(process.pid) ?? '', name };
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(owner), { mode: 0o600 });
}

/** The living process that owns a folder; null: nobody does. */
export async function livingOwner(directory: string): Promise<Owner | null> {
  try {
    const owner = JSON.parse(await readFile(join(directory, OWNER_FILE), 'utf8')) as Owner;
    return processStart(owner.pid) === owner.started ? owner : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Pid of the server that runs on a data directory, by its postmaster.pid and the process's own command line; null: none. */
export async function runningPostmaster(dataDirectory: string): Promise<number | null> {
  let text: string;
  try {
    text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const pid = Number(text.split('\n')[0]);
  const command = Number.isInteger(pid) && pid > 0 ? processCommand(pid) : null;
  return command?.includes('postgres') && command.includes(dataDirectory) ? pid : null;
}

/** Stops a server that we have no handle of, and waits until it is gone. */
export async function stopPostmaster(pid: number, signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  const started = processStart(pid);
  const gone = () => started === null || processStart(pid) !== started;
  for (const attempt of signal === 'SIGINT'
    ? (['SIGINT', 'SIGQUIT', 'SIGKILL'] as const)
    : (['SIGQUIT', 'SIGKILL'] as const)) {
    try {
      process.kill(pid, attempt);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    for (let waited = 0; waited < 10_000; waited += 50) {
      if (gone()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

let swept: Promise<void> | null = null;

/** Removes what crashed processes of this account left behind, servers included; once a process. */
export function sweepOrphans(): Promise<void> {
  swept ??= sweep();
  return swept;
}

async function sweep(): Promise<void> {
  const parent = parentDirectory();
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(PREFIX)) continue;
    const directory = join(parent, entry);
    try {
      if (await isOrphan(directory)) {
        const pid = await runningPostmaster(join(directory, 'data'));
        if (pid !== null) await stopPostmaster(pid, 'SIGQUIT');
        await rm(directory, { recursive: true, force: true });
      }
    } catch (error) {
      // Another process sweeps too, or the folder is another account's: not ours to judge.
      if (!['ENOENT', 'EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }
}

async function isOrphan(directory: string): Promise<boolean> {
  if (existsSync(join(directory, OWNER_FILE))) return (await livingOwner(directory)) === null;
  return Date.now() - (await stat(directory)).mtimeMs > OWNERLESS_GRACE_MS;
}
