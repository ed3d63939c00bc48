/** The command line as a user runs it, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/package-root.ts';
import { compiled } from '../support/compiled.ts';

export interface CliResult {
  code: number | null;
  out: string;
  err: string;
}

/** @param home of the process, which finds nobody else's settings there. */
export async function startCli(
  home: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<ChildProcess> {
  return spawn(process.execPath, [await compiled('src/main'), ...args], {
    cwd: packageRoot,
    env: { PATH: process.env.PATH, HOME: home, PGLUTHIER_DATA_DIR: join(home, 'data'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function runCli(
  home: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<CliResult> {
  const child = await startCli(home, args, environment);
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}
