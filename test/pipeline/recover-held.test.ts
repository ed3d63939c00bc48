/** Recovery under emergency stops and outside of windows; and a store that takes no rows for a while. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import { applyPolicySchema, type Change } from '../../src/domain/index.ts';
import { runApply } from '../../src/pipeline/apply-approved.ts';
import { recoverApplies } from '../../src/pipeline/index.ts';
import { client, createIndexChange, indexState, rows, seen, snapshotHolder, until } from '../apply/target.ts';
import type { FreshStore } from '../store/fixtures.ts';
import { type OverOneStore, overOneStore } from './over-one-store.ts';
import { replica } from './replica.ts';

let fresh: FreshStore;
let targetId: string;
let dsn: string;
let over: OverOneStore;
let one: Awaited<ReturnType<typeof replica>>;
beforeAll(async () => {
  over = await overOneStore();
  ({ fresh, targetId, dsn } = over);
  one = await replica(fresh.dsn, fresh.secretKey, { targetDsn: dsn });
});
afterAll(async () => {
  await one?.close();
  await over?.close();
});

/** An apply that is recorded and has not begun. */
async function recorded(change: Change, name: string) {
  const { id, plan_hash } = await over.advise(change, name);
  await fresh.store.recommendations.transition(targetId, id, 'approve', {
    actor: 'dba',
    expected_plan_hash: plan_hash,
  });
  return fresh.store.applies.create(targetId, id, buildPlan(change), 'dba', { before_snapshot_id: 'snp_x' });
}

let interruptions = 0;
/** One whose build was cut off, with what that left. */
async function interrupted(name: string) {
  interruptions += 1;
  const change = createIndexChange({ name, where: `n > ${interruptions}` });
  const apply = await recorded(change, name);
  const [build = ''] = apply.plan.statements;
  await fresh.store.applies
    .journal(targetId, apply.id)
    .intend({ purpose: 'statement', sql: build, backend_pid: 1, backend_start: null });
  const holder = await snapshotHolder(dsn);
  const cut = await client(dsn);
  await cut.query("SET lock_timeout = '200ms'");
  await cut.query(build).catch(() => {});
  await cut.end();
  await holder.release();
  expect(await indexState(dsn, name)).toBe('invalid');
  await seen(dsn, fresh.store.applies.journal(targetId, apply.id), `"Shöp".${name}`);
  return apply.id;
}

const stateOf = async (id: string) => (await fresh.store.applies.get(targetId, id)).state;
const recover = async () => {
  await recoverApplies(one.services, 0);
  await one.services.background.idle();
};

it('an emergency stop: what an apply left is not touched until it is lifted, and the apply says so', async () => {
  const id = await interrupted('stopped');
  await fresh.store.applyStops.stop('*', 'load', 'dba');
  await recover();
  expect(await stateOf(id)).toBe('running');
  expect(await indexState(dsn, 'stopped')).toBe('invalid');
  await until(async () => {
    const { progress } = await fresh.store.applies.get(targetId, id);
    return String(progress?.phase).includes('All applying was stopped by dba');
  });
  await fresh.store.applyStops.lift('*', 'dba');
  await recover();
  // Tidied up, and begun again.
  expect(await stateOf(id)).toBe('verifying');
  expect(await indexState(dsn, 'stopped')).toBe('valid');
});

it('no window: neither tidied up nor begun again before it opens', async () => {
  const id = await interrupted('closed');
  const day = (['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const)[(new Date().getUTCDay() + 3) % 7];
  const closed = { days: [day ?? 'sun'], from: '00:00', to: '00:00', time_zone: 'UTC' };
  await fresh.store.applyPolicies.set(targetId, applyPolicySchema.parse({ windows: [closed] }), 'dba');
  await recover();
  expect(await stateOf(id)).toBe('running');
  expect(await indexState(dsn, 'closed')).toBe('invalid');
  await fresh.store.applyPolicies.set(targetId, applyPolicySchema.parse({}), 'dba');
  await recover();
  expect(await stateOf(id)).toBe('verifying');
});

it('what may not begin again ends with the reason why, and its code', async () => {
  const outcomeOf = async (id: string) => (await fresh.store.applies.get(targetId, id)).outcome;
  // What it left is removed; meanwhile somebody has built the same index.
  const id = await interrupted('overtaken');
  await rows(dsn, `CREATE INDEX by_hand ON "Shöp"."Order Items" ("Größe") WHERE n > ${interruptions}`);
  await recover();
  expect(await indexState(dsn, 'overtaken')).toBe('absent');
  expect(await outcomeOf(id)).toMatchObject({
    outcome: 'failed',
    code: 'interrupted_before_effect',
    facts: {
      not_begun_again: { code: 'equivalent_index_exists', message: expect.stringContaining('by_hand') },
    },
  });
  // Interrupted before there was anything to remove: that nothing may be sent does not keep that from being recorded.
  const stopped = await recorded(createIndexChange({ name: 'not_again', where: 'n > 77' }), 'not_again');
  await fresh.store.applies.journal(targetId, stopped.id).intend({
    purpose: 'statement',
    sql: stopped.plan.statements[0] ?? '',
    backend_pid: 1,
    backend_start: null,
  });
  await fresh.store.applyStops.stop('*', 'load', 'dba');
  await recover();
  await fresh.store.applyStops.lift('*', 'dba');
  expect(await outcomeOf(stopped.id)).toMatchObject({
    outcome: 'failed',
    facts: { not_begun_again: { code: 'apply_stopped', message: expect.stringContaining('dba') } },
  });
  expect(await indexState(dsn, 'not_again')).toBe('absent');
  await recover();
  expect(await stateOf(stopped.id)).toBe('failed');
});

it('a store whose disk is full: nothing is sent without its row, and nothing of it is lost', async () => {
  await fresh.query(
    `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
  );
  const full = (event: string) =>
    fresh.query(
      `CREATE TRIGGER no_room BEFORE ${event} ON pgluthier.journal FOR EACH ROW EXECUTE FUNCTION no_room()`,
    );
  const free = () => fresh.query('DROP TRIGGER no_room ON pgluthier.journal');
  const made = (name: string, n: number) => recorded(createIndexChange({ name, where: `n > ${n}` }), name);
  const never = await made('never', 101);
  await full('INSERT');
  await runApply(one.services, never, dsn);
  expect(await stateOf(never.id)).toBe('failed');
  expect(await indexState(dsn, 'never')).toBe('absent');
  await free();
  // Between the row and what came of it.
  const apply = await made('full', 102);
  await full('UPDATE');
  await runApply(one.services, apply, dsn);
  expect(await stateOf(apply.id)).toBe('running');
  expect(await indexState(dsn, 'full')).toBe('valid');
  await recover();
  expect(await stateOf(apply.id)).toBe('running');
  await free();
  await recover();
  expect(await stateOf(apply.id)).toBe('verifying');
  expect(await fresh.store.applies.journal(targetId, apply.id).entries()).toMatchObject([
    { state: 'done' },
    { state: 'done' },
  ]);
}, 60_000);
