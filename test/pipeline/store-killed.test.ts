/** kill -9 of the store's server at each call of the journal, and in the middle of a verdict: all of it is found again. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import type { Verdict } from '../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { recoverApplies } from '../../src/pipeline/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { type Point, pointsOf, stoppingAt } from '../apply/chaos/points.ts';
import { type Place, roundSql, type Subject, subjects } from '../apply/chaos/subjects.ts';
import { applyDatabase, rows, until } from '../apply/target.ts';
import { addTarget, recommendation } from '../store/fixtures.ts';
import { replica } from './replica.ts';

const secretKey = randomBytes(32);
let server: EmbeddedServer;
let store: Store;
let dsn: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  server = await startEmbedded({
    name: 'store-killed',
    light: 'disk',
    settings: { synchronous_commit: 'on' },
  });
  store = await openStore({ dsn: server.dsn('postgres'), secretKey, poolSize: 20 });
  await store.migrate();
  ({ dsn, drop } = await applyDatabase());
  await rows(dsn, 'CREATE EXTENSION pg_stat_statements');
});
afterAll(async () => {
  await store.close();
  await server.stop('immediate');
  await drop();
});

async function restart(): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.restart();
  await until(() => store.targets.list().catch(() => null));
}

async function recorded(targetId: string, subject: Subject, place: Place) {
  const change = subject.change(place);
  const plan = buildPlan(change);
  const id = `rec_${place.schema}`;
  await store.recommendations.upsertFromAnalysis(
    targetId,
    'analysis',
    [recommendation(id, { ...plan, kind: change.kind, rule: `test/${place.schema}` })],
    { now: new Date(), rules: [] },
  );
  await store.recommendations.transition(targetId, id, 'approve', {
    actor: 'dba',
    expected_plan_hash: plan.plan_hash,
  });
  return store.applies.create(targetId, id, plan, 'dba', { before_snapshot_id: 'snp_x' });
}

// Settings are the server's, which other tests share; the rest is in its own schema.
const played = subjects.filter(({ name }) => !/^(setting|role|database)/.test(name));

it('at each call of the journal: each apply ends as the catalogs say, and nothing is sent twice', async () => {
  // A target each: one change a table and a server at a time would have them wait for each other.
  const pairs = played.flatMap((subject) => pointsOf(1).map((point): [Subject, Point] => [subject, point]));
  const runs = await Promise.all(
    pairs.map(async ([subject, point], number) => {
      const place = { dsn, schema: `store_${number}`, number };
      await rows(dsn, roundSql(place, subject));
      const targetId = await addTarget(store, `target ${number}`);
      return { subject, point, place, targetId, apply: await recorded(targetId, subject, place) };
    }),
  );
  let arrived = 0;
  let allHere = () => {};
  const here = new Promise<void>((resolve) => {
    allHere = resolve;
  });
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const running = runs.map(({ point, targetId, apply }) =>
    executePlan(apply.plan, {
      dsn,
      apply_id: apply.id,
      openSession: openTarget,
      journal: stoppingAt(store.applies.journal(targetId, apply.id), point, () => {
        arrived += 1;
        if (arrived === runs.length) allHere();
        return released;
      }),
      onProgress: () => {},
      // As the service does: what the journal refuses stays open.
    }).catch(() => null),
  );
  await here;
  process.kill(server.pid, 'SIGKILL');
  release();
  await server.restart();
  await until(() => store.targets.list().catch(() => null));
  const outcomes = await Promise.all(running);
  for (const [position, { targetId, apply }] of runs.entries()) {
    const outcome = outcomes[position];
    if (outcome) await store.applies.finish(targetId, apply.id, outcome, { after_snapshot_id: null });
  }
  const one = await replica(server.dsn('postgres'), secretKey, { targetDsn: dsn });
  await until(async () => {
    await recoverApplies(one.services, 0);
    await one.services.background.idle();
    return (await store.applies.listOpen()).length === 0;
  });
  await one.close();
  const wrong: string[] = [];
  for (const { subject, point, place, targetId, apply } of runs) {
    const ended = await store.applies.get(targetId, apply.id);
    const effect = await subject.effect(place);
    const word = (ended.outcome as { outcome: string }).outcome;
    const entries = await store.applies.journal(targetId, apply.id).entries();
    const expected = word === 'applied' ? 'done' : word === 'failed' ? 'undone' : effect;
    if (effect !== expected || entries.some(({ state }) => state === 'intended')) {
      wrong.push(`${subject.name} at ${JSON.stringify(point)}: ${effect}, ${JSON.stringify(ended.outcome)}`);
    }
    for (const sql of apply.plan.statements) {
      const sent = entries.filter((entry) => entry.sql === sql && entry.state === 'done');
      if (sent.length > 1) wrong.push(`${subject.name}: twice ${sql}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(await store.audit.verify()).toMatchObject({ ok: true });
}, 120_000);

it('in the middle of a verdict: it is given, with its way back proposed, once and whole', async () => {
  const [subject] = played as [Subject];
  const place = { dsn, schema: 'verdict', number: 0 };
  const targetId = await addTarget(store, 'verdict');
  const apply = await recorded(targetId, subject, place);
  await store.applies.finish(
    targetId,
    apply.id,
    { outcome: 'applied', pending_restart: false, facts: {} },
    { after_snapshot_id: null },
  );
  const verdict: Verdict = { verdict: 'regressed', reason: 'it is slower', statements: [], measures: [] };
  const back = recommendation('rec_back', { rule: 'apply/revert' });
  const judge = () => store.applies.saveVerdict(targetId, apply.id, verdict, 'verify_failed', [back]);
  const proposed = async () =>
    (await store.recommendations.list(targetId, { limit: 10, rule: 'apply/revert' })).items.length;

  // Everything up to the audit's row is written, and not yet committed.
  const holder = new pg.Client({ connectionString: server.dsn('postgres') });
  holder.on('error', () => {});
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE pgluthier.audit IN EXCLUSIVE MODE');
  const judging = judge().catch((error: unknown) => error);
  await until(async () => {
    const { rows: waiting } = await holder.query(
      "SELECT FROM pg_locks WHERE NOT granted AND relation = 'pgluthier.audit'::regclass",
    );
    return waiting.length > 0;
  });
  await restart();
  expect(await judging).toBeInstanceOf(Error);
  expect(await store.applies.get(targetId, apply.id)).toMatchObject({ state: 'verifying', verdict: null });
  expect(await proposed()).toBe(0);
  await judge();
  expect(await store.applies.get(targetId, apply.id)).toMatchObject({ state: 'done', verdict });
  expect(await proposed()).toBe(1);
  await expect(judge()).rejects.toMatchObject({ code: 'invalid_state_transition' });
  expect(await proposed()).toBe(1);
  expect(await store.audit.verify()).toMatchObject({ ok: true });
}, 60_000);
