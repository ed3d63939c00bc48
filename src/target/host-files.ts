/** Reading files of the host that runs the server: through the server where it lets us, else here if it runs here. */
import { readFile, realpath } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { TargetQueryError } from './errors.ts';
import type { TargetSession } from './session.ts';

/** A way to the host's files. */
export interface HostFiles {
  /** Where values come from, in words. */
  readonly source: string;
  /** Folder of the backend's process under /proc. */
  readonly process: string;
  /** The text of a small file; null: there is none, or it may not be read. */
  read(path: string): Promise<string | null>;
  /** The path without symbolic links, where that can be told. */
  resolve(path: string): Promise<string>;
}

/** Figures of the operating system's own interface, for a server on this host where there is no /proc (macOS). */
interface LocalFigures {
  readonly source: string;
  ram_bytes: number;
  cpu_count: number;
}

export type HostAccess =
  | { kind: 'files'; files: HostFiles }
  | { kind: 'figures'; figures: LocalFigures }
  | { kind: 'none'; reason: string };

/** Enough for /proc/cpuinfo of a few hundred CPUs. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Tries the ways in the order of their worth. Each file is read once: several facts come out of some of them. */
export async function hostAccess(session: TargetSession): Promise<HostAccess> {
  const access = await firstWay(session);
  return access.kind === 'files' ? { kind: 'files', files: readOnce(access.files) } : access;
}

/** Through a server each read is a round trip. */
function readOnce(files: HostFiles): HostFiles {
  const texts = new Map<string, Promise<string | null>>();
  const read = (path: string): Promise<string | null> => {
    const text = texts.get(path) ?? files.read(path);
    texts.set(path, text);
    return text;
  };
  return { ...files, read };
}

async function firstWay(session: TargetSession): Promise<HostAccess> {
  const through = await throughServer(session);
  if (through) return { kind: 'files', files: through };
  const refused = 'this role may not read host files (pg_read_server_files and EXECUTE on pg_read_file)';
  if (!isLocalAddress(session.host)) {
    return { kind: 'none', reason: `not visible: ${refused} and the server is not on this host` };
  }
  if (process.platform !== 'linux') {
    return processExists(session.pid)
      ? {
          kind: 'figures',
          figures: {
            source: `operating system (this host, ${process.platform})`,
            ram_bytes: totalmem(),
            cpu_count: availableParallelism(),
          },
        }
      : { kind: 'none', reason: `not visible: ${refused} and its process is not one of this host` };
  }
  if (await isBackendHere(session)) return { kind: 'files', files: localFiles(session.pid) };
  return {
    kind: 'none',
    reason: `not visible: ${refused}; the address is local, but the server's process is not one of this host (a tunnel or a container)`,
  };
}

/**
 * Asked for only with the rights to it: a refusal would put an error into the server's log at each snapshot.
 * pg_read_file() needs EXECUTE; paths outside of the data directory need pg_read_server_files as well.
 */
async function throughServer(session: TargetSession): Promise<HostFiles | null> {
  const [right] = await session.query<{ may_read: boolean }>(
    `SELECT has_function_privilege('pg_catalog.pg_read_file(text, bigint, bigint, boolean)', 'EXECUTE')
            AND pg_has_role(current_user, 'pg_read_server_files', 'USAGE') AS may_read`,
  );
  if (!right?.may_read) return null;
  const read = async (path: string): Promise<string | null> => {
    try {
      // The length must be given: files of /proc say that their size is 0.
      const [row] = await session.query<{ text: string | null }>(
        'SELECT pg_read_file($1, 0, $2, true) AS text',
        [path, MAX_BYTES],
      );
      return row?.text ?? null;
    } catch (error) {
      // Services forbid some paths to their superusers; a lost connection is not for this place.
      if (error instanceof TargetQueryError) return null;
      throw error;
    }
  };
  // Servers on other systems have no /proc.
  if ((await read('/proc/meminfo')) === null) return null;
  return { source: 'pg_read_file', process: '/proc/self', read, resolve: async (path) => path };
}

function localFiles(pid: number): HostFiles {
  return {
    source: 'this host',
    process: `/proc/${pid}`,
    read: (path) => readFile(path, 'utf8').catch(() => null),
    resolve: (path) => realpath(path).catch(() => path),
  };
}

function isLocalAddress(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** Linux counts a process's start in ticks of 1/100 s since boot (USER_HZ, the same on every architecture in use). */
const TICKS_PER_SECOND = 100;
/** Between the fork and the moment that pg_stat_activity calls the backend's start. */
const START_TOLERANCE_S = 5;

/**
 * A loopback address alone proves nothing (a tunnel looks the same), nor does a process with the same number: the
 * process must have begun when the backend did.
 */
async function isBackendHere(session: TargetSession): Promise<boolean> {
  const own = localFiles(session.pid);
  const processStat = await own.read(`${own.process}/stat`);
  const bootedAt = Number(/^btime (\d+)$/m.exec((await own.read('/proc/stat')) ?? '')?.[1]);
  // The command's name, in parentheses, may hold blanks; start time is the 20th field after it.
  const fields = processStat?.slice(processStat.lastIndexOf(')') + 2).split(' ');
  const startedAt = bootedAt + Number(fields?.[19]) / TICKS_PER_SECOND;
  const backendStart = Date.parse(session.backendStart) / 1000;
  return Math.abs(startedAt - backendStart) < START_TOLERANCE_S;
}
