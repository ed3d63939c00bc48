/** What a folder really takes: sparse files count what is written of them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes allocated below the folder. */
export async function diskUse(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { blocks } = await stat(join(entry.parentPath, entry.name));
    bytes += blocks * 512;
  }
  return bytes;
}
