/** One round: a change of each kind at once on one server, all stopped dead at a point each by one kill, and recovered. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { buildPlan, executePlan, recoverApply } from '../../../src/apply/index.ts';
import { type ApplyOutcome, type ApplyPlan, PgLuthierError } from '../../../src/domain/index.ts';
import type { EmbeddedServer } from '../../../src/embedded/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { fileJournal, newJournal } from '../journal.ts';
import { client, newApplyId, rows, until } from '../target.ts';
import { type Ended, foreignState, violationsOf } from './invariants.ts';
import { type Point, pointsOf, stoppingAt } from './points.ts';
import { roundSql, SETTING, type Subject, subjects } from './subjects.ts';

export type Victim = 'service' | 'backend' | 'server';

/** One apply of a round; plain data, for another process to read. */
export interface Run {
  subject: string;
  apply_id: string;
  plan: ApplyPlan;
  /** File. */
  journal: string;
  /** Null: in the middle of its statement. */
  point: Point | null;
}

/** Rounds of points, then one in the middle of each statement. */
const ROUNDS = Math.max(...subjects.map(({ entries }) => pointsOf(entries).length));
export const rounds: (number | 'middle')[] = [...Array.from({ length: ROUNDS }, (_, n) => n), 'middle'];

const script = fileURLToPath(new URL('service-process.ts', import.meta.url));

/** @returns how many applies it were, and what went wrong with them. */
export async function playRound(
  server: EmbeddedServer,
  victim: Victim,
  round: number | 'middle',
): Promise<{ runs: number; violations: string[] }> {
  const dsn = server.dsn('postgres');
  const schema = `${victim}_${round}`;
  await rows(dsn, `ALTER SYSTEM SET ${SETTING.name} = '${SETTING.before}'`);
  await rows(dsn, 'SELECT pg_reload_conf()');
  await rows(dsn, roundSql(schema));
  await until(async () => {
    const [row] = await rows<{ now: string }>(dsn, 'SELECT current_setting($1) AS now', [SETTING.name]);
    return row?.now === SETTING.before;
  });
  const taking = subjects.filter((subject) =>
    round === 'middle' ? subject.hold(schema).length > 0 : round < pointsOf(subject.entries).length,
  );
  const runs = taking.map((subject) => newRun(subject, schema, round));
  const foreign = await foreignState(dsn, schema);
  const holders = round === 'middle' ? await holdAll(dsn, schema, taking) : [];
  const ended =
    victim === 'service'
      ? await killService(dsn, runs, holders)
      : await killOnServer(server, victim, runs, holders);
  const violations: string[] = [];
  for (const [position, subject] of taking.entries()) {
    const run = runs[position] as Run;
    const outcome = ended[position] ?? (await until(() => recover(dsn, run)));
    const again = await until(() => recover(dsn, run));
    const state: Ended = { run, subject, schema, outcome, again, crashed: victim !== 'service' };
    const found = await violationsOf(server, state);
    violations.push(
      ...found.map(
        (violation) =>
          `PostgreSQL ${server.major}, ${victim} killed, ${subject.name} at ${JSON.stringify(run.point ?? 'middle')}: ${violation}`,
      ),
    );
  }
  const now = await foreignState(dsn, schema);
  if (now !== foreign) violations.push(`the user's own objects were ${foreign} and are ${now}`);
  await rows(dsn, `DROP SCHEMA ${schema} CASCADE`);
  return { runs: runs.length, violations };
}

function newRun(subject: Subject, schema: string, round: number | 'middle'): Run {
  return {
    subject: subject.name,
    apply_id: newApplyId(),
    plan: buildPlan(subject.change(schema)),
    journal: newJournal().path,
    point: round === 'middle' ? null : (pointsOf(subject.entries)[round] ?? null),
  };
}

/** Sessions that make each statement wait in its middle. */
async function holdAll(dsn: string, schema: string, taking: readonly Subject[]): Promise<pg.Client[]> {
  const holder = await client(dsn);
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  for (const statement of taking.flatMap((subject) => subject.hold(schema))) await holder.query(statement);
  return [holder];
}

/** All of them wait for a lock now. */
function allWait(dsn: string, runs: readonly Run[]): Promise<boolean> {
  const names = runs.map((run) => `pgluthier:apply:${run.apply_id}`);
  return until(async () => {
    const waiting = await rows(
      dsn,
      `SELECT FROM pg_stat_activity WHERE application_name = ANY ($1) AND wait_event_type = 'Lock'`,
      [names],
    );
    return waiting.length === runs.length;
  });
}

/** kill -9 of the process that applies; the server goes on with what it was given. */
async function killService(dsn: string, runs: readonly Run[], holders: pg.Client[]): Promise<null[]> {
  const path = `${runs[0]?.journal}.runs`;
  writeFileSync(path, JSON.stringify(runs.map((run) => ({ ...run, dsn }))));
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, path], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exited = once(child, 'exit');
  if (holders.length > 0) {
    await Promise.race([allWait(dsn, runs), exited.then(() => Promise.reject(new Error(said)))]);
    child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the service ended before it was killed: ${said}`);
  for (const holder of holders) await holder.end();
  return runs.map(() => null);
}

/** kill -9 on the server, while this process goes on applying: what it makes of that itself is an outcome, or null. */
async function killOnServer(
  server: EmbeddedServer,
  victim: 'backend' | 'server',
  runs: readonly Run[],
  holders: pg.Client[],
): Promise<(ApplyOutcome | null)[]> {
  const dsn = server.dsn('postgres');
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
  const running = runs.map((run) =>
    executePlan(run.plan, {
      dsn,
      apply_id: run.apply_id,
      openSession: openTarget,
      journal: stoppingAt(fileJournal(run.journal), run.point, arrive),
      onProgress: () => {},
    }),
  );
  const early = Promise.any(running).then((outcome) => {
    throw new Error(`an apply ended before the kill: ${JSON.stringify(outcome)}`);
  });
  early.catch(() => {});
  await Promise.race([holders.length > 0 ? allWait(dsn, runs) : here, early]);
  if (victim === 'server') {
    process.kill(server.pid, 'SIGKILL');
    await server.restart();
  } else {
    const names = runs.map((run) => `pgluthier:apply:${run.apply_id}`);
    const backends = await rows<{ pid: number }>(
      dsn,
      'SELECT pid FROM pg_stat_activity WHERE application_name = ANY ($1)',
      [names],
    );
    for (const { pid } of backends) killHard(pid);
  }
  release();
  const outcomes = await Promise.all(running);
  for (const holder of holders) await holder.end().catch(() => {});
  await until(() => rows(dsn, 'SELECT 1').catch(() => null));
  return outcomes;
}

/** The postmaster ends all backends when one was killed: some are gone before it is their turn. */
function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Null: not yet. */
async function recover(dsn: string, run: Run): Promise<ApplyOutcome | null> {
  const journal = fileJournal(run.journal);
  try {
    return await recoverApply({
      plan: run.plan,
      apply_id: run.apply_id,
      entries: await journal.entries(),
      dsn,
      openSession: openTarget,
      journal,
    });
  } catch (error) {
    // As the service does: a target that does not answer yet is asked again.
    if (error instanceof PgLuthierError && error.code.startsWith('target_')) return null;
    throw error;
  }
}
