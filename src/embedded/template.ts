/** Throwaway clusters copied from one that initdb made before: a tenth of a second instead of one. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheRoot, UNFINISHED } from './cache.ts';
import { type ClusterOptions, initCluster } from './cluster.ts';

const run = promisify(execFile);
const PREFIX = 'cluster-';
/** A template that nothing was copied from for so long belongs to a version that is gone. */
const UNUSED_MS = 30 * 86_400_000;

/**
 * Makes the cluster in `options.directory`. It has the system identifier of all others of its template.
 * @throws PgLuthierError `embedded_init_failed`, `embedded_directory_unreachable`.
 */
export async function copyCluster(options: ClusterOptions): Promise<void> {
  const { account, directory } = options;
  const template = await findTemplate(options);
  await mkdir(directory, { mode: 0o700 });
  // As root the template is root's, whom no server can change: what it makes of a copy stays in the copy.
  await run('cp', ['-R', `${template}/.`, directory]);
  if (account) await run('chown', ['-R', `${account.uid}:${account.gid}`, directory]);
  await chmod(directory, 0o700);
}

/** Made at the first use; concurrent makers race to one rename. */
async function findTemplate(options: ClusterOptions): Promise<string> {
  const root = await cacheRoot();
  const target = join(root, `${PREFIX}${options.major}-${await keyOf(options)}`);
  if (existsSync(target)) {
    const now = new Date();
    await utimes(target, now, now);
    return target;
  }
  await removeUnused(root);
  const unfinished = await mkdtemp(join(root, `${UNFINISHED}${PREFIX}`));
  try {
    await chmod(unfinished, options.account ? 0o711 : 0o700);
    const made = join(unfinished, 'data');
    await initCluster({ ...options, directory: made });
    if (options.account) await run('chown', ['-R', '0:0', made]);
    await rename(made, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return target;
}

/** What a cluster depends on: the very programs, what initdb is told, and whose it is. */
async function keyOf({ bin, initdbArgs, superuser, account, durable }: ClusterOptions): Promise<string> {
  const programs = await realpath(bin);
  const { size, mtimeMs } = await stat(join(programs, 'initdb'));
  const parts = [programs, size, mtimeMs, initdbArgs, superuser, account?.uid ?? null, durable];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

async function removeUnused(root: string): Promise<void> {
  for (const entry of await readdir(root)) {
    if (!entry.startsWith(PREFIX)) continue;
    const path = join(root, entry);
    const info = await lstat(path).catch(() => null);
    if (info && Date.now() - info.mtimeMs > UNUSED_MS) await rm(path, { recursive: true, force: true });
  }
}
