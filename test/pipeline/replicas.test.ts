/** Several replicas over one store, and what they make of each other: one apply, one build, one end. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { approveRecommendation, recoverApplies, startApply } from '../../src/pipeline/index.ts';
import { batchHash } from '../../src/pipeline/restart-batch.ts';
import { openTarget } from '../../src/target/index.ts';
import { createIndexChange, indexState, rows, snapshotHolder, until, waitingBuild } from '../apply/target.ts';
import { type FreshStore, recommendation } from '../store/fixtures.ts';
import { compiled } from '../support/compiled.ts';
import { tcpFront } from '../target/tcp-front.ts';
import { type OverOneStore, overOneStore } from './over-one-store.ts';
import { replica } from './replica.ts';
import type { Order } from './replica-process.ts';

let fresh: FreshStore;
let targetId: string;
let dsn: string;
let over: OverOneStore;
beforeAll(async () => {
  over = await overOneStore();
  ({ fresh, targetId, dsn } = over);
});
afterAll(() => over?.close());

let advices = 0;
/** Advice to build an index of this name that no other is like, open. */
async function advised(name: string): Promise<{ id: string; change: Change; plan_hash: string }> {
  advices += 1;
  const change = createIndexChange({ name, where: `n > ${advices}` });
  return { change, ...(await over.advise(change, name)) };
}

interface Replica {
  give(order: Omit<Order, 'number'>): Promise<string>;
  end(): Promise<void>;
}

let orders = 0;
async function startReplica(): Promise<Replica> {
  const child: ChildProcess = spawn(
    process.execPath,
    [await compiled('test/pipeline/replica-process'), fresh.dsn, fresh.secretKey.toString('base64'), dsn],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const waiting = new Map<number, (code: string) => void>();
  const exited = once(child, 'exit');
  await new Promise<void>((ready) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const { number, code } = JSON.parse(line) as { number?: number; code: string };
      if (number === undefined) ready();
      else waiting.get(number)?.(code);
    });
  });
  return {
    give: (order) =>
      new Promise((answer) => {
        orders += 1;
        waiting.set(orders, answer);
        child.stdin?.write(`${JSON.stringify({ ...order, number: orders })}\n`);
      }),
    end: async () => {
      child.stdin?.end();
      await exited;
    },
  };
}

describe('two processes that decide at once', () => {
  it('begin a batch for one restart once, and a single one of it not beside that', async () => {
    const [first, second] = await Promise.all([startReplica(), startReplica()]);
    const settings = ['wal_buffers', 'max_worker_processes'];
    const now = Object.fromEntries(
      (
        await rows<{ name: string; value: string }>(
          dsn,
          'SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)',
          [settings],
        )
      ).map(({ name, value }) => [name, value]),
    );
    const wanted: Record<string, string> = { wal_buffers: '2MB', max_worker_processes: '9' };
    const hashes: string[] = [];
    for (const name of settings) {
      const change: Change = {
        kind: 'setting',
        name,
        value: wanted[name] ?? '',
        current_value: now[name] ?? '',
        context: 'postmaster',
      };
      const plan = buildPlan(change);
      hashes.push(plan.plan_hash);
      await fresh.store.recommendations.upsertFromAnalysis(
        targetId,
        'analysis',
        [recommendation(name, { ...plan, kind: 'setting', rule: `test/${name}` })],
        { now: new Date(), rules: [] },
      );
      const order = { target_id: targetId, recommendation_id: name, plan_hash: plan.plan_hash };
      expect(await first.give({ act: 'approve', ...order })).toBe('ok');
    }
    const of = { target_id: targetId, recommendation_id: '', plan_hash: batchHash(hashes) };
    const single = { target_id: targetId, recommendation_id: 'wal_buffers', plan_hash: '' };
    const answers = await Promise.all([
      first.give({ act: 'batch', ...of }),
      second.give({ act: 'batch', ...of }),
      first.give({ act: 'batch', ...of }),
      second.give({ act: 'apply', ...single }),
    ]);
    expect(answers.filter((code) => code === 'ok')).toHaveLength(1);
    for (const code of answers) {
      expect([
        'ok',
        'invalid_state_transition',
        'apply_in_progress',
        'batch_changed',
        'batch_empty',
        'server_busy',
        'target_drifted',
      ]).toContain(code);
    }
    await Promise.all([first.end(), second.end()]);
    const applies = (await fresh.store.applies.list(targetId, {})).filter(({ recommendation_id }) =>
      settings.includes(recommendation_id),
    );
    expect(new Set(applies.map(({ recommendation_id }) => recommendation_id)).size).toBe(applies.length);
    for (const { id, plan } of applies) {
      const entries = await fresh.store.applies.journal(targetId, id).entries();
      expect(entries.filter(({ sql }) => sql === plan.statements[0])).toHaveLength(1);
    }
    for (const name of settings) await rows(dsn, `ALTER SYSTEM RESET ${name}`);
    await rows(dsn, 'SELECT pg_reload_conf()');
  }, 60_000);

  it('approve, apply and take back: each step is taken once, the index built once', async () => {
    const [first, second] = await Promise.all([startReplica(), startReplica()]);
    const advice = await Promise.all(['a', 'b', 'c'].map((name) => advised(`race ${name}`)));
    const both = (act: Order['act'], { id, plan_hash }: (typeof advice)[number]) =>
      [first, second, first, second].map((one) =>
        one.give({ act, target_id: targetId, recommendation_id: id, plan_hash }),
      );
    for (const [position, one] of advice.entries()) {
      // One change a table: the one before must have ended, or it and not the race would decide.
      while ((await fresh.store.applies.listOpen()).length > 0) await sleep(100);
      const approvals = await Promise.all(both('approve', one));
      expect(approvals.toSorted()).toEqual([
        'invalid_state_transition',
        'invalid_state_transition',
        'invalid_state_transition',
        'ok',
      ]);
      const answers = await Promise.all([
        ...both('apply', one),
        ...(position === 0 ? [] : both('revoke', one)),
      ]);
      const done = answers.filter((code) => code === 'ok').length;
      // Taken back first, or applied first: never both.
      expect(done).toBe(1);
      for (const code of answers)
        expect(['ok', 'invalid_state_transition', 'apply_in_progress']).toContain(code);
    }
    await Promise.all([first.end(), second.end()]);
    for (const [position, { id, change }] of advice.entries()) {
      const applies = (await fresh.store.applies.list(targetId, {})).filter(
        (a) => a.recommendation_id === id,
      );
      expect(applies.length).toBeLessThanOrEqual(1);
      const { state } = await fresh.store.recommendations.get(targetId, id);
      const [apply] = applies;
      if (!apply) {
        expect(position).not.toBe(0);
        expect(state).toBe('open');
        continue;
      }
      const entries = await fresh.store.applies.journal(targetId, apply.id).entries();
      const [build] = buildPlan(change).statements;
      expect(entries.filter(({ sql }) => sql === build)).toHaveLength(1);
      expect(entries.every((entry) => entry.state !== 'intended')).toBe(true);
      expect(state).toBe('verifying');
    }
    const audit = await fresh.store.audit.verify();
    expect(audit).toMatchObject({ ok: true });
  });
});

it('a clock that is a day ahead ends an apply before it begins: nothing of it is sent any more', async () => {
  const { id, change, plan_hash } = await advised('skewed');
  await fresh.store.recommendations.transition(targetId, id, 'approve', {
    actor: 'dba',
    expected_plan_hash: plan_hash,
  });
  const apply = await fresh.store.applies.create(targetId, id, buildPlan(change), 'dba', {
    before_snapshot_id: 'snp_x',
  });
  const ahead = await replica(fresh.dsn, fresh.secretKey, {
    targetDsn: dsn,
    now: () => new Date(Date.now() + 86_400_000),
  });
  const behind = await replica(fresh.dsn, fresh.secretKey, {
    targetDsn: dsn,
    now: () => new Date(Date.now() - 86_400_000),
  });
  await recoverApplies(behind.services, 60_000);
  expect(await fresh.store.applies.get(targetId, apply.id)).toMatchObject({ state: 'running' });
  // What is left of it may begin again: the store is the judge of that, not the clock.
  await Promise.all([recoverApplies(ahead.services, 60_000), recoverApplies(behind.services, 0)]);
  await ahead.services.background.idle();
  await behind.services.background.idle();
  const ended = await fresh.store.applies.get(targetId, apply.id);
  expect(['failed', 'verifying']).toContain(ended.state);
  const late = executePlan(buildPlan(change), {
    dsn,
    apply_id: apply.id,
    openSession: openTarget,
    journal: fresh.store.applies.journal(targetId, apply.id),
    onProgress: () => {},
  });
  const outcome = await late.catch((error: { code: string }) => error);
  // Refused by the journal, for the index that is there, or left to who has begun it: never sent.
  expect(['apply_not_open', 'name_taken', 'left alone']).toContain(
    outcome === null ? 'left alone' : (outcome as { code: string }).code,
  );
  const [build] = buildPlan(change).statements;
  const sent = (await fresh.store.applies.journal(targetId, apply.id).entries()).filter(
    ({ sql }) => sql === build,
  );
  expect(sent.length).toBe(ended.state === 'verifying' ? 1 : 0);
  await ahead.close();
  await behind.close();
});

it('a store that goes away in the middle: the build ends, and its apply is found once the store is back', async () => {
  const { id, plan_hash } = await advised('away');
  const front = await tcpFront(fresh.dsn);
  const one = await replica(front.dsn, fresh.secretKey, { targetDsn: dsn });
  await approveRecommendation(one.services, targetId, id, plan_hash, 'dba');
  // Younger than what a start waits for, and there until the store is gone.
  const holder = await snapshotHolder(dsn);
  const apply = await startApply(one.services, targetId, id, 'dba');
  await waitingBuild(dsn);
  front.cut();
  await holder.release();
  await one.services.background.idle();
  expect(await indexState(dsn, 'away')).toBe('valid');
  expect(await fresh.store.applies.get(targetId, apply.id)).toMatchObject({ state: 'running' });
  front.mend();
  await until(async () => {
    await recoverApplies(one.services, 0);
    return (await fresh.store.applies.get(targetId, apply.id)).state !== 'running';
  });
  expect(await fresh.store.applies.get(targetId, apply.id)).toMatchObject({
    state: 'verifying',
    outcome: { outcome: 'applied' },
  });
  await one.close();
  await front.close();
});
