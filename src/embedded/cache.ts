/** Where programs that were copied or fetched lie between runs. */
import { constants } from 'node:fs';
import { access, chmod, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { privateDirectory, shortTemporaryDirectory } from './private-directory.ts';

/** Beginning of the name of what is being written; a rename ends that. */
export const UNFINISHED = '.unfinished-';

/** Root's lies where only root can write, so that nobody can plant programs for us to run. */
export async function cacheRoot(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const root = uid === 0 ? '/var/cache/pgluthier' : join(homedir(), '.cache', 'pgluthier');
  try {
    await mkdir(root, { recursive: true, mode: 0o755 });
    if (uid === 0) await chmod(root, 0o755);
    await access(root, constants.W_OK);
    return root;
  } catch {
    // No home of one's own, or a read-only root file system.
    return privateDirectory(join(shortTemporaryDirectory(), `pgluthier-cache-${uid}`));
  }
}
