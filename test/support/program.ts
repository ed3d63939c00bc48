/**
 * The program as it is shipped, and the scripts that tests run in processes of their own (`*-process.ts`): compiled once
 * a run, when a test first asks for it, by the compiler and the options of the project's own build.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/package-root.ts';

const run = promisify(execFile);

/**
 * Where the build puts it, too: the output finds the packages, sql/ and package.json above itself. Not under
 * node_modules: there Node.js does not look for package.json above, and tries each file as CommonJS first.
 */
const PARENT = join(packageRoot, 'dist');

export class CompiledProgram {
  private compiled: Promise<string> | undefined;

  /** Folder of the output (`src/main.js` is in it). Types are checked by `npm run check`, not here. */
  folder(): Promise<string> {
    this.compiled ??= this.compile();
    return this.compiled;
  }

  private async compile(): Promise<string> {
    await mkdir(PARENT, { recursive: true });
    const folder = await mkdtemp(join(PARENT, 'tests-'));
    const compiler = join(packageRoot, 'node_modules', '.bin', 'tsc');
    // Other users run it, too.
    await chmod(folder, 0o755);
    const project = join('test', 'support', 'program.tsconfig.json');
    const args = ['-p', project, '--noCheck', '--outDir', folder];
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
