import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/index.ts';
import { seal, unseal } from '../../src/store/seal.ts';
import {
  addTarget,
  type FreshStore,
  freshStore,
  hostileSnapshot,
  recommendation,
  storeMajors,
} from './fixtures.ts';

describe('sealing', () => {
  const key = randomBytes(32);

  it('gives back what it sealed, and never the same box twice', () => {
    const one = seal(key, 'postgresql://u:ü@h/db', 'tgt_1');
    expect(unseal(key, one, 'tgt_1')).toBe('postgresql://u:ü@h/db');
    expect(seal(key, 'postgresql://u:ü@h/db', 'tgt_1').box).not.toEqual(one.box);
  });

  it('notices any changed byte, a cut, and another target', () => {
    const sealed = seal(key, 'secret', 'tgt_1');
    for (let index = 0; index < sealed.box.length; index += 1) {
      const box = Buffer.from(sealed.box);
      box[index] = (box[index] ?? 0) ^ 1;
      expect(() => unseal(key, { ...sealed, box }, 'tgt_1')).toThrow(/changed/);
    }
    for (const box of [Buffer.alloc(0), sealed.box.subarray(0, 20), sealed.box.subarray(1)]) {
      expect(() => unseal(key, { ...sealed, box }, 'tgt_1')).toThrow(/changed/);
    }
    expect(() => unseal(key, sealed, 'tgt_2')).toThrow(/another target/);
  });

  it('tells a wrong key from damage', () => {
    const sealed = seal(key, 'secret', 'tgt_1');
    expect(() => unseal(randomBytes(32), sealed, 'tgt_1')).toThrow(
      expect.objectContaining({ code: 'secret_key_mismatch' }),
    );
  });
});

describe.each(storeMajors)('targets on PostgreSQL %i', (major) => {
  let fresh: FreshStore;
  let targetId: string;
  beforeAll(async () => {
    fresh = await freshStore(major);
    const target = await fresh.store.targets.add(
      {
        name: 'one',
        dsn: 'postgresql://u:geheim@h/db',
        address: 'h:5432/db',
        host_overrides: { cpu_count: 4 },
      },
      'test',
    );
    targetId = target.id;
  });
  afterAll(() => fresh.close());

  it('keep a DSN sealed and give it back only inside', async () => {
    const { store, query } = fresh;
    expect(await store.targets.getDsnSource(targetId)).toEqual({
      kind: 'sealed',
      dsn: 'postgresql://u:geheim@h/db',
    });
    expect(await store.targets.get(targetId)).toMatchObject({
      dsn_source: 'sealed',
      host_overrides: { cpu_count: 4 },
    });
    expect(JSON.stringify(await store.targets.list())).not.toContain('geheim');
    const rows = await query<{ row: string }>(
      "SELECT t::text || encode(dsn_sealed, 'escape') AS row FROM pgluthier.target t",
    );
    expect(rows.map((row) => row.row).join()).not.toContain('geheim');
  });

  it('keep references as they are', async () => {
    const file = await fresh.store.targets.add(
      { name: 'by file', dsn: 'file:/run/secrets/dsn', address: '', host_overrides: {} },
      'test',
    );
    expect(await fresh.store.targets.getDsnSource(file.id)).toEqual({
      kind: 'file',
      path: '/run/secrets/dsn',
    });
    const variable = await addTarget(fresh.store, 'by variable');
    expect(await fresh.store.targets.getDsnSource(variable)).toEqual({ kind: 'env', name: 'X' });
  });

  it('cannot be opened with another key, nor under another id', async () => {
    const { store, query, dsn } = fresh;
    const other = await openStore({ dsn, secretKey: randomBytes(32) });
    await expect(other.targets.getDsnSource(targetId)).rejects.toMatchObject({ code: 'secret_key_mismatch' });
    await other.close();
    const second = await store.targets.add(
      { name: 'two', dsn: 'postgresql://v@h/db', address: 'h:5432/db', host_overrides: {} },
      'test',
    );
    await query(
      'UPDATE pgluthier.target SET dsn_sealed = (SELECT dsn_sealed FROM pgluthier.target WHERE target_id = $1) WHERE target_id = $2',
      [targetId, second.id],
    );
    await expect(store.targets.getDsnSource(second.id)).rejects.toMatchObject({ code: 'sealed_dsn_damaged' });
  });

  it('refuse a name that is taken', async () => {
    const again = fresh.store.targets.add(
      { name: 'one', dsn: 'env:X', address: '', host_overrides: {} },
      'test',
    );
    await expect(again).rejects.toMatchObject({ code: 'target_exists', status: 409 });
  });

  it('go with everything that was collected of them, but not while a change runs on them', async () => {
    const { store, query } = fresh;
    const id = await addTarget(store, 'to go');
    const other = await addTarget(store, 'to stay');
    await store.snapshots.save(id, hostileSnapshot('2026-11-20T00:00:00Z', 1));
    await store.snapshots.save(other, hostileSnapshot('2026-11-20T00:00:00Z', 1));
    await store.analyses.start(id, 'test');
    await store.recommendations.upsertFromAnalysis(id, 'a', [recommendation('r')], {
      now: new Date(),
      rules: [],
    });
    await store.recommendations.transition(id, 'r', 'approve', { actor: 'dba' });
    const plan = {
      change: recommendation('r').change,
      statements: [],
      rollback: [],
      plan_hash: 'a'.repeat(64),
    };
    const apply = await store.applies.create(id, 'r', plan, 'dba', { before_snapshot_id: 's' });
    await store.applies
      .journal(id, apply.id)
      .intend({ purpose: 'statement', sql: 'ANALYZE', backend_pid: null, backend_start: null });
    await expect(store.targets.remove(id, 'test')).rejects.toMatchObject({
      code: 'apply_in_progress',
      status: 409,
    });
    const failed = { outcome: 'failed' as const, code: 'x', message: 'y', facts: {} };
    await store.applies.finish(id, apply.id, failed, { after_snapshot_id: null });

    await store.targets.remove(id, 'test');
    await expect(store.targets.get(id)).rejects.toMatchObject({ code: 'target_not_found', status: 404 });
    await expect(store.targets.remove(id, 'test')).rejects.toMatchObject({ code: 'target_not_found' });
    await expect(store.snapshots.save(id, hostileSnapshot('2026-11-20T00:00:01Z', 1))).rejects.toMatchObject({
      code: 'target_not_found',
    });
    await expect(store.analyses.start(id, 'test')).rejects.toMatchObject({ code: 'target_not_found' });
    const tables = await query<{ name: string }>(
      "SELECT DISTINCT table_name AS name FROM information_schema.columns WHERE table_schema = 'pgluthier' AND column_name = 'target_id' AND table_name <> 'audit'",
    );
    for (const { name } of tables) {
      expect(await query(`SELECT FROM pgluthier.${name} WHERE target_id = $1`, [id]), name).toEqual([]);
    }
    expect(await store.snapshots.list(other, { limit: 5 })).toHaveLength(1);
    expect((await store.audit.list({ limit: 1, target_id: id }))[0]?.action).toBe('target.remove');
  });
});
