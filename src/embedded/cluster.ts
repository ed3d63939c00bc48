/** Data directories: made by initdb, recognised when they exist, freed of what a crash left in them. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PgLuthierError } from '../domain/index.ts';
import type { Account } from './account.ts';
import { livingOwner, runningPostmaster, stopPostmaster, writeOwner } from './run-directory.ts';

const run = promisify(execFile);
const PASSWORD_FILE = 'pgluthier.password';
const SETTINGS_FILE = 'pgluthier.conf';

/**
 * UTF-8 without a dependence on the machine's locales: 17+ has a locale provider of its own, before that plain C
 * (lower() then knows ASCII only).
 */
function localeArguments(major: number): string[] {
  return major >= 17
    ? ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    : ['--encoding=UTF8', '--locale=C'];
}

export interface Cluster {
  dataDirectory: string;
  /** The superuser's password. */
  password: string;
}

/** Runs initdb into `dataDirectory`, which must not exist; half-made clusters never get that name. */
async function initialise(
  bin: string,
  major: number,
  dataDirectory: string,
  account: Account | null,
  initdbArgs: string[] | undefined,
): Promise<void> {
  const parent = dirname(dataDirectory);
  const unfinished = join(parent, `.${process.pid}-${randomBytes(4).toString('hex')}.initdb`);
  await mkdir(unfinished, { mode: 0o700 });
  const password = randomBytes(18).toString('base64url');
  const passwordFile = `${unfinished}.password`;
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (account) {
      await chown(unfinished, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    await run(
      join(bin, 'initdb'),
      [
        `--pgdata=${unfinished}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--no-sync',
        ...(initdbArgs ?? localeArguments(major)),
      ],
      { ...(account ?? {}), cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } },
    );
    await appendFile(join(unfinished, 'postgresql.conf'), `\ninclude_if_exists = '${SETTINGS_FILE}'\n`);
    await writeFile(join(unfinished, PASSWORD_FILE), password, { mode: 0o600 });
    await rename(unfinished, dataDirectory);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    const said =
      (cause as { stderr?: string }).stderr?.trim().split('\n').slice(-5).join(' ') ?? String(cause);
    throw new PgLuthierError({
      code: 'embedded_init_failed',
      status: 500,
      message: `initdb of PostgreSQL ${major} failed: ${said}`,
      remedy:
        'Check free disk space and that the parent folder can be entered by the account that runs the server.',
      cause,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** A throwaway cluster inside a run directory. */
export async function temporaryCluster(
  bin: string,
  major: number,
  runDirectory: string,
  account: Account | null,
  initdbArgs?: string[],
): Promise<Cluster> {
  const dataDirectory = join(runDirectory, 'data');
  await initialise(bin, major, dataDirectory, account, initdbArgs);
  return { dataDirectory, password: await readFile(join(dataDirectory, PASSWORD_FILE), 'utf8') };
}

/**
 * A cluster that stays: made at first, reused later. A server that a crashed owner left running on it is stopped in
 * good order; a living owner is respected.
 * @throws PgLuthierError `embedded_in_use`, `embedded_version_mismatch`, `embedded_not_ours`.
 */
export async function persistentCluster(
  bin: string,
  major: number,
  dataDirectory: string,
  name: string,
  account: Account | null,
  initdbArgs?: string[],
): Promise<Cluster> {
  const parent = dirname(dataDirectory);
  await mkdir(parent, { recursive: true });
  if (!existsSync(dataDirectory)) {
    await initialise(bin, major, dataDirectory, account, initdbArgs);
  } else {
    await adopt(dataDirectory, major);
  }
  await writeOwner(dataDirectory, name);
  const password = await readFile(join(dataDirectory, PASSWORD_FILE), 'utf8').catch((cause: unknown) => {
    throw notOurs(dataDirectory, cause);
  });
  return { dataDirectory, password };
}

async function adopt(dataDirectory: string, major: number): Promise<void> {
  const found = await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8').catch((cause: unknown) => {
    throw notOurs(dataDirectory, cause);
  });
  if (Number(found) !== major) {
    throw new PgLuthierError({
      code: 'embedded_version_mismatch',
      status: 500,
      message: `${dataDirectory} was made by PostgreSQL ${found.trim()}; this is ${major}.`,
      remedy: `Dump it with PostgreSQL ${found.trim()} and restore into a new data directory, or use PGLUTHIER_STORE_URL.`,
    });
  }
  const owner = await livingOwner(dataDirectory);
  if (owner && owner.pid !== process.pid) {
    throw new PgLuthierError({
      code: 'embedded_in_use',
      status: 409,
      message: `${dataDirectory} is in use by the running process ${owner.pid} (${owner.name}).`,
      remedy: 'Stop it first, or set PGLUTHIER_DATA_DIR to another folder.',
    });
  }
  const pid = await runningPostmaster(dataDirectory);
  if (pid !== null) await stopPostmaster(pid, 'SIGINT');
  // What is left names a process that is gone, or one that took its number: PostgreSQL would mistake the latter for a
  // server of its own when it runs under the same account.
  await unlink(join(dataDirectory, 'postmaster.pid')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function notOurs(dataDirectory: string, cause: unknown): PgLuthierError {
  return new PgLuthierError({
    code: 'embedded_not_ours',
    status: 500,
    message: `${dataDirectory} exists but is not a data directory that PgLuthier made, or cannot be read.`,
    remedy: 'Move it away, or set PGLUTHIER_DATA_DIR to another folder.',
    cause,
  });
}

/** Writes the settings of this start; ALTER SYSTEM's postgresql.auto.conf is read after them and wins. */
export async function writeSettings(
  dataDirectory: string,
  settings: Record<string, string>,
  account: Account | null,
): Promise<void> {
  const path = join(dataDirectory, SETTINGS_FILE);
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  if (account) await chown(path, account.uid, account.gid);
  else await chmod(path, 0o600);
  // initdb as root's unprivileged account: our own additions must be readable to it too.
  const { uid, gid } = await stat(dataDirectory);
  if (process.getuid?.() === 0) await chown(join(dataDirectory, PASSWORD_FILE), uid, gid);
}
