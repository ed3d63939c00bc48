/** The server that runs on a data directory, as its postmaster.pid tells; whoever started it. */
import { readFileSync, statSync } from 'node:fs';
import { readFile, readlink, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgLuthierError } from '../domain/index.ts';
import { processCommand, processStart } from './account.ts';

export type StopMode = 'fast' | 'immediate';

/** pg_ctl's own mapping of shutdown modes to signals. */
const STOP_SIGNAL = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

const FAST_STOP_MS = 60_000;
const IMMEDIATE_STOP_MS = 15_000;

/** First line of postmaster.pid; negative for a single-user server. */
function recordedPid(dataDirectory: string): number | null {
  try {
    const line = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0] ?? '';
    const pid = Number.parseInt(line, 10);
    return Number.isInteger(pid) && pid !== 0 ? Math.abs(pid) : null;
  } catch {
    return null;
  }
}

/** Whether the process is a PostgreSQL server on this directory. */
async function servesDirectory(pid: number, dataDirectory: string): Promise<boolean> {
  const command = processCommand(pid);
  if (command === null || processStart(pid) === null || !/postgres|postmaster/.test(command)) return false;
  const resolved = await realpath(dataDirectory).catch(() => dataDirectory);
  if (process.platform !== 'linux') return command.includes(dataDirectory) || command.includes(resolved);
  try {
    // A server's working directory is its data directory. The file is written by the server's account: never signal
    // a process of another account on its word.
    return (
      (await readlink(`/proc/${pid}/cwd`)) === resolved &&
      statSync(`/proc/${pid}`).uid === statSync(resolved).uid
    );
  } catch {
    return false;
  }
}

/** Waits until the process has ended; false: it had not within the time. */
async function processEnded(pid: number, withinMs: number): Promise<boolean> {
  const start = processStart(pid);
  const deadline = Date.now() + withinMs;
  while (start !== null && processStart(pid) === start) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

function signal(pid: number, mode: StopMode | 'kill'): void {
  try {
    process.kill(pid, mode === 'kill' ? 'SIGKILL' : STOP_SIGNAL[mode]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Stops a server by its pid, more firmly if it does not listen: fast, then immediate, then SIGKILL. */
export async function stopPid(pid: number, mode: StopMode): Promise<void> {
  signal(pid, mode);
  if (await processEnded(pid, mode === 'fast' ? FAST_STOP_MS : IMMEDIATE_STOP_MS)) return;
  if (mode === 'fast') {
    signal(pid, 'immediate');
    if (await processEnded(pid, IMMEDIATE_STOP_MS)) return;
  }
  signal(pid, 'kill');
  if (await processEnded(pid, IMMEDIATE_STOP_MS)) return;
  throw new PgLuthierError({
    code: 'embedded_stop_failed',
    status: 500,
    message: `The PostgreSQL server with process id ${pid} does not end.`,
    remedy: 'It hangs in the kernel, usually on its storage: look at that file system.',
  });
}

/** Stops the server that runs on the directory, if one does. */
export async function stopPostmaster(dataDirectory: string, mode: StopMode): Promise<void> {
  const pid = recordedPid(dataDirectory);
  if (pid !== null && (await servesDirectory(pid, dataDirectory))) await stopPid(pid, mode);
}

/**
 * Makes a stale postmaster.pid harmless. PostgreSQL itself replaces one whose process is gone, but refuses to start
 * where the pid was reused by a live process of the same account. Removing the file would also remove its check
 * that no backend of the dead server still uses the shared memory named in it; instead the pid is replaced by
 * ours: the server takes its parent's pid for stale (CreateLockFile in src/backend/utils/init/miscinit.c), and does
 * the check.
 */
export async function disarmStalePid(dataDirectory: string): Promise<void> {
  const pid = recordedPid(dataDirectory);
  if (pid === null || processStart(pid) === null) return;
  const file = join(dataDirectory, 'postmaster.pid');
  const lines = (await readFile(file, 'utf8')).split('\n');
  lines[0] = String(process.pid);
  await writeFile(file, lines.join('\n'));
}
