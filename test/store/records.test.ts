import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/domain/index.ts';
import { addTarget, type FreshStore, freshStore, recommendation, storeMajors } from './fixtures.ts';

describe.each(storeMajors)('records on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major, 20);
    targetId = await addTarget(fresh.store);
  });
  afterAll(() => fresh.close());

  it('of analyses hold the report, and lists only its summary', async () => {
    const { analyses } = fresh.store;
    const report: Report = {
      target: {
        id: targetId,
        name: "o'brien",
        database: 'ä',
        server_version: '18.4',
        server_version_num: 180004,
        managed_service: null,
      },
      window: { from: null, to: null, seconds: null, source: 'files' },
      summary: {
        generated_at: new Date().toISOString(),
        statements_seen: 1,
        statements_analysed: 1,
        database_time_ms: 0.1,
        analysed_share_of_time: 1,
        cost_before: null,
        cost_after: null,
        cost_floor: null,
        cost_floor_is_estimate: false,
        optimality_gap: null,
        not_analysed: [],
        what_if: null,
        recommendations_by_kind: { analyze: 1 },
      },
      recommendations: [recommendation('r')],
      rejections: [{ rule: 'r', candidate: 'é漢字 🐘', code: 'no_gain', reason: '\\ " \u0001' }],
      rejection_groups: [],
      limits: [],
    };
    const started = await analyses.start(targetId, 'test');
    expect(started).toMatchObject({ state: 'running', summary: null, finished_at: null });
    expect((await analyses.get(targetId, started.id)).report).toBeNull();
    await analyses.finish(targetId, started.id, report);
    expect((await analyses.get(targetId, started.id)).report).toEqual(report);
    const failed = await analyses.start(targetId, 'test');
    await analyses.recordFailure(targetId, failed.id, 'no_snapshot', 'none');
    const list = await analyses.list(targetId, { limit: 5 });
    expect(list).toMatchObject([
      { id: failed.id, state: 'failed', error: { code: 'no_snapshot' }, summary: null },
      { id: started.id, state: 'succeeded', error: null, summary: report.summary },
    ]);
    expect(list.some((header) => 'report' in header)).toBe(false);
    const none = { code: 'analysis_not_found', status: 404 };
    await expect(analyses.get(targetId, 'ana_none')).rejects.toMatchObject(none);
    await expect(analyses.finish(targetId, 'ana_none', report)).rejects.toMatchObject(none);
    await expect(analyses.recordFailure(targetId, 'ana_none', 'x', 'y')).rejects.toMatchObject(none);
  });

  it('of analyses that a stop left running end, young ones go on', async () => {
    const { store, query } = fresh;
    const old = await store.analyses.start(targetId, 'test');
    const young = await store.analyses.start(targetId, 'test');
    await query(
      "UPDATE pgluthier.analysis SET started_at = started_at - interval '13 hours' WHERE analysis_id = $1",
      [old.id],
    );
    expect(await store.analyses.abandonRunning()).toBe(1);
    expect(await store.analyses.get(targetId, old.id)).toMatchObject({ state: 'failed' });
    expect(await store.analyses.get(targetId, young.id)).toMatchObject({ state: 'running' });
  });

  it('of job runs belong to one replica a fire', async () => {
    const { jobRuns } = fresh.store;
    const fire = { job: 'snapshot', fire_at: new Date('2026-11-23T10:00:00Z') };
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, index) => jobRuns.claim({ ...fire, instance: `replica${index}` })),
    );
    const won = claims.filter((id) => id !== null);
    expect(won).toHaveLength(1);
    await jobRuns.finish(won[0] ?? '', { state: 'succeeded', details: { n: 1 }, error: null });
    expect(await jobRuns.list({ limit: 5 })).toMatchObject([
      { job: 'snapshot', state: 'succeeded', details: { n: 1 }, fire_at: '2026-11-23T10:00:00.000Z' },
    ]);
    const next = await jobRuns.claim({ ...fire, fire_at: new Date('2026-11-23T10:05:00Z'), instance: 'a' });
    expect(await jobRuns.last('snapshot')).toMatchObject({ id: next, state: 'running' });
    expect(await jobRuns.last('other')).toBeNull();
    const missing = jobRuns.finish('run_none', { state: 'failed', details: null, error: 'x' });
    await expect(missing).rejects.toMatchObject({ code: 'job_run_not_found' });
  });
});

describe.each(storeMajors)('the audit log on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  beforeAll(async () => {
    fresh = await freshStore(major, 20);
    // Many writers at once, with content that jsonb writes in its own way.
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        fresh.store.targets.add(
          { name: `é漢字 🐘 "${index}" \\ ${'🐘'.slice(1)}`, dsn: 'env:X', address: '', host_overrides: {} },
          `actor ${index}`,
        ),
      ),
    );
    const id = await addTarget(fresh.store);
    const now = new Date();
    await fresh.store.recommendations.upsertFromAnalysis(id, 'a', [recommendation('r')], { now, rules: [] });
    await fresh.store.recommendations.transition(id, 'r', 'dismiss', {
      actor: 'dba',
      reason: 'no',
      details: { z: 1e-7, a: [1.5, -0, 1e21, undefined, null], nested: { b: 1, a: undefined }, at: now },
    });
  });
  afterAll(() => fresh.close());

  it('is one chain, whoever wrote at the same time and whatever they wrote', async () => {
    expect(await fresh.store.audit.verify()).toMatchObject({ ok: true, rows: 22, first_bad_id: null });
    const page = await fresh.store.audit.list({ limit: 2 });
    expect(page.map((entry) => entry.id)).toEqual([22, 21]);
    expect((await fresh.store.audit.list({ limit: 2, before: 21 })).map((entry) => entry.id)).toEqual([
      20, 19,
    ]);
  });

  it.each([
    'DELETE FROM pgluthier.audit',
    "UPDATE pgluthier.audit SET actor = 'x'",
    'TRUNCATE pgluthier.audit',
  ])('refuses %s', async (statement) => {
    await expect(fresh.query(statement)).rejects.toThrow('append-only');
  });

  it.each([
    ['a changed actor', "UPDATE pgluthier.audit SET actor = 'somebody else' WHERE audit_id = 3", 3],
    [
      'a changed detail',
      'UPDATE pgluthier.audit SET details = details || \'{"x": 1}\' WHERE audit_id = 22',
      22,
    ],
    ['a removed row', 'DELETE FROM pgluthier.audit WHERE audit_id = 5', 6],
    ['a removed beginning', 'DELETE FROM pgluthier.audit WHERE audit_id = 1', 2],
  ])('shows %s', async (_, tampering, firstBad) => {
    await fresh.query('BEGIN');
    await fresh.query('ALTER TABLE pgluthier.audit DISABLE TRIGGER audit_append_only');
    await fresh.query('CREATE TEMP TABLE kept AS SELECT * FROM pgluthier.audit');
    await fresh.query(tampering);
    await fresh.query('COMMIT');
    expect(await fresh.store.audit.verify()).toMatchObject({ ok: false, first_bad_id: firstBad });
    await fresh.query('DELETE FROM pgluthier.audit');
    await fresh.query('INSERT INTO pgluthier.audit SELECT * FROM kept');
    await fresh.query('DROP TABLE kept');
    await fresh.query('ALTER TABLE pgluthier.audit ENABLE TRIGGER audit_append_only');
    expect((await fresh.store.audit.verify()).ok).toBe(true);
  });
});
