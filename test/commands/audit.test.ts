import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyAudit } from '../../src/commands/audit.ts';
import { addTarget, type FreshStore, freshStore } from '../store/fixtures.ts';

describe('audit verify', () => {
  let fresh: FreshStore;
  beforeAll(async () => {
    fresh = await freshStore(18, 5);
    await addTarget(fresh.store);
    await addTarget(fresh.store, 'second');
  });
  afterAll(() => fresh.close());
  const tamper = async (sql: string) => {
    await fresh.query('ALTER TABLE pgluthier.audit DISABLE TRIGGER audit_append_only');
    await fresh.query(sql);
    await fresh.query('ALTER TABLE pgluthier.audit ENABLE TRIGGER audit_append_only');
  };

  it('tells the last hash, takes it back later, and sees what was cut off or changed', async () => {
    const { audit } = fresh.store;
    const whole = await verifyAudit(audit);
    expect(whole).toMatchObject({ ok: true, text: expect.stringContaining('2 entries') });
    const noted = (await audit.verify()).last_hash;
    expect(whole.text).toContain(noted);
    await addTarget(fresh.store, 'third');
    // It grew since the hash was noted.
    expect((await verifyAudit(audit, noted)).ok).toBe(true);
    await tamper('DELETE FROM pgluthier.audit WHERE audit_id >= 2');
    expect((await verifyAudit(audit)).ok).toBe(true);
    expect(await verifyAudit(audit, noted)).toMatchObject({
      ok: false,
      text: expect.stringContaining('was cut'),
    });
    await tamper("UPDATE pgluthier.audit SET actor = 'nobody'");
    expect(await verifyAudit(audit)).toMatchObject({ ok: false, text: expect.stringContaining('entry 1') });
  });
});
