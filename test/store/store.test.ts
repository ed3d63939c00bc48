import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecommendationEvent, recommendationStates } from '../../src/domain/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { readMigrations } from '../../src/store/migrate.ts';
import { testServer } from '../support/servers.ts';
import { freshStore, hostileSnapshot, recommendation } from './fixtures.ts';

let store: Store;
let dsn: string;
let close: () => Promise<void>;
let targetId: string;

beforeAll(async () => {
  ({ store, dsn, close } = await freshStore());
  const target = await store.targets.add(
    { name: 'one', dsn: 'postgresql://u:geheim@h/db', address: 'h:5432/db', host_overrides: {} },
    'test',
  );
  targetId = target.id;
});
afterAll(() => close());

describe('migrations', () => {
  it('run once when twenty processes start at the same time', async () => {
    const server = await testServer();
    const database = await server.createDatabase();
    const stores = await Promise.all(
      Array.from({ length: 20 }, () =>
        openStore({ dsn: database.dsn, secretKey: randomBytes(32), poolSize: 1 }),
      ),
    );
    const applied = await Promise.all(stores.map((one) => one.migrate()));
    expect(applied.flat().sort()).toEqual((await readMigrations()).map((migration) => migration.name));
    await Promise.all(stores.map((one) => one.close()));
    await database.drop();
  });

  it('refuse a store whose migration is not the file here, and one that is newer', async () => {
    const fresh = await freshStore(15);
    const client = new pg.Client({ connectionString: fresh.dsn });
    await client.connect();
    await client.query("UPDATE pgluthier.migration SET checksum = 'x' WHERE name LIKE '0001%'");
    await expect(fresh.store.migrate()).rejects.toMatchObject({ code: 'migration_changed' });
    await client.query('DELETE FROM pgluthier.migration');
    await client.query("INSERT INTO pgluthier.migration (name, checksum) VALUES ('9999_later.sql', 'x')");
    await expect(fresh.store.migrate()).rejects.toMatchObject({ code: 'store_too_new' });
    await client.end();
    await fresh.close();
  });

  it("have the domain's states in the table's constraint", async () => {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    const { rows } = await client.query<{ definition: string }>(
      "SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conname = 'recommendation_state_check'",
    );
    await client.end();
    const inStore = [...(rows[0]?.definition.matchAll(/'([a-z_]+)'::text/g) ?? [])].map((match) => match[1]);
    expect(inStore.toSorted()).toEqual([...recommendationStates].sort());
  });
});

describe('an unreachable store', () => {
  it('is a clear error without the password', async () => {
    const failing = openStore({ dsn: 'postgresql://u:geheim@127.0.0.1:1/x', secretKey: randomBytes(32) });
    await expect(failing).rejects.toMatchObject({ code: 'store_unreachable' });
    await expect(failing).rejects.not.toThrow(/geheim/);
  });
});

describe('targets', () => {
  it('keep a DSN sealed and give it back only inside', async () => {
    expect(await store.targets.getDsnSource(targetId)).toEqual({
      kind: 'sealed',
      dsn: 'postgresql://u:geheim@h/db',
    });
    expect(JSON.stringify(await store.targets.list())).not.toContain('geheim');
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    const { rows } = await client.query<{ row: string }>(
      "SELECT t::text || encode(dsn_sealed, 'escape') AS row FROM pgluthier.target t",
    );
    await client.end();
    expect(rows.map((row) => row.row).join()).not.toContain('geheim');
  });

  it('cannot be opened with another key, nor under another id', async () => {
    const other = await openStore({ dsn, secretKey: randomBytes(32) });
    await expect(other.targets.getDsnSource(targetId)).rejects.toMatchObject({ code: 'secret_key_mismatch' });
    await other.close();
    const second = await store.targets.add(
      { name: 'two', dsn: 'postgresql://v@h/db', address: 'h:5432/db', host_overrides: {} },
      'test',
    );
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await client.query(
      'UPDATE pgluthier.target SET dsn_sealed = (SELECT dsn_sealed FROM pgluthier.target WHERE target_id = $1) WHERE target_id = $2',
      [targetId, second.id],
    );
    await client.end();
    await expect(store.targets.getDsnSource(second.id)).rejects.toMatchObject({
      code: 'sealed_dsn_damaged',
    });
    await store.targets.remove(second.id, 'test');
    await expect(store.targets.get(second.id)).rejects.toMatchObject({ code: 'target_not_found' });
  });

  it('refuse a name that is taken', async () => {
    const again = store.targets.add({ name: 'one', dsn: 'env:X', address: '', host_overrides: {} }, 'test');
    await expect(again).rejects.toMatchObject({ code: 'target_exists', status: 409 });
  });
});

describe('snapshots', () => {
  it('come back exactly as they were, texts and large numbers included', async () => {
    const first = hostileSnapshot('2026-11-20T23:59:59.999999Z', 10);
    const second = hostileSnapshot('2026-11-21T00:00:00.5Z', 20);
    const a = await store.snapshots.save(targetId, first);
    const b = await store.snapshots.save(targetId, second);
    expect(await store.snapshots.get(targetId, a.id)).toEqual(first);
    expect(await store.snapshots.get(targetId, b.id)).toEqual(second);
    expect((await store.snapshots.latest(targetId))?.id).toBe(b.id);
    expect((await store.snapshots.oldestSince(targetId, new Date('2026-11-21T00:00:00Z')))?.id).toBe(b.id);
    expect((await store.snapshots.list(targetId, { limit: 10 })).map((header) => header.id)).toEqual([
      b.id,
      a.id,
    ]);
  });

  it('keep what does not change once', async () => {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    const count = async (table: string) =>
      Number((await client.query<{ n: string }>(`SELECT count(*) AS n FROM pgluthier.${table}`)).rows[0]?.n);
    const before = [await count('snapshot_part'), await count('query_text')];
    await store.snapshots.save(targetId, hostileSnapshot('2026-11-21T01:00:00Z', 30));
    expect([await count('snapshot_part'), await count('query_text')]).toEqual(before);
    await client.end();
  });

  it('are saved at the same time by many, on a day that has no partition yet', async () => {
    const saved = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        store.snapshots.save(targetId, hostileSnapshot(`2026-11-22T00:00:0${index}Z`, index)),
      ),
    );
    expect(new Set(saved.map((header) => header.id)).size).toBe(8);
  });

  it('that failed say why and hold nothing', async () => {
    await store.snapshots.recordFailure(targetId, 'target_unreachable', 'nobody there');
    const [newest] = await store.snapshots.list(targetId, { limit: 1 });
    expect(newest).toMatchObject({ status: 'failed', limits: [{ code: 'target_unreachable' }] });
    await expect(store.snapshots.get(targetId, newest?.id ?? '')).rejects.toMatchObject({
      code: 'snapshot_failed',
    });
    expect((await store.snapshots.latest(targetId))?.status).toBe('complete');
  });

  it('go by whole partitions, with the parts that nothing else needs', async () => {
    const fresh = await freshStore();
    const target = await fresh.store.targets.add(
      { name: 'x', dsn: 'env:X', address: '', host_overrides: {} },
      'test',
    );
    const old = await fresh.store.snapshots.save(target.id, {
      ...hostileSnapshot('2020-01-01T10:00:00Z', 1),
      setting_overrides: [{ role: 'only', database: null, name: 'n', value: 'v' }],
    });
    const kept = await fresh.store.snapshots.save(target.id, hostileSnapshot(new Date().toISOString(), 2));
    const dropped = await fresh.store.retention.drop({ snapshotsOlderThanDays: 30 });
    expect(dropped).toMatchObject({ partitions: ['snapshot_20200101'], parts: 1 });
    await expect(fresh.store.snapshots.get(target.id, old.id)).rejects.toMatchObject({
      code: 'snapshot_not_found',
    });
    expect((await fresh.store.snapshots.get(target.id, kept.id)).statements).toHaveLength(3);
    await fresh.close();
  });
});

describe('recommendations', () => {
  const now = new Date();
  const rules = ['health/statistics-missing'];
  const take = (...items: ReturnType<typeof recommendation>[]) =>
    store.recommendations.upsertFromAnalysis(targetId, 'ana_1', items, { now, rules });
  const act = (id: string, event: RecommendationEvent) =>
    store.recommendations.transition(targetId, id, event, { actor: 'dba' });
  const stateOf = async (id: string) => (await store.recommendations.get(targetId, id)).state;

  it('are approved exactly once when many approve at the same time', async () => {
    await take(recommendation('r1'));
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        store.recommendations.transition(targetId, 'r1', 'approve', {
          actor: `dba${index}`,
          expected_plan_hash: 'a'.repeat(64),
        }),
      ),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({
          code: 'invalid_state_transition',
          details: { state: 'approved' },
        });
      }
    }
  });

  it('refuse an approval of a plan that changed meanwhile', async () => {
    await take(recommendation('r1'), recommendation('r2'));
    const stale = store.recommendations.transition(targetId, 'r2', 'approve', {
      actor: 'dba',
      expected_plan_hash: 'b'.repeat(64),
    });
    await expect(stale).rejects.toMatchObject({ code: 'recommendation_changed', status: 409 });
    expect(await stateOf('r2')).toBe('open');
  });

  it('lose their approval when the plan changes, stay dismissed, and are superseded when no longer proposed', async () => {
    await take(recommendation('r1'), recommendation('r2'), recommendation('r3'), recommendation('r4'));
    await act('r3', 'dismiss');
    await take(
      recommendation('r1', { plan_hash: 'c'.repeat(64) }),
      recommendation('r2'),
      recommendation('r3'),
    );
    expect(await stateOf('r1')).toBe('open');
    expect(await stateOf('r3')).toBe('dismissed');
    expect(await stateOf('r4')).toBe('superseded');
    await take(recommendation('r4'));
    expect(await stateOf('r4')).toBe('open');
  });

  it('of rules that did not run are left alone', async () => {
    await take(recommendation('r5'));
    await store.recommendations.upsertFromAnalysis(targetId, 'ana_2', [], { now, rules: ['index/missing'] });
    expect(await stateOf('r5')).toBe('open');
  });

  it('begin a new generation when they come back after their end', async () => {
    await take(recommendation('r6'));
    for (const event of ['approve', 'start_apply', 'apply_failed'] as const) await act('r6', event);
    await take(recommendation('r6'));
    expect(await stateOf('r6')).toBe('open');
  });

  it('are listed page by page, by severity', async () => {
    const fresh = await freshStore();
    const target = await fresh.store.targets.add(
      { name: 'p', dsn: 'env:X', address: '', host_overrides: {} },
      'test',
    );
    const items = (['low', 'high', 'medium'] as const).map((severity, index) =>
      recommendation(`p${index}`, { severity }),
    );
    await fresh.store.recommendations.upsertFromAnalysis(target.id, 'a', items, { now, rules });
    const first = await fresh.store.recommendations.list(target.id, { limit: 2 });
    const second = await fresh.store.recommendations.list(target.id, {
      limit: 2,
      cursor: first.next_cursor ?? undefined,
    });
    expect([...first.items, ...second.items].map((item) => item.severity)).toEqual(['high', 'medium', 'low']);
    expect(second.next_cursor).toBeNull();
    await fresh.close();
  });
});

describe('applies', () => {
  const plan = {
    change: { kind: 'analyze' as const, schema: 'public', table: 't' },
    statements: ['ANALYZE public.t'],
    rollback: [],
    plan_hash: 'a'.repeat(64),
  };

  it('are created once when two replicas try, and keep their journal', async () => {
    await store.recommendations.upsertFromAnalysis(targetId, 'a', [recommendation('j1')], {
      now: new Date(),
      rules: [],
    });
    await store.recommendations.transition(targetId, 'j1', 'approve', { actor: 'dba' });
    const tries = await Promise.allSettled(
      Array.from({ length: 4 }, () =>
        store.applies.create(targetId, 'j1', plan, 'dba', { before_snapshot_id: 's' }),
      ),
    );
    const created = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(created).toHaveLength(1);
    const apply = created[0];
    if (!apply) throw new Error('no apply');
    const journal = store.applies.journal(targetId, apply.id);
    const step = await journal.intend({
      purpose: 'statement',
      sql: 'ANALYZE',
      backend_pid: 1,
      backend_start: 't',
    });
    expect(await journal.entries()).toMatchObject([{ step, state: 'intended', finished_at: null }]);
    await journal.settle(step, { state: 'done', sqlstate: null, message: null });
    expect(await journal.entries()).toMatchObject([{ step, state: 'done' }]);
    expect((await store.applies.listOpen()).map((open) => open.id)).toContain(apply.id);
    await store.applies.finish(
      targetId,
      apply.id,
      { outcome: 'applied', pending_restart: false, facts: {} },
      { after_snapshot_id: 's2' },
    );
    expect((await store.recommendations.get(targetId, 'j1')).state).toBe('verifying');
    const verdict = { verdict: 'succeeded' as const, reason: 'r', statements: [], measures: [] };
    await store.applies.saveVerdict(targetId, apply.id, verdict, 'verified');
    expect((await store.recommendations.get(targetId, 'j1')).state).toBe('succeeded');
    expect((await store.applies.get(targetId, apply.id)).state).toBe('done');
  });
});

describe('job runs', () => {
  it('belong to one replica a fire', async () => {
    const fire = { job: 'snapshot', fire_at: new Date('2026-11-23T10:00:00Z'), instance: 'a' };
    const claims = await Promise.all(Array.from({ length: 6 }, () => store.jobRuns.claim(fire)));
    const won = claims.filter((id) => id !== null);
    expect(won).toHaveLength(1);
    await store.jobRuns.finish(won[0] ?? '', { state: 'succeeded', details: { n: 1 }, error: null });
    expect(await store.jobRuns.list({ limit: 5 })).toMatchObject([{ job: 'snapshot', state: 'succeeded' }]);
  });
});

describe('the audit log', () => {
  it('holds under concurrent writers, cannot be changed, and shows what was tampered with', async () => {
    expect(await store.audit.verify()).toMatchObject({ ok: true, first_bad_id: null });
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await expect(client.query('DELETE FROM pgluthier.audit')).rejects.toThrow('append-only');
    await client.query('ALTER TABLE pgluthier.audit DISABLE TRIGGER audit_append_only');
    await client.query("UPDATE pgluthier.audit SET actor = 'somebody else' WHERE audit_id = 3");
    await client.end();
    expect(await store.audit.verify()).toMatchObject({ ok: false, first_bad_id: 3 });
  });
});
