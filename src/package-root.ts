/** Finds files that ship beside the code (sql/, package.json), from src/ and from dist/src/ alike. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findPackageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`no package.json above ${import.meta.url}`);
    directory = parent;
  }
  return directory;
}

/** Absolute path of the folder that holds package.json. */
export const packageRoot: string = findPackageRoot();

/** Absolute path of a folder or file under sql/. */
export function sqlPath(...parts: string[]): string {
  return join(packageRoot, 'sql', ...parts);
}
