import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ApplyPlan,
  applyPolicySchema,
  defaultPolicy,
  type RecommendationEvent,
  recommendationStates,
  recommendationTransitions,
} from '../../src/domain/index.ts';
import { addTarget, type FreshStore, freshStore, recommendation, storeMajors } from './fixtures.ts';

const plan = (table: string): ApplyPlan => ({
  change: { kind: 'analyze', schema: 'public', table },
  statements: [`ANALYZE public.${table}`],
  rollback: [],
  plan_hash: 'a'.repeat(64),
});

describe.each(storeMajors)('control of applying on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  const take = (id: string, now = new Date()) =>
    fresh.store.recommendations.upsertFromAnalysis(targetId, 'a', [recommendation(id)], { now, rules: [] });
  const stateOf = async (id: string, target = targetId) =>
    (await fresh.store.recommendations.get(target, id)).state;
  const act = (id: string, event: RecommendationEvent, more: Record<string, unknown> = {}) =>
    fresh.store.recommendations.transition(targetId, id, event, { actor: 'dba', ...more });

  it('knows exactly the states of the domain', async () => {
    const [row] = await fresh.query<{ definition: string }>(
      "SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conname = 'recommendation_state_check'",
    );
    const kept = [...(row?.definition.matchAll(/'([a-z_]+)'::text/g) ?? [])].map(([, state]) => state);
    expect(kept.sort()).toEqual([...recommendationStates].sort());
  });

  it('walks the table and nothing else, with an audit row for each step', async () => {
    let seed = 11;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const events = [
      ...new Set(Object.values(recommendationTransitions).flatMap((row) => Object.keys(row))),
    ] as RecommendationEvent[];
    for (let walk = 0; walk < 3; walk += 1) {
      const id = `walk${walk}`;
      await take(id);
      let steps = 0;
      for (let turn = 0; turn < 40; turn += 1) {
        const before = await stateOf(id);
        const event = events[random(events.length)] ?? 'dismiss';
        const to = recommendationTransitions[before][event];
        const done = act(id, event, event === 'snooze' ? { until: new Date(Date.now() + 3_600_000) } : {});
        if (to === undefined) {
          await expect(done).rejects.toMatchObject({ code: 'invalid_state_transition' });
        } else {
          await done;
          steps += 1;
        }
        expect(await stateOf(id)).toBe(to ?? before);
      }
      const audit = await fresh.store.audit.list({ limit: 100, subject_id: id });
      expect(audit).toHaveLength(steps);
    }
    expect(await fresh.store.audit.verify()).toMatchObject({ ok: true });
  });

  it('wakes what was snoozed when its time has come, and not before', async () => {
    await take('s1');
    const until = new Date(Date.now() + 3_600_000);
    const snoozed = await act('s1', 'snooze', { until });
    expect(snoozed).toMatchObject({ state: 'snoozed', snoozed_until: until.toISOString() });
    await take('s1');
    expect(await stateOf('s1')).toBe('snoozed');
    const { recommendations } = fresh.store;
    expect(await recommendations.wake(new Date(until.getTime() - 1000))).toBe(0);
    expect(await recommendations.isTimeDue(until)).toBe(true);
    expect(await recommendations.wake(until)).toBe(1);
    expect(await stateOf('s1')).toBe('open');
  });

  it('expires advice that grew old and approvals that were not used, and reopens it when it is proposed again', async () => {
    const old = new Date(Date.now() - 40 * 86_400_000);
    await take('e1', old);
    await take('e2', old);
    await act('e2', 'approve');
    await take('e3');
    const before = new Date(Date.now() - 30 * 86_400_000);
    await fresh.store.recommendations.expire(targetId, before);
    expect([await stateOf('e1'), await stateOf('e2'), await stateOf('e3')]).toEqual([
      'expired',
      'approved',
      'open',
    ]);
    await fresh.store.recommendations.expire(targetId, new Date(Date.now() + 1000));
    expect(await stateOf('e2')).toBe('expired');
    await take('e1');
    expect(await stateOf('e1')).toBe('open');
    expect(await fresh.store.audit.list({ limit: 1, subject_id: 'e2' })).toMatchObject([
      { actor: 'time', action: 'recommendation.expire', details: { reason: 'its approval was not used' } },
    ]);
  });

  it('keeps policies with defaults for what a later version adds, and audits them', async () => {
    const { applyPolicies } = fresh.store;
    expect(await applyPolicies.get(targetId)).toEqual(defaultPolicy);
    const policy = applyPolicySchema.parse({ mode: 'dry_run', four_eyes: true });
    await applyPolicies.set(targetId, policy, 'dba');
    await fresh.query("UPDATE pgluthier.apply_policy SET policy = policy - 'expire_days'");
    expect(await applyPolicies.get(targetId)).toEqual(policy);
    await applyPolicies.set(targetId, defaultPolicy, 'dba');
    const audit = await fresh.store.audit.list({ limit: 9, subject_id: targetId });
    expect(audit.filter(({ action }) => action === 'policy.set')).toHaveLength(2);
    await expect(applyPolicies.get('tgt_none')).rejects.toMatchObject({ code: 'target_not_found' });
  });

  it('shows each writer of a policy the one that it replaces, whoever writes at once', async () => {
    const { applyPolicies } = fresh.store;
    await applyPolicies.set(targetId, defaultPolicy, 'dba');
    const replaced: number[] = [];
    const days = [11, 12, 13, 14, 15, 16];
    await Promise.all(
      days.map((expire_days) =>
        applyPolicies.set(targetId, { ...defaultPolicy, expire_days }, 'dba', (before) => {
          replaced.push(before.expire_days);
        }),
      ),
    );
    expect(new Set(replaced).size).toBe(days.length);
    const { expire_days: last } = await applyPolicies.get(targetId);
    expect([...replaced, last].sort()).toEqual([...days, defaultPolicy.expire_days].sort());
    const refused = applyPolicies.set(targetId, defaultPolicy, 'dba', () => {
      throw new Error('not allowed');
    });
    await expect(refused).rejects.toThrow('not allowed');
    expect((await applyPolicies.get(targetId)).expire_days).toBe(last);
    await applyPolicies.set(targetId, defaultPolicy, 'dba');
  });

  it('counts one change a table and so many a server, whatever replicas begin at once', async () => {
    const { applies, recommendations } = fresh.store;
    const ids = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'];
    for (const id of ids) {
      await take(id);
      await recommendations.transition(targetId, id, 'approve', { actor: 'dba' });
    }
    const create = (id: string, table: string, max_per_server: number) =>
      applies.create(targetId, id, plan(table), 'dba', { before_snapshot_id: 's', max_per_server });
    const tries = await Promise.allSettled(ids.map((id, index) => create(id, `t${index % 3}`, 2)));
    const codes = tries.map((one) => (one.status === 'fulfilled' ? 'begun' : one.reason.code));
    expect(codes.filter((code) => code === 'begun')).toHaveLength(2);
    expect(codes.every((code) => ['begun', 'table_busy', 'server_busy'].includes(code))).toBe(true);
    // Another database of the same server counts for the server, not for the table.
    const other = await fresh.store.targets.add(
      { name: 'two', dsn: 'env:X', address: 'h:5432/other', host_overrides: {} },
      'test',
    );
    await recommendations.upsertFromAnalysis(other.id, 'a', [recommendation('o1')], {
      now: new Date(),
      rules: [],
    });
    await recommendations.transition(other.id, 'o1', 'approve', { actor: 'dba' });
    const begin = (max_per_server: number) =>
      applies.create(other.id, 'o1', plan('t0'), 'dba', { before_snapshot_id: 's', max_per_server });
    await expect(begin(2)).rejects.toMatchObject({ code: 'server_busy' });
    const begun = await begin(3);

    expect(await applies.stopReason(other.id, begun.id)).toBeNull();
    await fresh.store.applyStops.stop('*', 'replication broke', 'dba');
    expect(await applies.stopReason(other.id, begun.id)).toContain('replication broke');
    const waiting = ids[codes.findIndex((code) => code !== 'begun')] ?? '';
    await expect(create(waiting, 'free', 9)).rejects.toMatchObject({ code: 'apply_stopped' });
    expect(await stateOf(waiting)).toBe('approved');
    expect(await fresh.store.applyStops.lift('*', 'dba')).toBe(true);
    expect(await fresh.store.applyStops.lift('*', 'dba')).toBe(false);

    await applies.requestCancel(other.id, begun.id, 'dba2');
    // Sent again it is the same wish; that the rebuild stops too is another one.
    await applies.requestCancel(other.id, begun.id, 'somebody later');
    expect(await applies.stopReason(other.id, begun.id)).toBe('dba2 cancelled it.');
    await applies.requestCancel(other.id, begun.id, 'somebody later', { stop_rebuild: true });
    expect(await applies.stopReason(other.id, begun.id)).toBe('somebody later cancelled it.');
    const ended = { outcome: 'failed' as const, code: 'cancelled', message: '', facts: {} };
    await applies.finish(other.id, begun.id, ended, { after_snapshot_id: null });
    await expect(applies.requestCancel(other.id, begun.id, 'x')).rejects.toMatchObject({
      code: 'invalid_state_transition',
    });
  });
});
