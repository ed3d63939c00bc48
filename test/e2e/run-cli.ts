/** The command line as a user runs it, in a process of its own; and the same in this one, a second of CPU cheaper. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { runCli as commandLine } from '../../src/cli.ts';
import { packageRoot } from '../../src/package-root.ts';
import { compiled } from '../support/compiled.ts';

export interface CliResult {
  code: number | null;
  out: string;
  err: string;
}

const environmentOf = (home: string, more: Record<string, string>): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: home,
  PGLUTHIER_DATA_DIR: join(home, 'data'),
  ...more,
});

/** @param home of the process, which finds nobody else's settings there. */
export async function startCli(
  home: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<ChildProcess> {
  return spawn(process.execPath, [await compiled('src/main'), ...args], {
    cwd: packageRoot,
    env: environmentOf(home, environment),
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

/** In place: what is asked of the system itself, as the home, is another then, too. */
function setEnvironment(wanted: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in wanted)) delete process.env[name];
  Object.assign(process.env, wanted);
}

/**
 * The same arguments to the same command line without a process for it: what `main.ts` adds to it, one run of each
 * command in a process of its own shows. One at a time; what listens (`serve`, `demo`) wants a process.
 */
export async function runCliHere(home: string, args: string[]): Promise<CliResult> {
  const before = { ...process.env };
  const { stdout, stderr } = process;
  const writes = [stdout.write, stderr.write] as const;
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    ((chunk: string | Uint8Array) => {
      said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
      return true;
    }) as typeof stdout.write;
  [stdout.write, stderr.write] = [into('out'), into('err')];
  setEnvironment(environmentOf(home, {}));
  try {
    return { code: await commandLine([process.execPath, 'pgluthier', ...args]), ...said };
  } finally {
    [stdout.write, stderr.write] = writes;
    setEnvironment(before);
  }
}
