/**
 * A shell that outlives us by a moment: it holds the reading end of a pipe whose writing end is ours alone. When this
 * process ends, by whatever means, kill -9 included, the kernel closes the pipe, and the shell stops the server and
 * removes what was temporary.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** $1 data directory, $2 folder to remove or empty. postmaster.pid's first line is the postmaster's pid. */
const SCRIPT = `
cat >/dev/null
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  i=0
  while kill -0 "$pid" 2>/dev/null && [ "$i" -lt 100 ]; do i=$((i + 1)); sleep 0.1; done
fi
if [ -n "$2" ]; then rm -rf "$2"; fi
`;

export interface Watchdog {
  /** Ends the watch: from now on the server is ours to stop. */
  dismiss(): void;
}

/**
 * Watches over a server for as long as this process lives.
 * @param remove folder that goes when we do; null: nothing is removed.
 */
export function startWatchdog(dataDirectory: string, remove: string | null): Watchdog {
  const shell: ChildProcess = spawn(
    '/bin/sh',
    ['-c', SCRIPT, 'pgluthier-watchdog', dataDirectory, remove ?? ''],
    {
      // Its own session: Ctrl-C in the terminal must not end it before its work is done.
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  shell.unref();
  // Neither the pipe nor the shell may keep this process alive.
  (shell.stdin as unknown as { unref(): void }).unref();
  shell.stdin?.on('error', () => {});
  shell.on('error', () => {});
  return {
    dismiss: () => {
      shell.kill('SIGKILL');
    },
  };
}
