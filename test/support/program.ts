/** The program as it is shipped: compiled by the project's own build, once a run, when a test first asks for it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/package-root.ts';

const run = promisify(execFile);

/** Under node_modules, which version control leaves alone: the output finds the packages and sql/ above itself. */
const PARENT = join(packageRoot, 'node_modules', '.cache', 'pgluthier-tests');

export class CompiledProgram {
  private compiled: Promise<string> | undefined;

  /** Folder of the output (`src/main.js` is in it). Types are checked by `npm run check`, not here. */
  folder(): Promise<string> {
    this.compiled ??= this.compile();
    return this.compiled;
  }

  private async compile(): Promise<string> {
    await mkdir(PARENT, { recursive: true });
    const folder = await mkdtemp(join(PARENT, 'dist-'));
    const compiler = join(packageRoot, 'node_modules', '.bin', 'tsc');
    const args = ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', folder];
    try {
      await run(compiler, args, { cwd: packageRoot });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return folder;
  }

  async remove(): Promise<void> {
    const folder = await this.compiled?.catch(() => null);
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}
