/** Baselines and thresholds in the store, with their rows in the audit log. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Scorecard, scorecardGrades } from '../../src/domain/index.ts';
import { addTarget, type FreshStore, freshStore, storeMajors } from './fixtures.ts';

function scorecard(overall: Scorecard['overall']): Scorecard {
  return {
    format_version: 1,
    target: {
      id: 't',
      name: "o'brien",
      database: 'ä "db"',
      server_version: '18.4',
      server_version_num: 180_004,
      database_size_bytes: 9_007_199_254_740_991,
    },
    window: { from: null, to: null, seconds: 0.1, source: 'window' },
    generated_at: '2026-03-01T12:00:00.000Z',
    overall,
    grades: Object.fromEntries(scorecardGrades.map((grade) => [grade, 0])) as Scorecard['grades'],
    metrics: [],
    checklist: [
      {
        id: 'x',
        section: 'database',
        question: 'é漢字 🐘?',
        from: 'ours',
        answer: 'unknown',
        because: '\\ "',
        evidence: [],
        remedy: null,
      },
    ],
    limits: [],
  };
}

describe.each(storeMajors)('scorecards on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  it('are kept under a name as they were, once, and replaced when that is said', async () => {
    const { scorecards } = fresh.store;
    const first = scorecard('target');
    const saved = await scorecards.saveBaseline(targetId, 'go live', first, { actor: 'me', replace: false });
    expect(saved).toMatchObject({ name: 'go live', actor: 'me', scorecard: first });
    const again = { actor: 'you', replace: false };
    await expect(
      scorecards.saveBaseline(targetId, 'go live', scorecard('critical'), again),
    ).rejects.toMatchObject({ code: 'baseline_exists', status: 409 });
    expect((await scorecards.getBaseline(targetId, 'go live')).scorecard).toEqual(first);
    await scorecards.saveBaseline(targetId, 'go live', scorecard('critical'), {
      actor: 'you',
      replace: true,
    });
    expect(await scorecards.getBaseline(targetId, 'go live')).toMatchObject({
      actor: 'you',
      scorecard: { overall: 'critical' },
    });
  });

  it('of the same name at the same time: one is kept', async () => {
    const { scorecards } = fresh.store;
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () =>
        scorecards.saveBaseline(targetId, 'race', scorecard('target'), { actor: 'me', replace: false }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are listed newest first, and go', async () => {
    const { scorecards } = fresh.store;
    const names = (await scorecards.listBaselines(targetId)).map(({ name }) => name);
    expect(names).toEqual(['race', 'go live']);
    await scorecards.removeBaseline(targetId, 'race', 'me');
    const gone = { code: 'baseline_not_found', status: 404 };
    await expect(scorecards.removeBaseline(targetId, 'race', 'me')).rejects.toMatchObject(gone);
    await expect(scorecards.getBaseline(targetId, 'race')).rejects.toMatchObject(gone);
  });

  it('have thresholds by target: none, those that were set last, of no other target', async () => {
    const { scorecards } = fresh.store;
    expect(await scorecards.thresholds(targetId)).toEqual({});
    const set = { statement_mean_ms: { target: 1, acceptable: 2, critical: 3 }, cache_hit_ratio: null };
    await scorecards.setThresholds(targetId, { deadlocks_per_day: null }, 'me');
    await scorecards.setThresholds(targetId, set, 'me');
    expect(await scorecards.thresholds(targetId)).toEqual(set);
    const other = await addTarget(fresh.store, 'other');
    expect(await scorecards.thresholds(other)).toEqual({});
    expect(await scorecards.listBaselines(other)).toEqual([]);
  });

  it('are refused for a target that is none, and each change is in the audit log', async () => {
    const { scorecards, audit } = fresh.store;
    const none = { code: 'target_not_found', status: 404 };
    await expect(scorecards.setThresholds('tgt_none', {}, 'me')).rejects.toMatchObject(none);
    await expect(
      scorecards.saveBaseline('tgt_none', 'x', scorecard('target'), { actor: 'me', replace: false }),
    ).rejects.toMatchObject(none);
    const rows = await fresh.query<{ action: string }>(
      "SELECT action FROM pgluthier.audit WHERE action LIKE 'scorecard.%' ORDER BY audit_id",
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'scorecard.save_baseline',
      'scorecard.save_baseline',
      'scorecard.save_baseline',
      'scorecard.remove_baseline',
      'scorecard.set_thresholds',
      'scorecard.set_thresholds',
    ]);
    expect(await audit.verify()).toMatchObject({ ok: true });
  });

  it('go with their target', async () => {
    const passing = await addTarget(fresh.store, 'passing');
    const { scorecards, targets } = fresh.store;
    await scorecards.saveBaseline(passing, 'x', scorecard('target'), { actor: 'me', replace: false });
    await scorecards.setThresholds(passing, {}, 'me');
    await targets.remove(passing, 'me');
    const left = await fresh.query(
      `SELECT target_id FROM pgluthier.scorecard_baseline WHERE target_id = $1
       UNION ALL SELECT target_id FROM pgluthier.scorecard_thresholds WHERE target_id = $1`,
      [passing],
    );
    expect(left).toEqual([]);
  });
});
