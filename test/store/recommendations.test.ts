import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Recommendation, RecommendationEvent } from '../../src/domain/index.ts';
import { addTarget, type FreshStore, freshStore, recommendation, storeMajors } from './fixtures.ts';

const now = new Date();
const rules = ['health/statistics-missing'];

describe.each(storeMajors)('recommendations on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major, 30);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  const take = (...items: Recommendation[]) =>
    fresh.store.recommendations.upsertFromAnalysis(targetId, 'ana_1', items, { now, rules });
  const act = (id: string, event: RecommendationEvent) =>
    fresh.store.recommendations.transition(targetId, id, event, { actor: 'dba' });
  const stateOf = async (id: string) => (await fresh.store.recommendations.get(targetId, id)).state;
  const only = async (id: string, overrides: Partial<Recommendation> = {}) =>
    fresh.store.recommendations.upsertFromAnalysis(targetId, 'ana_1', [recommendation(id, overrides)], {
      now,
      rules: [],
    });

  it('are approved exactly once when many approve at the same time', async () => {
    const { recommendations, approvals, audit } = fresh.store;
    await only('r1');
    const results = await Promise.allSettled(
      Array.from({ length: 25 }, (_, index) =>
        recommendations.transition(targetId, 'r1', 'approve', {
          actor: `dba${index}`,
          expected_plan_hash: 'a'.repeat(64),
        }),
      ),
    );
    const winners = results.flatMap((result, index) =>
      result.status === 'fulfilled' ? [`dba${index}`] : [],
    );
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      expect(result.reason).toMatchObject({
        code: 'invalid_state_transition',
        status: 409,
        details: { state: 'approved' },
      });
    }
    expect(await approvals.list(targetId, { limit: 9, recommendation_id: 'r1' })).toMatchObject([
      { actor: winners[0], plan_hash: 'a'.repeat(64), generation: 1 },
    ]);
    const trail = await audit.list({ limit: 9, target_id: targetId, subject_id: 'r1' });
    expect(trail).toMatchObject([{ action: 'recommendation.approve', actor: winners[0] }]);
  });

  it('refuse an approval of a plan that changed meanwhile, and what the life does not allow', async () => {
    await only('r2');
    const stale = fresh.store.recommendations.transition(targetId, 'r2', 'approve', {
      actor: 'dba',
      expected_plan_hash: 'b'.repeat(64),
    });
    await expect(stale).rejects.toMatchObject({
      code: 'recommendation_changed',
      status: 409,
      details: { plan_hash: 'a'.repeat(64) },
    });
    await expect(act('r2', 'verified')).rejects.toMatchObject({ code: 'invalid_state_transition' });
    await expect(act('none', 'approve')).rejects.toMatchObject({
      code: 'recommendation_not_found',
      status: 404,
    });
    expect(await stateOf('r2')).toBe('open');
    expect(await fresh.store.approvals.list(targetId, { limit: 9, recommendation_id: 'r2' })).toEqual([]);
  });

  it('lose their approval when the plan changes, stay dismissed, and are superseded when no longer proposed', async () => {
    const ids = ['s1', 's2', 's3', 's4'];
    await take(...ids.map((id) => recommendation(id)));
    await act('s1', 'approve');
    await act('s3', 'dismiss');
    await take(
      recommendation('s1', { plan_hash: 'c'.repeat(64) }),
      recommendation('s2'),
      recommendation('s3'),
    );
    expect(await Promise.all(ids.map(stateOf))).toEqual(['open', 'open', 'dismissed', 'superseded']);
    expect((await fresh.store.recommendations.get(targetId, 's1')).plan_hash).toBe('c'.repeat(64));
    const [revoked] = await fresh.store.audit.list({ limit: 1, subject_id: 's1' });
    expect(revoked).toMatchObject({
      action: 'recommendation.revoke_approval',
      actor: 'analysis',
      details: { plan_hash: 'a'.repeat(64), new_plan_hash: 'c'.repeat(64) },
    });
    await take(recommendation('s4'));
    expect(await stateOf('s4')).toBe('open');
  });

  it('that are open follow the newest evidence; approved ones stay as they were read', async () => {
    await only('e1');
    await only('e1', { title: 'newer', severity: 'high' });
    expect(await fresh.store.recommendations.get(targetId, 'e1')).toMatchObject({
      title: 'newer',
      severity: 'high',
    });
    await act('e1', 'approve');
    await only('e1', { title: 'newest' });
    expect(await fresh.store.recommendations.get(targetId, 'e1')).toMatchObject({
      title: 'newer',
      state: 'approved',
    });
  });

  it('of rules that did not run are left alone', async () => {
    await take(recommendation('l1'));
    await fresh.store.recommendations.upsertFromAnalysis(targetId, 'ana_2', [], {
      now,
      rules: ['index/missing'],
    });
    expect(await stateOf('l1')).toBe('open');
  });

  it('begin a new generation when they come back after their end, and keep the old one', async () => {
    await only('g1');
    for (const event of ['approve', 'start_apply', 'apply_failed'] as const) await act('g1', event);
    await only('g1', { plan_hash: 'd'.repeat(64) });
    expect(await fresh.store.recommendations.history(targetId, 'g1')).toMatchObject([
      { generation: 2, state: 'open', plan_hash: 'd'.repeat(64) },
      { generation: 1, state: 'failed', plan_hash: 'a'.repeat(64) },
    ]);
    await expect(fresh.store.recommendations.history(targetId, 'none')).rejects.toMatchObject({
      status: 404,
    });
  });

  it('take a decision on the generation that is newest when their lock comes free', async () => {
    const { query, store } = fresh;
    await only('w1');
    for (const event of ['approve', 'start_apply', 'apply_failed'] as const) await act('w1', event);
    await query('BEGIN');
    await query("SELECT FROM pgluthier.recommendation WHERE recommendation_id = 'w1' FOR UPDATE");
    const approving = store.recommendations.transition(targetId, 'w1', 'approve', { actor: 'dba' });
    approving.catch(() => {});
    const waiting = async () =>
      (
        await query<{ n: number }>(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
      )[0]?.n;
    await expect.poll(waiting).toBe(1);
    await query(
      `INSERT INTO pgluthier.recommendation
       SELECT (jsonb_populate_record(r, '{"generation": 2, "state": "open"}')).* FROM pgluthier.recommendation r
       WHERE recommendation_id = 'w1'`,
    );
    await query('COMMIT');
    expect((await approving).state).toBe('approved');
    expect(await store.recommendations.history(targetId, 'w1')).toMatchObject([
      { generation: 2, state: 'approved' },
      { generation: 1, state: 'failed' },
    ]);
  });

  it('are taken over by analyses at the same time without a clash', async () => {
    const { store } = fresh;
    const id = await addTarget(store, 'two analyses');
    const items = Array.from({ length: 20 }, (_, index) => recommendation(`c${index}`));
    await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        store.recommendations.upsertFromAnalysis(id, `ana_${index}`, index % 2 ? items : items.toReversed(), {
          now,
          rules,
        }),
      ),
    );
    expect((await store.recommendations.list(id, { limit: 50 })).items).toHaveLength(20);
    await expect(
      store.recommendations.upsertFromAnalysis('tgt_none', 'a', items, { now, rules }),
    ).rejects.toMatchObject({ code: 'target_not_found' });
  });

  it('keep texts with half a surrogate or a NUL, mended', async () => {
    const cut = '🐘'.slice(0, 1);
    await only('t1', { title: `cut ${cut}`, rationale: 'NUL \0 inside' });
    expect(await fresh.store.recommendations.get(targetId, 't1')).toMatchObject({
      title: 'cut \ufffd',
      rationale: 'NUL \ufffd inside',
    });
  });

  it('are listed page by page, by severity, with filters', async () => {
    const { store } = fresh;
    const id = await addTarget(store, 'pages');
    const severities = ['low', 'high', 'medium', 'info', 'critical', 'high', 'low'] as const;
    const items = severities.map((severity, index) =>
      recommendation(`p${index}`, { severity, rule: index % 2 ? 'a/b' : 'c/d' }),
    );
    await store.recommendations.upsertFromAnalysis(id, 'a', items, { now, rules: [] });
    const seen: Recommendation[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.recommendations.list(id, { limit: 2, cursor });
      seen.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen.map((item) => item.severity)).toEqual([
      'critical',
      'high',
      'high',
      'medium',
      'low',
      'low',
      'info',
    ]);
    expect(new Set(seen.map((item) => item.id)).size).toBe(7);
    await store.recommendations.transition(id, 'p1', 'dismiss', { actor: 'dba', reason: 'no' });
    const filtered = await store.recommendations.list(id, {
      limit: 9,
      rule: 'a/b',
      severity: 'high',
      state: 'open',
    });
    expect(filtered.items.map((item) => item.id)).toEqual(['p5']);
    await expect(store.recommendations.list(id, { limit: 2, cursor: 'bm9wZQ' })).rejects.toMatchObject({
      code: 'invalid_cursor',
      status: 400,
    });
  });
});

describe('dismissed recommendations', () => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore();
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  const gain = (saved_share: number, ...query_ids: string[]) => ({
    saved_share,
    statements: query_ids.map((query_id) => ({ query_id, saved_share: saved_share / query_ids.length })),
  });
  const take = (id: string, overrides: Partial<Recommendation>) =>
    fresh.store.recommendations.upsertFromAnalysis(targetId, 'ana_9', [recommendation(id, overrides)], {
      now,
      rules: [],
    });
  const dismiss = (id: string) =>
    fresh.store.recommendations.transition(targetId, id, 'dismiss', { actor: 'dba', reason: 'too large' });
  const stateOf = async (id: string) => (await fresh.store.recommendations.get(targetId, id)).state;

  it('are told to the next analysis with who, when, why and the evidence of that time', async () => {
    await take('d1', { gain: gain(0.1, 'q1', 'q2'), severity: 'low' });
    await dismiss('d1');
    const [standing] = await fresh.store.recommendations.standing(targetId);
    expect(standing).toMatchObject({
      id: 'd1',
      state: 'dismissed',
      key: recommendation('d1').key,
      dismissal: {
        actor: 'dba',
        reason: 'too large',
        evidence: { saved_share: 0.1, severity: 'low', statements: [{ query_id: 'q1' }, { query_id: 'q2' }] },
      },
    });
    expect(Date.parse(standing?.dismissal?.at ?? '')).not.toBeNaN();
  });

  it.each([
    ['a little more', gain(0.19, 'q1', 'q2'), 'dismissed'],
    ['less', gain(0.01, 'q1'), 'dismissed'],
    ['other statements for a third of it', gain(0.1, 'q1', 'q2', 'q3'), 'dismissed'],
    ['twice as much', gain(0.2, 'q1', 'q2'), 'open'],
    ['mostly other statements', gain(0.1, 'q2', 'q3', 'q4'), 'open'],
  ])('when they save %s', async (what, now_saved, state) => {
    const id = `again ${what}`;
    await take(id, { gain: gain(0.1, 'q1', 'q2') });
    await dismiss(id);
    await take(id, { gain: now_saved, title: 'newer' });
    expect(await stateOf(id)).toBe(state);
    const [last] = await fresh.store.audit.list({ limit: 1, subject_id: id });
    if (state === 'dismissed') {
      expect(last).toMatchObject({ action: 'recommendation.dismiss' });
      return;
    }
    expect(last).toMatchObject({
      action: 'recommendation.reopen',
      actor: 'analysis',
      details: {
        reason: expect.stringMatching(/^evidence changed: /),
        dismissal: { actor: 'dba', reason: 'too large' },
      },
    });
    expect((await fresh.store.recommendations.get(targetId, id)).title).toBe('newer');
    const standing = await fresh.store.recommendations.standing(targetId);
    expect(standing.find((one) => one.id === id)).toMatchObject({ state: 'open', dismissal: null });
  });

  it('without a share come back when they are more severe', async () => {
    await take('s1', { severity: 'low' });
    await dismiss('s1');
    await take('s1', { severity: 'low' });
    expect(await stateOf('s1')).toBe('dismissed');
    await take('s1', { severity: 'high' });
    expect(await stateOf('s1')).toBe('open');
  });

  it('and those that nobody decided on are superseded with the reason of the analysis', async () => {
    await take('p1', { key: 'index.create x' });
    const { rule } = recommendation('p1');
    const rejection = { rule, candidate: 'x', code: 'no_gain', reason: 'nothing gets cheaper' };
    await fresh.store.recommendations.upsertFromAnalysis(targetId, 'ana_9', [], {
      now,
      rules: [rule],
      rejections: [{ ...rejection, key: 'index.create x' }],
    });
    const [last] = await fresh.store.audit.list({ limit: 1, subject_id: 'p1' });
    expect(last).toMatchObject({
      action: 'recommendation.supersede',
      details: { reason: 'no longer proposed: nothing gets cheaper', rejection_code: 'no_gain' },
    });
  });
});
