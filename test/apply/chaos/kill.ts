/** kill -9 of the process that applies, of its backends, or of the server, once all of a round have come to their points. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type pg from 'pg';
import { type ApplyOutcome, PgLuthierError } from '../../../src/domain/index.ts';
import type { EmbeddedServer } from '../../../src/embedded/index.ts';
import { compiled } from '../../support/compiled.ts';
import { fileJournal } from '../journal.ts';
import { rows, until } from '../target.ts';
import { perform } from './act.ts';
import { stoppingAt } from './points.ts';
import type { Run } from './round.ts';

export type Victim = 'service' | 'backend' | 'server';
/** What is killed: an apply, or the recovery of one. */
export type Act = 'apply' | 'recover';

interface Killing {
  servers: readonly EmbeddedServer[];
  runs: readonly Run[];
  victim: Victim;
  act: Act;
  /** Sessions that make the statements wait; empty: each run stops at its point. */
  holders: readonly pg.Client[];
}

/** @returns what each run made of it itself; null: nothing, it is to be recovered. */
export function kill(killing: Killing): Promise<(ApplyOutcome | null)[]> {
  return killing.victim === 'service' ? killService(killing) : killOnServers(killing);
}

const nameOf = (run: Run) => `pgluthier:apply:${run.apply_id}`;

/** Of these, those whose backends wait for a lock now. */
async function waiting({ servers }: Killing, names: readonly string[]): Promise<Set<string>> {
  const found = await Promise.all(
    servers.map((server) =>
      rows<{ name: string }>(
        server.dsn('postgres'),
        `SELECT application_name AS name FROM pg_stat_activity
         WHERE application_name = ANY ($1) AND wait_event_type = 'Lock'`,
        [names],
      ),
    ),
  );
  return new Set(found.flat().map(({ name }) => name));
}

/** All of them wait for a lock now, or have ended. */
function allWait(killing: Killing, ended: ReadonlySet<string>): Promise<boolean> {
  return until(async () => {
    const names = killing.runs.map(nameOf).filter((name) => !ended.has(name));
    return (await waiting(killing, names)).size === names.length;
  });
}

/** The servers go on with what they were given. */
async function killService(killing: Killing): Promise<null[]> {
  const { runs, act, holders } = killing;
  const path = `${runs[0]?.journal}.runs`;
  writeFileSync(path, JSON.stringify(runs));
  const script = await compiled('test/apply/chaos/service-process');
  const child: ChildProcess = spawn(process.execPath, [script, path, act], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  // A recovery may have ended by itself: it says so.
  const ended = new Set<string>();
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (id) =>
    ended.add(`pgluthier:apply:${id}`),
  );
  const exited = once(child, 'exit');
  if (holders.length > 0) {
    await Promise.race([allWait(killing, ended), exited]);
    child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the service ended before it was killed: ${said}`);
  for (const holder of holders) await holder.end();
  return runs.map(() => null);
}

/** This process goes on applying: what it makes of the kill itself is an outcome, or null. */
async function killOnServers(killing: Killing): Promise<(ApplyOutcome | null)[]> {
  const { servers, runs, victim, act, holders } = killing;
  const ended = new Set<string>();
  let arrived = 0;
  let allHere = () => {};
  let release = () => {};
  const here = new Promise<void>((resolve) => {
    allHere = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const arrive = () => {
    arrived += 1;
    if (arrived === runs.length) allHere();
    return released;
  };
  const running = runs.map(async (run) => {
    try {
      return await perform(act, run, stoppingAt(fileJournal(run.journal), run.point, arrive));
    } catch (error) {
      // As the service does: it stays open.
      if (act === 'recover' && error instanceof PgLuthierError && error.code.startsWith('target_'))
        return null;
      throw error;
    } finally {
      ended.add(nameOf(run));
      if (act === 'recover') void arrive();
    }
  });
  const early = act === 'recover' ? new Promise<never>(() => {}) : Promise.any(running).then(refuseEarly);
  early.catch(() => {});
  await Promise.race([holders.length > 0 ? allWait(killing, ended) : here, early]);
  for (const server of servers) {
    if (victim === 'server') process.kill(server.pid, 'SIGKILL');
    else await killBackends(server, runs);
  }
  if (victim === 'server') await Promise.all(servers.map((server) => server.restart()));
  release();
  const outcomes = await Promise.all(running);
  for (const holder of holders) await holder.end().catch(() => {});
  for (const server of servers) await until(() => rows(server.dsn('postgres'), 'SELECT 1').catch(() => null));
  return outcomes;
}

function refuseEarly(outcome: ApplyOutcome | null): never {
  throw new Error(`an apply ended before the kill: ${JSON.stringify(outcome)}`);
}

async function killBackends(server: EmbeddedServer, runs: readonly Run[]): Promise<void> {
  const backends = await rows<{ pid: number }>(
    server.dsn('postgres'),
    'SELECT pid FROM pg_stat_activity WHERE application_name = ANY ($1)',
    [runs.map(nameOf)],
  );
  for (const { pid } of backends) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // The postmaster ends all backends when one was killed: some are gone before it is their turn.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
