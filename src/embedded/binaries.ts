/** Where the binaries of a major version are, in a form that the server's account can run. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { PgLuthierError } from '../domain/index.ts';
import { type Account, serverAccount } from './account.ts';
import { cacheRoot, UNFINISHED } from './cache.ts';

const require = createRequire(import.meta.url);
export const KNOWN_MAJORS = [14, 15, 16, 17, 18] as const;
const ABANDONED_MS = 3_600_000;

/** Folder of the npm package that carries a major for this platform; null: not installed here. */
export function packageDirectory(major: number): string | null {
  try {
    const entry = require.resolve(`embedded-pg${major}-${process.platform}-${process.arch}`);
    return dirname(dirname(entry));
  } catch {
    return null;
  }
}

/** Major versions whose binaries are installed here, ascending. */
export function availableMajors(): number[] {
  return KNOWN_MAJORS.filter((major) => packageDirectory(major) !== null);
}

/** By package folder. */
const prepared = new Map<string, Promise<string>>();

/**
 * The `bin` folder of a major, ready to run.
 * @param directory of its package; where not given, that of the one that is installed.
 * @throws PgLuthierError `embedded_major_unavailable`, `embedded_not_runnable`.
 */
export async function binDirectory(major: number, directory = packageDirectory(major)): Promise<string> {
  if (directory === null) {
    throw new PgLuthierError({
      code: 'embedded_major_unavailable',
      status: 500,
      message: `PostgreSQL ${major} is not installed as an npm package for ${process.platform}-${process.arch}.`,
      remedy: `Installed are: ${availableMajors().join(', ') || 'none'}. Optional dependencies must not be omitted (npm ci).`,
    });
  }
  let ready = prepared.get(directory);
  if (!ready) {
    ready = prepare(major, directory);
    prepared.set(directory, ready);
    ready.catch(() => prepared.delete(directory));
  }
  return ready;
}

async function prepare(major: number, directory: string): Promise<string> {
  const account = serverAccount();
  const native = join(directory, 'native');
  if ((await restoreSymlinks(directory)) && runs(join(native, 'bin'), account)) return join(native, 'bin');
  // The package folder is read-only, or lies where the server's account may not go (a home that only root enters).
  const copy = await copyToCache(directory);
  if (runs(join(copy, 'native', 'bin'), account)) return join(copy, 'native', 'bin');
  throw new PgLuthierError({
    code: 'embedded_not_runnable',
    status: 500,
    message: `The PostgreSQL ${major} binaries in ${native} do not run on this machine.`,
    remedy:
      'They need glibc (not musl) and a file system that is not mounted noexec. An embedded server cannot be used here.',
  });
}

/** Whether the account can really start these binaries: the only check that covers modes, mounts and libraries. */
function runs(bin: string, account: Account | null): boolean {
  const result = spawnSync(join(bin, 'postgres'), ['--version'], {
    ...(account ?? {}),
    cwd: '/',
    stdio: 'ignore',
  });
  return result.status === 0;
}

/**
 * npm cannot pack symbolic links; the package lists them in pg-symlinks.json (paths relative to the package) for an
 * install script, which may not have run. False: some are missing and cannot be made here.
 */
async function restoreSymlinks(directory: string): Promise<boolean> {
  const listFile = join(directory, 'native', 'pg-symlinks.json');
  if (!existsSync(listFile)) return true;
  const links: unknown = JSON.parse(await readFile(listFile, 'utf8'));
  for (const { source, target } of links as { source: string; target: string }[]) {
    // `source` is the existing file, `target` the link to make: the names are those of the package's own script.
    const link = join(directory, target);
    try {
      await lstat(link);
    } catch {
      try {
        await symlink(relative(dirname(link), join(directory, source)), link);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
      }
    }
  }
  return true;
}

/** Copies the package once per version; concurrent copies race to one rename, and the loser uses the winner's. */
async function copyToCache(directory: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
  const { version } = manifest as { version: string };
  const root = await cacheRoot();
  const name = `postgres-${version}-${process.platform}-${process.arch}`;
  const target = join(root, name);
  if (existsSync(target)) return target;
  await removeAbandonedCopies(root);
  const unfinished = await mkdtemp(join(root, `${UNFINISHED}${name}-`));
  try {
    await cp(directory, unfinished, { recursive: true, verbatimSymlinks: true });
    await openToAll(unfinished);
    await restoreSymlinks(unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

async function removeAbandonedCopies(root: string): Promise<void> {
  for (const entry of await readdir(root)) {
    const path = join(root, entry);
    const info = entry.startsWith(UNFINISHED) ? await lstat(path).catch(() => null) : null;
    if (info && Date.now() - info.mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true });
  }
}

/** Readable to everybody, executable where it is a folder or a program: the copy may come from under a tight umask. */
async function openToAll(path: string): Promise<void> {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  if (!info.isDirectory()) {
    await chmod(path, basename(dirname(path)) === 'bin' ? 0o755 : 0o644);
    return;
  }
  await chmod(path, 0o755);
  for (const entry of await readdir(path)) await openToAll(join(path, entry));
}
