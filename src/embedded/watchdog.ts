/**
 * Stops a server when this process ends without having done so, however it ends: exit, a signal, an uncaught
 * exception, kill -9. A shell outside our session reads a pipe that only we hold open; its end is our end.
 */
import { spawn } from 'node:child_process';
import type { StopMode } from './postmaster.ts';

// $1 data directory, $2 signal, $3 folder to remove afterwards or ''. The pid comes over the pipe and has to be the
// one in postmaster.pid: never signal a process that merely reused it. After 60 seconds a deaf server is killed.
const SCRIPT = `
pid=
while read -r word value; do
  case "$word" in server) pid=$value ;; done) exit 0 ;; esac
done
if [ -n "$pid" ] && [ "$(head -n 1 "$1/postmaster.pid" 2>/dev/null)" = "$pid" ]; then
  kill -s "$2" "$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -eq 600 ] && kill -s KILL "$pid" 2>/dev/null
    [ "$tries" -gt 700 ] && exit 1
    sleep 0.1
  done
fi
[ -z "$3" ] || rm -rf -- "$3"
`;

export interface Watchdog {
  /** Names the server's current process; null: it is stopped at the moment. */
  guard(pid: number | null): void;
  /** The server is stopped for good: nothing is left to do. */
  dismiss(): void;
}

/** `remove`: the folder of a throwaway server, removed after its end. */
export function startWatchdog(dataDirectory: string, mode: StopMode, remove: string | null): Watchdog {
  const shell = spawn(
    '/bin/sh',
    ['-c', SCRIPT, 'pgluthier-watchdog', dataDirectory, mode === 'fast' ? 'INT' : 'QUIT', remove ?? ''],
    {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    },
  );
  // Without its shell a server is found at the next start instead: see scratch.ts.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
  return {
    guard: (pid) => void shell.stdin.write(`server ${pid ?? ''}\n`),
    dismiss: () => void shell.stdin.end('done\n'),
  };
}
