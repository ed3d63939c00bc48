/**
 * kill -9 of the service, of the batch's backend, and of the server, at each call of the journals of a batch of settings
 * that only a restart brings into force; and of the service while recovery takes a part back. All stays written, or none.
 * Each point is played on one major with one of the victims; PGLUTHIER_CHAOS=full plays each with all of them on all.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchOutcomes } from '../../src/apply/index.ts';
import { PgLuthierError } from '../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { compiled } from '../support/compiled.ts';
import { type BatchRun, BEFORE, ENTRY, NAMES, performBatch, planOf, wantedOf } from './chaos/batch.ts';
import { chaosSettings, loggedLines } from './chaos/invariants.ts';
import type { Act, Victim } from './chaos/kill.ts';
import { type Point, pointsOf } from './chaos/points.ts';
import { fileJournal, newJournal } from './journal.ts';
import { newApplyId, rows, until } from './target.ts';

const majors = availableMajors().filter((major) => major >= 15);
const full = process.env.PGLUTHIER_CHAOS === 'full';
/** What was there, and the statement, of each; then the reload of each. */
const ROWS = 3 * NAMES.length;
/** When two of the three are written: recovery takes them back. */
const HALF: Point = { method: 'settle', call: 4, moment: 'before' };
/** The entry and the reload of two. */
const ROWS_OF_RECOVERY = 4;

let servers: EmbeddedServer[] = [];
beforeAll(async () => {
  const { [ENTRY]: entry, ...inConf } = BEFORE;
  servers = await Promise.all(
    majors.map((major) =>
      startEmbedded({
        major,
        settings: { ...chaosSettings, ...inConf },
        name: `batchchaos${major}`,
        light: 'disk',
      }),
    ),
  );
  for (const server of servers) {
    await rows(server.dsn('postgres'), `ALTER SYSTEM SET ${ENTRY} = '${entry}'`);
    await server.restart();
  }
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop('immediate')));
});

interface Played {
  server: EmbeddedServer;
  victim: Victim;
  act: Act;
  point: Point;
}

const newRun = (server: EmbeddedServer, point: Point | null): BatchRun => ({
  dsn: server.dsn('postgres'),
  batch_id: newApplyId(),
  applies: NAMES.map((name) => ({ apply_id: newApplyId(), plan: planOf(name), journal: newJournal().path })),
  point,
});

/** @returns whether it came to its point. */
async function killedService(run: BatchRun, act: Act): Promise<boolean> {
  const path = `${run.applies[0]?.journal}.run`;
  writeFileSync(path, JSON.stringify(run));
  const child = spawn(process.execPath, [await compiled('test/apply/chaos/batch-process'), path, act], {
    stdio: 'ignore',
  });
  const [, signal] = await once(child, 'exit');
  return signal === 'SIGKILL';
}

const answers = (server: EmbeddedServer) =>
  until(() => rows(server.dsn('postgres'), 'SELECT 1').catch(() => null));

/** This process goes on, without its backend or without its server. */
async function killedOnServer(server: EmbeddedServer, run: BatchRun, victim: Victim): Promise<boolean> {
  let arrived = false;
  const running = performBatch('apply', run, async () => {
    arrived = true;
    if (victim === 'server') {
      process.kill(server.pid, 'SIGKILL');
      await server.restart();
      return;
    }
    const [backend] = await rows<{ pid: number }>(
      run.dsn,
      'SELECT pid FROM pg_stat_activity WHERE application_name = $1',
      [`pgluthier:apply:${run.batch_id}`],
    );
    process.kill(backend?.pid ?? 0, 'SIGKILL');
    await answers(server);
  });
  await running.catch((error: unknown) => {
    // As the service does: it stays open.
    if (!(error instanceof PgLuthierError)) throw error;
  });
  await answers(server);
  return arrived;
}

const recovered = (run: BatchRun): Promise<BatchOutcomes> =>
  until(async () => {
    try {
      return await performBatch('recover', { ...run, point: null }, () => Promise.resolve());
    } catch (error) {
      if (error instanceof PgLuthierError && error.code.startsWith('target_')) return null;
      throw error;
    }
  });

/** By name: what postgresql.auto.conf says, and what is in force. */
async function settingsOf(server: EmbeddedServer) {
  const found = await rows<{ name: string; entry: string | null; now: string }>(
    server.dsn('postgres'),
    `SELECT name, current_setting(name) AS now,
            (SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name AND f.sourcefile ~ 'auto.conf') AS entry
     FROM pg_settings s WHERE name = ANY ($1) ORDER BY name`,
    [NAMES],
  );
  return new Map(found.map(({ name, ...rest }) => [name, rest]));
}

const earlier = (name: string) => (name === ENTRY ? BEFORE[ENTRY] : null);

async function violationsOf(server: EmbeddedServer, run: BatchRun): Promise<string[]> {
  const outcomes = await recovered(run);
  const again = await recovered(run);
  const settings = await settingsOf(server);
  const violations: string[] = [];
  const said = JSON.stringify([...outcomes.values()]);
  const words = [...outcomes.values()].map(({ outcome }) => outcome);
  const whole = NAMES.every((name) => settings.get(name)?.entry === wantedOf(name));
  const none = NAMES.every((name) => (settings.get(name)?.entry ?? null) === earlier(name));
  if (!whole && !none) violations.push(`written in part: ${JSON.stringify([...settings])}`);
  if (whole !== words.every((word) => word === 'applied'))
    violations.push(`whole is ${whole}, said was ${said}`);
  if (!whole && words.includes('applied')) violations.push(`none is written, said was ${said}`);
  for (const [at, name] of NAMES.entries()) {
    const { apply_id, journal, plan } = run.applies[at] ?? { apply_id: '', journal: '', plan: planOf(name) };
    const outcome = outcomes.get(apply_id);
    const inForce = !whole && settings.get(name)?.now === wantedOf(name);
    const code = outcome && 'code' in outcome ? outcome.code : 'none';
    if (inForce !== (code === 'batch_in_force_until_restart'))
      violations.push(`${name} is ${settings.get(name)?.now}, said was ${JSON.stringify(outcome)}`);
    // Once it is taken back, nobody sees any more that it was in force for a while.
    if (outcome?.outcome !== again.get(apply_id)?.outcome && !inForce)
      violations.push(
        `${name}: ${JSON.stringify(outcome)}, and again ${JSON.stringify(again.get(apply_id))}`,
      );
    const entries = await fileJournal(journal).entries();
    if (entries.some(({ state }) => state === 'intended')) violations.push(`${name}: an open row`);
    const line = `pgluthier:apply:${run.batch_id}|LOG:  execute <unnamed>: ${plan.statements[0]}`;
    const sent = [...loggedLines(server)]
      .filter(([text]) => text.startsWith(line))
      .reduce((sum, [, n]) => sum + n, 0);
    if (sent > 1) violations.push(`${name}: sent ${sent} times`);
    if (whole && sent !== 1) violations.push(`${name}: written, and ${sent} times in the server's log`);
  }
  return violations;
}

/** As before, also what is in force. */
async function reset(server: EmbeddedServer): Promise<void> {
  const settings = await settingsOf(server);
  for (const name of NAMES) {
    const entry = earlier(name);
    await rows(
      server.dsn('postgres'),
      entry === null ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = '${entry}'`,
    );
  }
  if (NAMES.some((name) => settings.get(name)?.now !== BEFORE[name])) await server.restart();
  else await rows(server.dsn('postgres'), 'SELECT pg_reload_conf()');
  await until(async () => {
    const [row] = await rows<{ n: number }>(
      server.dsn('postgres'),
      'SELECT count(*)::int AS n FROM pg_settings WHERE pending_restart',
    );
    return row?.n === 0;
  });
}

async function play({ server, victim, act, point }: Played): Promise<string[]> {
  const run = newRun(server, act === 'apply' ? point : HALF);
  let there =
    victim === 'service' || act === 'recover'
      ? await killedService(run, 'apply')
      : await killedOnServer(server, run, victim);
  if (act === 'recover') there = (await killedService({ ...run, point }, 'recover')) && there;
  const violations = await violationsOf(server, run);
  await reset(server);
  const where = `PostgreSQL ${server.major}, ${victim} killed, ${act} at ${JSON.stringify(point)}`;
  return [...(there ? [] : ['it never came to its point']), ...violations].map((one) => `${where}: ${one}`);
}

const victims: Victim[] = ['service', 'backend', 'server'];

it('all stays written or none, whatever is killed at whichever step', { timeout: 600_000 }, async () => {
  const points = [
    ...pointsOf(ROWS, full).map((point) => ({ point, act: 'apply' as const })),
    ...pointsOf(ROWS_OF_RECOVERY, full).map((point) => ({ point, act: 'recover' as const })),
  ];
  let number = 0;
  const played = points.flatMap(({ point, act }) =>
    (act === 'apply' ? victims : victims.slice(0, 1)).flatMap((victim, which) =>
      servers.flatMap((server, at): Played[] => {
        if (at === 0 && which === 0) number += 1;
        const dealt =
          number % servers.length === at && (act === 'recover' || number % victims.length === which);
        return full || dealt ? [{ server, victim, act, point }] : [];
      }),
    ),
  );
  const lane = async (server: EmbeddedServer) => {
    const found: string[] = [];
    for (const one of played.filter((other) => other.server === server)) found.push(...(await play(one)));
    return found;
  };
  expect((await Promise.all(servers.map(lane))).flat()).toEqual([]);
  expect(played.length).toBeGreaterThanOrEqual(points.length);
});

it('of another cluster nothing is touched, though it has the same entries', async () => {
  const [server, other] = servers as [EmbeddedServer, EmbeddedServer];
  const run = newRun(server, HALF);
  expect(await killedService(run, 'apply')).toBe(true);
  const [first] = NAMES as [(typeof NAMES)[number]];
  // As the batch would have left it there: what recovery of this cluster would take back.
  await rows(other.dsn('postgres'), `ALTER SYSTEM SET ${first} = '${wantedOf(first)}'`);
  const before = await settingsOf(other);
  // Another process has it to recover, to which the address leads elsewhere.
  const journals = await Promise.all(
    run.applies.map(({ journal }) => readFile(journal, 'utf8').catch(() => '[]')),
  );
  const away = await recovered({ ...run, dsn: other.dsn('postgres') });
  const said = NAMES.map((_, at) => away.get(run.applies[at]?.apply_id ?? ''));
  // Two were sent there; of the third there is no row.
  expect(said).toMatchObject([
    { outcome: 'needs_attention', code: 'another_cluster' },
    { outcome: 'needs_attention', code: 'another_cluster' },
    { outcome: 'failed', code: 'interrupted_before_effect' },
  ]);
  expect(await settingsOf(other)).toEqual(before);
  for (const [at, { journal }] of run.applies.entries()) await writeFile(journal, journals[at] ?? '[]');
  expect(await violationsOf(server, run)).toEqual([]);
  for (const one of [server, other]) await reset(one);
});
