/** A second process that owns an embedded server, to be killed in every way; Linux only (it looks into /proc). */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { vi } from 'vitest';
import type { EmbeddedOptions } from '../../src/embedded/index.ts';
import { compiled } from '../support/compiled.ts';

export interface Announced {
  pid: number;
  dataDirectory: string;
  socketDirectory: string;
  version: string;
  dsn: string;
}

export interface Owner {
  process: ChildProcess;
  server: Announced;
  /** Shell processes that stand by to stop the server. */
  watchdogs: number[];
}

export interface OwnerOptions {
  embedded?: EmbeddedOptions;
  /** TMPDIR and HOME of the process. */
  temporaryDirectory: string;
  uid?: number;
  /** Another compiled copy of src/embedded/index.ts. */
  index?: string;
}

/** @throws Error with the PgLuthierError's code in front of its message. */
export async function startOwner(options: OwnerOptions): Promise<Owner> {
  const script = await compiled('test/embedded/owner-process');
  const child = spawn(
    process.execPath,
    [script, JSON.stringify(options.embedded ?? {}), ...(options.index ? [options.index] : [])],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, TMPDIR: options.temporaryDirectory, HOME: options.temporaryDirectory },
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Announced | { code?: string; message: string };
    if ('message' in said) throw new Error(`${said.code ?? 'no code'}: ${said.message}`);
    return { process: child, server: said, watchdogs: watchdogsOf(child.pid ?? 0) };
  }
  throw new Error(`the owner process said nothing: ${stderr}`);
}

function watchdogsOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return ppid === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('pgluthier-watchdog');
      } catch {
        return false;
      }
    });
}

export function running(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

/** Kills the owner and what stands by for it, so that its server is left alone. */
export async function abandon(owner: Owner): Promise<void> {
  for (const pid of owner.watchdogs) process.kill(pid, 'SIGKILL');
  owner.process.kill('SIGKILL');
  await vi.waitFor(() => {
    if (owner.watchdogs.some(running) || running(owner.process.pid ?? 0)) throw new Error('still there');
  });
}

/**
 * Waits until neither the server, its folder nor its owner is left. The owner holds its claim on a data directory until
 * after the rest has gone: whoever starts there before is told that it is in use.
 */
export async function gone({ process: { pid: owner = 0 }, server }: Owner): Promise<void> {
  const folder = dirname(server.socketDirectory);
  await vi.waitFor(
    () => {
      for (const pid of [server.pid, owner]) if (running(pid)) throw new Error(`${pid} still runs`);
      if (existsSync(folder)) throw new Error(`${folder} is still there`);
    },
    { timeout: 20_000, interval: 50 },
  );
}

export async function query<T = Record<string, unknown>>(dsn: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: dsn });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result = await client.query(sql);
    return result.rows as T[];
  } finally {
    await client.end();
  }
}
