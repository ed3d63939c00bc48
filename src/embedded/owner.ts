/** Names the process that owns a directory, so that an orphan can be told from a directory in use. */
import { readFileSync, readlinkSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { processStart } from './account.ts';

const ownerSchema = z.object({
  pid: z.number().int(),
  /** The process's start in the kernel's words; pids are reused, this pair within one boot is not. */
  start: z.string(),
  boot: z.string(),
  /** Containers that share a volume do not see each other's processes. */
  pid_namespace: z.string(),
});

type Owner = z.infer<typeof ownerSchema>;

const HEARTBEAT_MS = 3_000;
/** Three missed heartbeats; then one more second to see whether the next one comes after all. */
const CLAIM_PATIENCE = { silenceMs: 3 * HEARTBEAT_MS, patienceMs: 3 * HEARTBEAT_MS + 1_000 };

function readOrEmpty(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return '';
  }
}

function self(): Owner {
  return {
    pid: process.pid,
    start: processStart(process.pid) ?? '',
    boot: readOrEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    pid_namespace: readOrEmpty(() => readlinkSync('/proc/self/ns/pid')),
  };
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

/** How long ago the file was last touched, in milliseconds; null: no such file. */
async function age(file: string): Promise<number | null> {
  try {
    return Date.now() - (await stat(file)).mtimeMs;
  } catch {
    return null;
  }
}

/**
 * Whether the owner named in the file is still at work. An owner in another pid namespace (a container that shares
 * the directory) cannot be looked up: there its heartbeat decides, dead after `silenceMs` without one, watched for at
 * most `patienceMs`.
 */
export async function ownerAlive(
  file: string,
  { silenceMs, patienceMs }: { silenceMs: number; patienceMs: number },
): Promise<boolean> {
  const owner = await readOwner(file);
  if (owner === null) return false;
  const me = self();
  if (owner.boot === me.boot && owner.pid_namespace === me.pid_namespace) {
    return processStart(owner.pid) === owner.start;
  }
  // The machine was booted since.
  if (owner.pid_namespace === me.pid_namespace) return false;
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const silence = await age(file);
    if (silence === null || silence > silenceMs) return false;
    if (Date.now() >= deadline) return true;
    await sleep(500);
  }
}

/** A claim on a directory, kept fresh until released. */
export interface Claim {
  release(): Promise<void>;
}

function keepFresh(file: string): Claim {
  const timer = setInterval(() => {
    const now = new Date();
    // The file may be gone with its directory: the claim then ends with the process.
    utimes(file, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  timer.unref();
  return {
    async release() {
      clearInterval(timer);
      await rm(file, { force: true });
    },
  };
}

/** Claims a directory that nobody else can know yet. */
export async function claimNew(file: string): Promise<Claim> {
  // Renamed into place: whoever sees the file sees all of it.
  await writeFile(`${file}.new`, JSON.stringify(self()), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return keepFresh(file);
}

/** Claims a directory that others may know; null: another live process owns it. */
export async function claim(file: string): Promise<Claim | null> {
  const mine = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(mine, JSON.stringify(self()), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        // link() fails where the name exists: of several claimants exactly one wins.
        await link(mine, file);
        return keepFresh(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      if (await ownerAlive(file, CLAIM_PATIENCE)) return null;
      // Renaming, not removing: of several claimants who saw the dead owner only one gets the file out of the way.
      await rename(file, `${mine}.dead`).catch(() => undefined);
      await rm(`${mine}.dead`, { force: true });
    }
    return null;
  } finally {
    await rm(mine, { force: true });
  }
}
