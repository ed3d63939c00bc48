/** The rebuild of an index that a cut-off drop left invalid is stopped by a cancel, an emergency stop and the service's end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { runApply } from '../../src/pipeline/apply-approved.ts';
import { recoverApplies, type Services } from '../../src/pipeline/index.ts';
import {
  applyDatabase,
  client,
  indexState,
  QUALIFIED,
  rows,
  snapshotHolder,
  TABLE,
  until,
} from '../apply/target.ts';
import { addTarget, type FreshStore, freshStore, recommendation } from '../store/fixtures.ts';
import { replica } from './replica.ts';

let fresh: FreshStore;
let dsn: string;
let drop: () => Promise<void>;
let targetId: string;
let one: Awaited<ReturnType<typeof replica>>;
beforeAll(async () => {
  fresh = await freshStore();
  ({ dsn, drop } = await applyDatabase());
  await rows(dsn, 'CREATE EXTENSION pg_stat_statements');
  targetId = await addTarget(fresh.store);
});
afterAll(async () => {
  await fresh.close();
  await drop();
});
beforeEach(async () => {
  one = await replica(fresh.dsn, fresh.secretKey, { targetDsn: dsn });
  return () => one.close();
});

async function recorded(name: string) {
  await rows(dsn, `CREATE INDEX ${name} ON ${QUALIFIED} (n)`);
  const change: Change = {
    kind: 'index.drop',
    ...TABLE,
    name,
    definition: `CREATE INDEX ${name} ON ${QUALIFIED} USING btree (n)`,
  };
  const { statements, rollback, plan_hash } = buildPlan(change);
  const advice = recommendation(`rec_${name}`, {
    kind: change.kind,
    change,
    statements,
    rollback,
    plan_hash,
    rule: `test/${name}`,
  });
  const { recommendations, applies } = fresh.store;
  await recommendations.upsertFromAnalysis(targetId, 'analysis', [advice], { now: new Date(), rules: [] });
  const approval = { actor: 'dba', expected_plan_hash: plan_hash };
  await recommendations.transition(targetId, advice.id, 'approve', approval);
  return applies.create(targetId, advice.id, buildPlan(change), 'dba', { before_snapshot_id: 'snp_x' });
}

/** The service as it is, but that a reader goes once the drop that waits for it was cancelled. */
function leavingReader(reader: pg.Client): Services {
  const { applies } = one.services.store;
  const journal: typeof applies.journal = (...of) => {
    const inner = applies.journal(...of);
    return {
      ...inner,
      settle: async (step, outcome) => {
        if (outcome.state === 'failed') await reader.end();
        await inner.settle(step, outcome);
      },
    };
  };
  return { ...one.services, store: { ...one.services.store, applies: { ...applies, journal } } };
}

const running = (verb: string) =>
  until(async () => {
    const found = await rows(
      dsn,
      `SELECT FROM pg_stat_activity WHERE query LIKE $1 AND wait_event_type = 'Lock' AND datname = current_database()`,
      [`${verb} INDEX CONCURRENTLY%`],
    );
    return found.length === 1;
  });

/** A drop that was cancelled, and whose index is being made valid again: that waits for an old snapshot. */
async function healing(name: string) {
  const apply = await recorded(name);
  const snapshot = await snapshotHolder(dsn);
  const reader = await client(dsn);
  await reader.query(`BEGIN; SELECT count(*) FROM ${QUALIFIED}`);
  const ended = runApply(leavingReader(reader), apply, dsn);
  await running('DROP');
  await fresh.store.applies.requestCancel(targetId, apply.id, 'dba');
  await running('REINDEX');
  return { id: apply.id, snapshot, ended };
}

const applyOf = (id: string) => fresh.store.applies.get(targetId, id);
const transients = () => rows(dsn, `SELECT relname FROM pg_class WHERE relname ~ '_cc(new|old)'`);

it('a cancel that is asked for the rebuild too leaves the index as it is, and says so', async () => {
  const { id, snapshot, ended } = await healing('cancelled_again');
  // Sent again by a client that lost the answer, the first wish is no second one.
  const again = await fresh.store.applies.requestCancel(targetId, id, 'dba');
  await sleep(1_500);
  expect(await running('REINDEX')).toBe(true);
  const second = await fresh.store.applies.requestCancel(targetId, id, 'another dba', { stop_rebuild: true });
  expect(second.cancel_requested_at).not.toBe(again.cancel_requested_at);
  await ended;
  const { state, outcome } = await applyOf(id);
  expect(state).toBe('needs_attention');
  expect(outcome).toMatchObject({ code: 'index_left_invalid' });
  expect(JSON.stringify(outcome)).toContain('another dba cancelled it.');
  expect(await indexState(dsn, 'cancelled_again')).toBe('invalid');
  expect(await transients()).toEqual([]);
  await snapshot.release();
});

it('an emergency stop cancels it; once that is lifted it is made valid', async () => {
  const { id, snapshot, ended } = await healing('stopped');
  await fresh.store.applyStops.stop('*', 'load', 'dba');
  await ended;
  expect((await applyOf(id)).state).toBe('running');
  expect(await indexState(dsn, 'stopped')).toBe('invalid');
  await recoverApplies(one.services, 0);
  expect((await applyOf(id)).state).toBe('running');
  await snapshot.release();
  await fresh.store.applyStops.lift('*', 'dba');
  await recoverApplies(one.services, 0);
  expect(await applyOf(id)).toMatchObject({
    state: 'failed',
    outcome: { facts: { healed: expect.any(String) } },
  });
  expect(await indexState(dsn, 'stopped')).toBe('valid');
  expect(await transients()).toEqual([]);
});

it('the end of the service cancels it; the next one goes on', async () => {
  const { id, snapshot, ended } = await healing('ended');
  await one.services.background.stop();
  await ended;
  expect((await applyOf(id)).state).toBe('running');
  await snapshot.release();
  const next = await replica(fresh.dsn, fresh.secretKey, { targetDsn: dsn });
  await recoverApplies(next.services, 0);
  await next.close();
  expect((await applyOf(id)).state).toBe('failed');
  expect(await indexState(dsn, 'ended')).toBe('valid');
});
