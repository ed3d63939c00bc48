/** Under whose account a server runs, and who is alive. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Account {
  uid: number;
  gid: number;
}

/** `nobody` on Debian, Ubuntu, Fedora and Red Hat from 8 on; initdb wants an account that passwd knows. */
const UNPRIVILEGED: Account = { uid: 65534, gid: 65534 };

/** PostgreSQL refuses to run as root, so root's servers run as an unprivileged account; null: as ourselves. */
export function serverAccount(): Account | null {
  return process.getuid?.() === 0 ? UNPRIVILEGED : null;
}

/**
 * When a process started, in the kernel's own words: with its pid it names one process for good, since pids are
 * reused. Null: no such process.
 */
export function processStart(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command may hold spaces and parentheses: fields are counted behind the last ')'. Field 22 is starttime,
      // field 3 the state (a zombie has ended).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? null : (fields[19] ?? null);
    }
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return text === '' ? null : text;
  } catch {
    return null;
  }
}

/** The command line of a process, or null where it is gone or cannot be seen. */
export function processCommand(pid: number): string | null {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

/** Whether the account may pass through the directory and all its parents; null: we ourselves. */
export function reachable(directory: string, account: Account | null): boolean {
  if (account === null) return true;
  for (let path = directory; ; path = dirname(path)) {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info) {
      const bit = info.uid === account.uid ? 0o100 : info.gid === account.gid ? 0o010 : 0o001;
      if ((info.mode & bit) === 0) return false;
    }
    if (path === dirname(path)) return true;
  }
}
