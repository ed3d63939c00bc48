import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplyPlan } from '../../src/domain/index.ts';
import { addTarget, type FreshStore, freshStore, recommendation, storeMajors } from './fixtures.ts';

const plan: ApplyPlan = {
  change: { kind: 'analyze', schema: 'public', table: 't' },
  statements: ['ANALYZE public.t'],
  rollback: [],
  plan_hash: 'a'.repeat(64),
};
const applied = { outcome: 'applied' as const, pending_restart: false, facts: { valid: true } };

describe.each(storeMajors)('applies on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  const approved = async (id: string) => {
    const { recommendations } = fresh.store;
    await recommendations.upsertFromAnalysis(targetId, 'a', [recommendation(id)], {
      now: new Date(),
      rules: [],
    });
    await recommendations.transition(targetId, id, 'approve', { actor: 'dba' });
  };
  const create = (id: string, given = plan) =>
    fresh.store.applies.create(targetId, id, given, 'dba', { before_snapshot_id: 'snp_before' });
  const stateOf = async (id: string) => (await fresh.store.recommendations.get(targetId, id)).state;

  it('are created once when replicas try at the same time', async () => {
    await approved('j1');
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => create('j1')));
    expect(tries.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    for (const result of tries) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'invalid_state_transition' });
    }
    expect(await stateOf('j1')).toBe('applying');
  });

  it('are not created for a plan that was not approved, and leave nothing then', async () => {
    await approved('j2');
    const other = create('j2', { ...plan, plan_hash: 'b'.repeat(64) });
    await expect(other).rejects.toMatchObject({ code: 'recommendation_changed' });
    expect(await stateOf('j2')).toBe('approved');
    const applies = await fresh.store.applies.list(targetId, {});
    expect(applies.filter((apply) => apply.recommendation_id === 'j2')).toEqual([]);
  });

  it('are one at a time a recommendation, whatever its state says', async () => {
    await approved('j3');
    await create('j3');
    await fresh.query(
      "UPDATE pgluthier.recommendation SET state = 'approved' WHERE recommendation_id = 'j3'",
    );
    await expect(create('j3')).rejects.toMatchObject({ code: 'apply_in_progress', status: 409 });
  });

  it('run from progress to outcome to verdict, together with their recommendation', async () => {
    const { applies } = fresh.store;
    await approved('j4');
    const apply = await create('j4');
    expect(apply).toMatchObject({ state: 'running', plan, before_snapshot_id: 'snp_before' });
    const progress = { phase: 'building index', fraction: 0.5, blockers: [] };
    await applies.setProgress(targetId, apply.id, progress);
    expect(await applies.get(targetId, apply.id)).toMatchObject({ progress });
    expect((await applies.listOpen()).map((open) => open.id)).toContain(apply.id);

    await applies.finish(targetId, apply.id, applied, { after_snapshot_id: 'snp_after' });
    expect(await stateOf('j4')).toBe('verifying');
    expect((await applies.listOpen()).map((open) => open.id)).not.toContain(apply.id);
    const twice = applies.finish(targetId, apply.id, applied, { after_snapshot_id: null });
    await expect(twice).rejects.toMatchObject({ code: 'invalid_state_transition' });

    const verdict = {
      verdict: 'inconclusive' as const,
      reason: 'too few calls',
      statements: [],
      measures: [],
    };
    await applies.saveVerdict(targetId, apply.id, verdict, null);
    expect(await stateOf('j4')).toBe('verifying');
    await applies.saveVerdict(targetId, apply.id, { ...verdict, verdict: 'succeeded' }, 'verified');
    expect(await stateOf('j4')).toBe('succeeded');
    expect(await applies.get(targetId, apply.id)).toMatchObject({
      state: 'done',
      progress: null,
      outcome: applied,
      verdict: { verdict: 'succeeded' },
      before_snapshot_id: 'snp_before',
      after_snapshot_id: 'snp_after',
    });
    await expect(applies.saveVerdict(targetId, apply.id, verdict, 'verified')).rejects.toMatchObject({
      status: 409,
    });
    const trail = await fresh.store.audit.list({ limit: 9, subject_id: 'j4' });
    expect(trail.map((entry) => entry.action.replace('recommendation.', '')).toReversed()).toEqual([
      'approve',
      'start_apply',
      'applied',
      'verified',
    ]);
  });

  it.each([
    ['failed', 'failed'],
    ['needs_attention', 'needs_attention'],
  ] as const)('that end as %s say why', async (outcome, state) => {
    const id = `o-${outcome}`;
    await approved(id);
    const apply = await create(id);
    const end = { outcome, code: 'lock_timeout', message: 'no lock', facts: {} };
    expect(
      await fresh.store.applies.finish(targetId, apply.id, end, { after_snapshot_id: null }),
    ).toMatchObject({
      state,
      outcome: end,
    });
    expect(await stateOf(id)).toBe(state);
  });

  it('keep a journal, step by step', async () => {
    const { applies } = fresh.store;
    await approved('j5');
    const apply = await create('j5');
    const journal = applies.journal(targetId, apply.id);
    const entry = { purpose: 'statement' as const, sql: 'ANALYZE', backend_pid: 1, backend_start: 't' };
    expect(await journal.intend(entry)).toBe(1);
    expect(await journal.entries()).toMatchObject([
      { ...entry, step: 1, state: 'intended', finished_at: null },
    ]);
    await journal.settle(1, { state: 'failed', sqlstate: '55P03', message: 'lock timeout' });
    expect(await journal.intend({ ...entry, purpose: 'cleanup' })).toBe(2);
    expect(await journal.entries()).toMatchObject([
      { step: 1, state: 'failed', sqlstate: '55P03', message: 'lock timeout' },
      { step: 2, state: 'intended', purpose: 'cleanup' },
    ]);
    const missing = journal.settle(3, { state: 'done', sqlstate: null, message: null });
    await expect(missing).rejects.toThrow(/step 3/);
    await expect(applies.get(targetId, 'app_none')).rejects.toMatchObject({
      code: 'apply_not_found',
      status: 404,
    });
  });

  it('write their journal durably where the server would not wait for its disk', async () => {
    const lazy = await freshStore(major, 1);
    const [{ name } = { name: '' }] = await lazy.query<{ name: string }>('SELECT current_database() AS name');
    await lazy.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    // What the commit of a journal row waited for is not to be seen from outside: the setting inside it is.
    await lazy.query(
      `CREATE TABLE pgluthier.seen (setting text);
       CREATE FUNCTION pgluthier.note() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO pgluthier.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
       CREATE TRIGGER note BEFORE INSERT OR UPDATE ON pgluthier.journal FOR EACH ROW EXECUTE FUNCTION pgluthier.note()`,
    );
    await lazy.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgluthier:store'",
    );
    // The dropped idle connection is noticed when its end arrives.
    const id = await expect
      .poll(() => addTarget(lazy.store, 'lazy').catch(() => null))
      .not.toBeNull()
      .then(async () => (await lazy.store.targets.list())[0]?.id ?? '');
    const { recommendations, applies } = lazy.store;
    await recommendations.upsertFromAnalysis(id, 'a', [recommendation('d')], { now: new Date(), rules: [] });
    await recommendations.transition(id, 'd', 'approve', { actor: 'dba' });
    const apply = await applies.create(id, 'd', plan, 'dba', { before_snapshot_id: 's' });
    const journal = applies.journal(id, apply.id);
    const step = await journal.intend({
      purpose: 'statement',
      sql: 'x',
      backend_pid: null,
      backend_start: null,
    });
    await journal.settle(step, { state: 'done', sqlstate: null, message: null });
    expect(await lazy.query('SELECT setting FROM pgluthier.seen')).toEqual([
      { setting: 'on' },
      { setting: 'on' },
    ]);
    await lazy.close();
  });
});
