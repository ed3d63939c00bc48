/** One round: applies of each kind at once on several servers, all stopped dead at a point each by one kill, and recovered. */
import type pg from 'pg';
import { buildPlan, recoverApply } from '../../../src/apply/index.ts';
import { type ApplyOutcome, type ApplyPlan, PgLuthierError } from '../../../src/domain/index.ts';
import type { EmbeddedServer } from '../../../src/embedded/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { fileJournal, newJournal } from '../journal.ts';
import { client, newApplyId, rows, until } from '../target.ts';
import { foreignState, loggedLines, violationsOf } from './invariants.ts';
import { type Act, kill, type Victim } from './kill.ts';
import type { Point } from './points.ts';
import { SETTINGS, settingBefore } from './setting-subjects.ts';
import { type Place, roundSql, type Subject, subjects } from './subjects.ts';

/** One apply of a round; plain data, for another process to read. */
export interface Run {
  subject: string;
  apply_id: string;
  plan: ApplyPlan;
  place: Place;
  /** File. */
  journal: string;
  /** Null: in the middle of its statement. */
  point: Point | null;
}

/** What is played on which server: a subject, stopped at a point. */
export interface Played {
  server: EmbeddedServer;
  subject: Subject;
  point: Point | null;
}

export interface Round {
  /** A schema's name begins with it. */
  name: string;
  victim: Victim;
  /** recover: the applies are cut off in the middle first, all backends killed; then their recovery is. */
  act: Act;
  played: Played[];
}

/** @returns how many applies it were, and what went wrong with them. */
export async function playRound(round: Round): Promise<{ runs: number; violations: string[] }> {
  const { victim, act, played } = round;
  const servers = [...new Set(played.map(({ server }) => server))];
  const runs = played.map((one, position) => newRun(round, one, position));
  const of = (server: EmbeddedServer) => runs.filter((_, position) => played[position]?.server === server);
  await Promise.all(servers.map((server) => setUp(server, of(server))));
  const foreign = await Promise.all(servers.map((server) => foreignOf(server, of(server))));
  const hold = (how: (subject: Subject, schema: string) => string[]) =>
    Promise.all(servers.map((server) => holdAll(server, of(server), how)));

  if (act === 'recover') {
    const holders = await hold((subject, schema) => subject.hold(schema));
    const middle = runs.map((run) => ({ ...run, point: null }));
    await kill({ servers, runs: middle, victim: 'backend', act: 'apply', holders });
  }
  const middle = played.every(({ point }) => point === null);
  const holders = middle
    ? await hold((subject, schema) =>
        act === 'apply' ? subject.hold(schema) : (subject.holdRecovery?.(schema) ?? []),
      )
    : [];
  const ended = await kill({ servers, runs, victim, act, holders });

  const violations: string[] = [];
  const outcomes = new Map<Run, [ApplyOutcome, ApplyOutcome]>();
  const lane = async (server: EmbeddedServer) => {
    for (const run of of(server)) {
      const outcome = ended[runs.indexOf(run)] ?? (await until(() => recover(run)));
      outcomes.set(run, [outcome, await until(() => recover(run))]);
    }
  };
  await Promise.all(servers.map(lane));
  const logs = new Map(servers.map((server) => [server, loggedLines(server)]));
  for (const [position, run] of runs.entries()) {
    const { server, subject } = played[position] as Played;
    const [outcome, again] = outcomes.get(run) as [ApplyOutcome, ApplyOutcome];
    const crashed = victim !== 'service' || act === 'recover';
    const log = logs.get(server) ?? new Map();
    const found = await violationsOf({ run, subject, outcome, again, crashed, log });
    violations.push(
      ...found.map(
        (violation) =>
          `PostgreSQL ${server.major}, ${victim} killed, ${act} ${subject.name} at ${JSON.stringify(run.point ?? 'middle')}: ${violation}`,
      ),
    );
  }
  for (const [position, server] of servers.entries()) {
    const now = await foreignOf(server, of(server));
    if (now !== foreign[position])
      violations.push(`the user's own objects were ${foreign[position]} and are ${now}`);
    const drops = of(server).map(({ place }) => `DROP SCHEMA ${place.schema} CASCADE;`);
    await rows(server.dsn('postgres'), `SET client_min_messages = error; ${drops.join(' ')}`);
  }
  return { runs: runs.length, violations };
}

/** What of the server its places share, and are numbered for: the server's settings, or the database's. */
const sharedBy = ({ name }: Subject) => name.split(/[.,]/, 1)[0];

function newRun({ name, played }: Round, { server, subject, point }: Played, position: number): Run {
  const before = played
    .slice(0, position)
    .filter((one) => one.server === server && sharedBy(one.subject) === sharedBy(subject));
  const place = { dsn: server.dsn('postgres'), schema: `${name}_${position}`, number: before.length };
  return {
    subject: subject.name,
    apply_id: newApplyId(),
    plan: buildPlan(subject.change(place)),
    place,
    journal: newJournal().path,
    point,
  };
}

export const subjectOf = (run: Run): Subject => {
  const found = subjects.find(({ name }) => name === run.subject);
  if (!found) throw new Error(`no subject ${run.subject}`);
  return found;
};

async function setUp(server: EmbeddedServer, runs: readonly Run[]): Promise<void> {
  const dsn = server.dsn('postgres');
  const one = await client(dsn);
  const settings = runs
    .filter(({ subject }) => subject.startsWith('setting'))
    .map(({ place }) => settingBefore(place));
  for (const name of SETTINGS) await one.query(`ALTER SYSTEM RESET ${name}`);
  for (const { name, value } of settings) await one.query(`ALTER SYSTEM SET ${name} = ${value}`);
  await one.query('SELECT pg_reload_conf()');
  for (const run of runs) await one.query(roundSql(run.place, subjectOf(run)));
  await until(async () => {
    const now = await Promise.all(
      settings.map(({ name }) => rows<{ now: string }>(dsn, 'SELECT current_setting($1) AS now', [name])),
    );
    return now.every(([row], position) => row?.now === settings[position]?.value);
  });
  await one.end();
}

const foreignOf = (server: EmbeddedServer, runs: readonly Run[]) =>
  foreignState(
    server.dsn('postgres'),
    runs.map(({ place }) => place.schema),
  );

/** A session that makes each statement wait in its middle. */
async function holdAll(
  server: EmbeddedServer,
  runs: readonly Run[],
  how: (subject: Subject, schema: string) => string[],
): Promise<pg.Client> {
  const holder = await client(server.dsn('postgres'));
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  for (const run of runs) {
    for (const statement of how(subjectOf(run), run.place.schema)) await holder.query(statement);
  }
  return holder;
}

/** Null: not yet. */
async function recover(run: Run): Promise<ApplyOutcome | null> {
  try {
    return await recoverApply({
      plan: run.plan,
      apply_id: run.apply_id,
      dsn: run.place.dsn,
      openSession: openTarget,
      journal: fileJournal(run.journal),
      onProgress: () => {},
    });
  } catch (error) {
    // As the service does: a target that does not answer yet is asked again.
    if (error instanceof PgLuthierError && error.code.startsWith('target_')) return null;
    throw error;
  }
}
