/** Folders under a directory that everybody may write to, safe from everybody. */
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { PgLuthierError } from '../domain/index.ts';
import { reachable, serverAccount } from './account.ts';

/** A socket's path may have 107 bytes (Linux) or 103 (macOS); ours adds up to 63 to the temporary directory's. */
const LONGEST_PARENT = 40;

/** The temporary directory, or /tmp where that one is too long for sockets or closed to the server's account. */
export function shortTemporaryDirectory(): string {
  return tmpdir().length <= LONGEST_PARENT && reachable(tmpdir(), serverAccount()) ? tmpdir() : '/tmp';
}

/**
 * Makes the folder, or makes sure that an existing one is ours and that nobody else can put anything into it.
 * @throws PgLuthierError `embedded_scratch_unsafe`.
 */
export function privateDirectory(path: string): string {
  try {
    // As root, the server's account has to pass through; it may not list or write.
    mkdirSync(path, { mode: serverAccount() ? 0o711 : 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const info = lstatSync(path);
  if (!info.isDirectory() || info.uid !== (process.getuid?.() ?? 0) || (info.mode & 0o022) !== 0) {
    throw new PgLuthierError({
      code: 'embedded_scratch_unsafe',
      status: 500,
      message: `${path} exists, but it is not a directory that only this user can write to.`,
      remedy: `Remove ${path}, or set TMPDIR to a directory of your own.`,
    });
  }
  return path;
}
