/** Who may loosen a policy, and what binds the policy itself. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Advised, advised } from '../pipeline/advised.ts';

let at: Advised;
beforeAll(async () => {
  at = await advised(
    18,
    'CREATE EXTENSION pg_stat_statements; CREATE TABLE items (id int PRIMARY KEY, owner int)',
  );
});
afterAll(() => at.close());
afterEach(async () => {
  await at.service.services.background.idle();
  await policy({});
});

const BERT = { authorization: 'Bearer bert' };
const policy = (body: Record<string, unknown>, headers?: Record<string, string>) =>
  at.service.ask('PUT', `${at.base}/apply-policy`, body, headers);

const night = { days: ['sat', 'sun'], from: '22:00', to: '05:00', time_zone: 'Europe/Berlin' };

describe('what protects a production target', () => {
  it.each([
    ['windows', { windows: [night] }, { windows: [{ ...night, days: ['sun'], from: '23:00' }] }],
    ['disk_budget_bytes', { disk_budget_bytes: 5000 }, { disk_budget_bytes: 4000 }],
    ['max_replica_lag_seconds', { max_replica_lag_seconds: 60 }, { max_replica_lag_seconds: 10 }],
    ['max_applies_per_server', { max_applies_per_server: 3 }, { max_applies_per_server: 2 }],
    ['yield_after_seconds', { yield_after_seconds: 60 }, { yield_after_seconds: 10 }],
    ['expire_days', { expire_days: 20 }, { expire_days: 10 }],
    ['blocker_queries', { blocker_queries: 'constants_replaced' }, { blocker_queries: 'hidden' }],
  ])('%s: an approver tightens it, an admin loosens it', async (member, loose, tight) => {
    expect((await policy(loose)).status).toBe(200);
    expect((await policy(tight, BERT)).status).toBe(200);
    const refused = await policy(loose, BERT);
    expect(refused.body).toMatchObject({ status: 403, code: 'admin_needed', loosened: [member] });
    expect((await at.service.ask('GET', `${at.base}/apply-policy`)).body).toMatchObject(tight);
    expect((await policy(loose)).status).toBe(200);
    const [entry] = await at.service.services.store.audit.list({ limit: 1, subject_id: at.targetId });
    expect(entry).toMatchObject({ action: 'policy.set', details: { loosened: [member], replaced: tight } });
  });

  it('is not loosened by leaving it out, nor by what is tightened beside it, nor by first calling it no production', async () => {
    await policy({ windows: [night], disk_budget_bytes: 5000 });
    const refused = await policy({ four_eyes: true }, BERT);
    expect(refused.body).toMatchObject({ loosened: ['windows', 'disk_budget_bytes'] });
    const both = { windows: [night, { ...night, days: ['mon'] }], disk_budget_bytes: 1 };
    expect((await policy(both, BERT)).body).toMatchObject({ loosened: ['windows'] });
    expect((await policy({ production: false }, BERT)).body).toMatchObject({ code: 'admin_needed' });
    await policy({ production: false, windows: [night] });
    expect((await policy({ production: true, disk_budget_bytes: 1 }, BERT)).status).toBe(200);
  });

  it('once, whoever writes at the same time', async () => {
    await policy({ expire_days: 10 });
    // Each is a loosening of some of the others and a tightening of the rest: whatever order they come in, the days
    // may only go down.
    const tried = [9, 3, 7, 5, 8, 4];
    const answers = await Promise.all(tried.map((expire_days) => policy({ expire_days }, BERT)));
    const set = tried.filter((_, n) => answers[n]?.status === 200);
    expect(answers.every(({ status }) => status === 200 || status === 403)).toBe(true);
    const { body } = await at.service.ask('GET', `${at.base}/apply-policy`);
    expect(body.expire_days).toBe(Math.min(...set));
    expect(body.expire_days).toBe(3);
  });
});

it('a policy that would never do what it asks for is refused', async () => {
  const auto = { mode: 'auto', auto: { kinds: ['analyze'] } };
  for (const [idle, what] of [
    [auto, 'the mode auto'],
    [{ revert: 'perform' }, 'revert: perform'],
  ] as const) {
    const refused = await policy(idle);
    expect(refused.body).toMatchObject({ status: 422, code: 'policy_without_effect' });
    expect(refused.body.detail ?? refused.body.message).toContain(what);
    for (const more of [{ production: false }, { auto_in_production: true }]) {
      expect((await policy({ ...idle, ...more })).status).toBe(200);
      await policy({});
    }
  }
});
