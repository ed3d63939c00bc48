/** A data directory: made by initdb, checked before use, its settings written. */
import { spawn } from 'node:child_process';
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PgLuthierError } from '../domain/index.ts';
import { type Account, reachable } from './account.ts';

const SETTINGS_FILE = 'pgluthier.conf';
const UNFINISHED = 'unfinished-initdb';

/** Nothing of our environment reaches the server: PG* variables and locales would change what it does. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** The same order and case rules on every machine: code point order; from 17 on with Unicode's upper and lower case. */
function localeArguments(major: number, given: string[]): string[] {
  if (given.some((argument) => /^--(no-locale|locale|lc-|icu-|builtin-locale)/.test(argument))) return [];
  const c = ['--locale=C'];
  return major >= 17 ? [...c, '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : c;
}

export interface ClusterOptions {
  major: number;
  bin: string;
  directory: string;
  superuser: string;
  account: Account | null;
  initdbArgs: string[];
  /** A throwaway cluster need not survive a power failure. */
  durable: boolean;
}

/**
 * Makes a cluster in a folder inside its final place and moves it up, PG_VERSION last: an interrupted initdb leaves
 * nothing that looks like a cluster. (Not beside it: the place may be a mount point.)
 */
export async function initCluster(options: ClusterOptions): Promise<void> {
  const { account, directory } = options;
  const unfinished = join(directory, UNFINISHED);
  try {
    await mkdir(directory, { recursive: true });
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    for (const path of [directory, unfinished]) {
      await chmod(path, 0o700);
      if (account) await chown(path, account.uid, account.gid);
    }
  } catch (error) {
    throw unusable(directory, error);
  }
  const { code, output } = await run(
    join(options.bin, 'initdb'),
    [
      `--pgdata=${unfinished}`,
      `--username=${options.superuser}`,
      '--encoding=UTF8',
      '--auth-local=trust',
      '--auth-host=scram-sha-256',
      ...(options.durable ? [] : ['--no-sync']),
      ...localeArguments(options.major, options.initdbArgs),
      ...options.initdbArgs,
    ],
    account,
  );
  if (code !== 0) {
    await rm(unfinished, { recursive: true, force: true });
    throw new PgLuthierError({
      code: 'embedded_init_failed',
      status: 500,
      message: `initdb of PostgreSQL ${options.major} failed:\n${output.trim()}`,
      remedy: 'Its last lines name the reason, usually disk space, rights, or an argument it does not know.',
    });
  }
  await appendFile(join(unfinished, 'postgresql.conf'), `\ninclude = '${SETTINGS_FILE}'\n`);
  const entries = (await readdir(unfinished)).filter((entry) => entry !== 'PG_VERSION');
  for (const entry of [...entries, 'PG_VERSION'])
    await rename(join(unfinished, entry), join(directory, entry));
  await rmdir(unfinished);
}

/** The error for a directory that the file system does not let us use. */
export function unusable(directory: string, cause: unknown): PgLuthierError {
  return new PgLuthierError({
    code: 'embedded_directory_unreachable',
    status: 500,
    message: `The data directory ${directory} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
    remedy: 'Run as the user who owns it, or choose another directory.',
    cause,
  });
}

function run(
  program: string,
  args: string[],
  account: Account | null,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...(account ?? {}),
      cwd: '/',
      env: SERVER_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** What lies at the path: no cluster yet, or one of this major that the account may use. */
export async function inspectDirectory(
  directory: string,
  major: number,
  account: Account | null,
): Promise<'absent' | 'cluster'> {
  let entries: string[];
  try {
    await mkdir(directory, { recursive: true });
    entries = (await readdir(directory)).filter((entry) => entry !== UNFINISHED);
  } catch (error) {
    throw unusable(directory, error);
  }
  if (!reachable(dirname(directory), account)) {
    throw new PgLuthierError({
      code: 'embedded_directory_unreachable',
      status: 500,
      message: `The account that PostgreSQL runs under (uid ${account?.uid}) cannot pass through to ${directory}.`,
      remedy: 'PostgreSQL does not run as root: choose a directory outside a home that only root may enter.',
    });
  }
  if (entries.length === 0) return 'absent';
  if (!entries.includes('PG_VERSION')) {
    throw new PgLuthierError({
      code: 'embedded_directory_not_empty',
      status: 500,
      message: `${directory} is neither empty nor a PostgreSQL data directory.`,
      remedy: 'Choose an empty or a new directory.',
    });
  }
  const found = (await readFile(join(directory, 'PG_VERSION'), 'utf8')).trim();
  if (found !== String(major)) {
    throw new PgLuthierError({
      code: 'embedded_version_mismatch',
      status: 500,
      message: `${directory} was made by PostgreSQL ${found}; this is PostgreSQL ${major}.`,
      remedy: `Start it with major ${found} and move the data over by dump and restore, or choose a new directory.`,
      details: { found_major: found, wanted_major: major },
    });
  }
  return 'cluster';
}

/** root runs the server as the owner of an existing directory, or else as an unprivileged account. */
export async function directoryAccount(directory: string, account: Account | null): Promise<Account | null> {
  if (!account) return null;
  const info = await stat(directory).catch(() => null);
  return info === null || info.uid === 0 ? account : { uid: info.uid, gid: info.gid };
}

/** Settings in a file of their own, so that `alter system` and the distributed defaults keep their places. */
export async function writeSettings(directory: string, settings: Record<string, string>): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => {
    if (!/^[A-Za-z_][\w.]*$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new PgLuthierError({
        code: 'embedded_setting_invalid',
        status: 500,
        message: `Not a setting that postgresql.conf can hold: ${JSON.stringify(name)}.`,
        remedy: 'A name has letters, digits, underscores and dots; a value has one line.',
      });
    }
    return `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  });
  const file = join(directory, SETTINGS_FILE);
  await writeFile(
    file,
    `# Written at every start; use alter system for lasting changes.\n${lines.join('\n')}\n`,
  );
  // Written by root, read by the server's account; the directory itself is closed to all others.
  await chmod(file, 0o644);
}
