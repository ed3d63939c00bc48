/**
 * Whatever several replicas decide at once, in whatever order, by whatever clock: each change is applied once, for an
 * approval of its plan, and the log tells it as it was. Seeded, so that each run draws the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { drawsOf } from '../../bench/draws.ts';
import {
  type Change,
  nextState,
  PgLuthierError,
  type RecommendationEvent,
  type RecommendationState,
} from '../../src/domain/index.ts';
import { lastDecision } from '../../src/store/against-policy.ts';
import { createDatabase, createPool, endDatabase } from '../../src/store/database.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { addTarget, type FreshStore, freshStore, recommendation } from './fixtures.ts';

const ROUNDS = 90;
const AT_ONCE = 6;
const DAY_MS = 86_400_000;
const FAVOURED = ['approve', 'approve', 'apply', 'batch', 'reopen', 'finish', 'regress', 'void_approval'];

/** Decisions that must have come about. */
const WORDS = ['approve', 'apply', 'batch', 'by_hand', 'void_approval', 'finish', 'regress'];

let fresh: FreshStore;
let replicas: Store[];
let targetId: string;
beforeAll(async () => {
  fresh = await freshStore();
  const other = await openStore({ dsn: fresh.dsn, secretKey: fresh.secretKey, poolSize: 10 });
  replicas = [fresh.store, other];
  targetId = await addTarget(fresh.store);
});
afterAll(async () => {
  await replicas[1]?.close();
  await fresh.close();
});

const hashOf = (id: string) => id.padEnd(64, '0');
const names = ['shared_buffers', 'wal_buffers', 'max_worker_processes', 'huge_pages'];
const changeOf = (name: string): Change => ({
  kind: 'setting',
  name,
  value: '2',
  current_value: '1',
  context: 'postmaster',
});
const planOf = (id: string) => ({
  change: changeOf(id),
  statements: [`ALTER SYSTEM SET ${id} = '2'`, 'SELECT pg_reload_conf()'],
  rollback: [],
  plan_hash: hashOf(id),
});

/** One decision, by its name; what is not possible just then is refused with a code. */
const decisions: Record<string, (store: Store, id: string, now: Date) => Promise<unknown>> = {
  ...Object.fromEntries(
    (
      ['approve', 'dismiss', 'reopen', 'revoke_approval', 'void_approval', 'schedule', 'unschedule'] as const
    ).map((event) => [
      event,
      (store: Store, id: string) =>
        store.recommendations.transition(targetId, id, event, {
          actor: 'somebody',
          reason: 'a test',
          ...(event === 'approve' ? { expected_plan_hash: hashOf(id) } : {}),
        }),
    ]),
  ),
  snooze: (store, id, now) =>
    store.recommendations.transition(targetId, id, 'snooze', { actor: 'somebody', until: now }),
  wake: (store, _, now) => store.recommendations.wake(now),
  expire: (store, _, now) => store.recommendations.expire(targetId, new Date(now.getTime() - DAY_MS)),
  apply: (store, id) =>
    store.applies.create(targetId, id, planOf(id), 'somebody', {
      before_snapshot_id: 'before',
      max_per_server: 2,
    }),
  batch: async (store, id) => {
    const standing = await store.recommendations.standing(targetId);
    const approved = standing.filter(({ state }) => state === 'approved' || state === 'scheduled');
    // Where nothing is approved, what is not must be refused.
    const members = approved.length > 0 ? approved.map((one) => one.id) : [id];
    return store.restartBatches.create(
      targetId,
      members.map((one) => ({ recommendation_id: one, plan: planOf(one), actor: 'somebody' })),
      {
        batch_hash: hashOf(id),
        actor: 'somebody',
        memory: null,
        before_snapshot_id: 'before',
        max_per_server: 2,
      },
    );
  },
  by_hand: (store, id) =>
    store.applies.recordByHand(targetId, id, planOf(id), {
      seen_at: '2026-01-01T00:00:00.000Z',
      before_snapshot_id: 'before',
      after_snapshot_id: 'after',
    }),
  cancel: (store, id) =>
    openOf(store, id, 'running').then((apply) => store.applies.requestCancel(targetId, apply, 'somebody')),
  finish: (store, id) =>
    openOf(store, id, 'running').then((apply) =>
      store.applies.finish(
        targetId,
        apply,
        { outcome: 'applied', pending_restart: true, facts: {} },
        { after_snapshot_id: 'after' },
      ),
    ),
  fail: (store, id) =>
    openOf(store, id, 'running').then((apply) =>
      store.applies.finish(
        targetId,
        apply,
        { outcome: 'failed', code: 'batch_taken_back', message: '', facts: {} },
        { after_snapshot_id: null },
      ),
    ),
  regress: (store, id) =>
    openOf(store, id, 'verifying').then((apply) =>
      store.applies.saveVerdict(
        targetId,
        apply,
        { verdict: 'regressed', reason: '', statements: [], measures: [] },
        'verify_failed',
        [
          recommendation(`back_${apply}`, {
            rule: 'apply/revert',
            reverts: { apply_id: apply, recommendation_id: id },
          }),
        ],
      ),
    ),
};

/** The last apply in this state, or none that there is. */
async function openOf(store: Store, id: string, state: 'running' | 'verifying'): Promise<string> {
  const found = (await store.applies.list(targetId, { state })).find((one) => one.recommendation_id === id);
  return found?.id ?? 'app_none';
}

function ifRefused(error: unknown): void {
  if (!(error instanceof PgLuthierError)) throw error;
}

it('each change is applied once, for an approval of its plan, and the log tells how', async () => {
  const draw = drawsOf(7);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  await fresh.store.recommendations.upsertFromAnalysis(
    targetId,
    'a',
    names.map((id) => recommendation(id, { kind: 'setting', change: changeOf(id), plan_hash: hashOf(id) })),
    { now: new Date(), rules: [] },
  );
  const refused = new Set<string>();
  const done = new Map<string, number>();
  // Who wins is a matter of the machine: it goes on until each has won once.
  const isMissing = () => WORDS.some((word) => !done.has(word));
  for (let round = 0; round < ROUNDS || (round < 5 * ROUNDS && isMissing()); round += 1) {
    const words = Object.keys(decisions);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        // What moves things on is drawn more often.
        const word = draw() < 0.4 ? pick(FAVOURED) : pick(words);
        // A replica's clock may be a day off, either way.
        const now = new Date(Date.now() + (draw() - 0.5) * 2 * DAY_MS);
        const [store, id] = [pick(replicas), pick(names)];
        try {
          // An approval is seldom there for long: what is to be voided is given just before.
          if (word === 'void_approval') await decisions.approve?.(store, id, now).catch(ifRefused);
          await decisions[word]?.(store, id, now);
          done.set(word, (done.get(word) ?? 0) + 1);
        } catch (error) {
          if (!(error instanceof PgLuthierError)) throw error;
          refused.add(error.code);
        }
      }),
    );
    const twice = await fresh.query(
      `SELECT recommendation_id FROM pgluthier.apply WHERE state IN ('queued', 'running')
       GROUP BY recommendation_id HAVING count(*) > 1`,
    );
    expect(twice).toEqual([]);
    // What runs is applying, and what is applying runs.
    const apart = await fresh.query(
      `SELECT r.recommendation_id, r.state FROM pgluthier.recommendation r
       WHERE (r.state = 'applying') <> EXISTS (SELECT FROM pgluthier.apply a
         WHERE a.recommendation_id = r.recommendation_id AND a.state = 'running')`,
    );
    expect(apart).toEqual([]);
    const halves = await fresh.query(
      `SELECT b.batch_id FROM pgluthier.restart_batch b
       LEFT JOIN pgluthier.apply a USING (target_id, batch_id) GROUP BY 1 HAVING count(a.apply_id) = 0`,
    );
    expect(halves).toEqual([]);
  }
  // Nothing but refusals with a code that says what to do.
  expect(
    [...refused].filter(
      (code) =>
        ![
          'invalid_state_transition',
          'apply_not_found',
          'server_busy',
          'apply_in_progress',
          'recommendation_changed',
        ].includes(code),
    ),
  ).toEqual([]);
  for (const word of WORDS) {
    expect(done.get(word) ?? 0, word).toBeGreaterThan(0);
  }
  expect(await fresh.store.audit.verify()).toMatchObject({ ok: true });

  // The log, replayed by the table, ends where each stands; and what was applied had been approved since.
  for (const id of names) {
    const entries = (await fresh.store.audit.list({ limit: 1_000, subject_id: id })).toReversed();
    let state: RecommendationState = 'open';
    let approved = false;
    for (const { action, details } of entries) {
      const event = action.replace('recommendation.', '') as RecommendationEvent;
      const { from, to } = details as { from: RecommendationState; to: RecommendationState };
      if (from === undefined) continue;
      expect(from).toBe(state);
      expect(nextState(state, event)).toBe(to);
      if (event === 'approve') approved = true;
      if (event === 'start_apply') expect(approved).toBe(true);
      if (to === 'open' || event === 'start_apply') approved = false;
      state = to;
    }
    expect((await fresh.store.recommendations.get(targetId, id)).state).toBe(state);
  }
});

it('the last decision on a recommendation is found by an index, of a log of any length', async () => {
  await fresh.query(
    `INSERT INTO pgluthier.audit
     SELECT 1000000 + g, now(), 'somebody', CASE g % 4 WHEN 0 THEN 'apply.cancel' WHEN 1 THEN 'recommendation.approve'
              WHEN 2 THEN 'recommendation.snooze' ELSE 'target.update' END, $1,
            CASE g % 4 WHEN 0 THEN 'app_' || g ELSE 'rec_' || g % 500 END,
            jsonb_build_object('recommendation_id', 'rec_' || g % 500), '', ''
     FROM generate_series(1, 20000) g`,
    [targetId],
  );
  await fresh.query('ANALYZE pgluthier.audit');
  const { pool, clients } = createPool(fresh.dsn, 1);
  const db = createDatabase(pool);
  const asked = lastDecision(db, targetId, 'rec_8').compile();
  const [row] = await fresh.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (FORMAT JSON) ${asked.sql}`, [
    ...asked.parameters,
  ]);
  const plan = JSON.stringify(row?.['QUERY PLAN']);
  expect(plan).toContain('audit_decision_idx');
  expect(plan).not.toMatch(/Seq Scan|"Sort"/);
  // A cancel is written about its apply, and is found by what it was an apply of.
  expect(await lastDecision(db, targetId, 'rec_8').executeTakeFirst()).toMatchObject({
    action: 'apply.cancel',
    details: { recommendation_id: 'rec_8' },
  });
  await endDatabase(db, pool, clients);
});
