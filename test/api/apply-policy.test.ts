/** Who may loosen a policy, and what binds the policy itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { Change } from '../../src/domain/index.ts';
import { applyInWindow } from '../../src/pipeline/index.ts';
import { type Advised, advised } from '../pipeline/advised.ts';
import { btree } from '../support/definitions.ts';

let at: Advised;
beforeAll(async () => {
  at = await advised(
    18,
    'CREATE EXTENSION pg_stat_statements; CREATE TABLE items (id int PRIMARY KEY, owner int); CREATE TABLE other ()',
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

it('nobody is called as the service calls its own decisions', () => {
  const tokens = (name: string) =>
    loadConfig({ PGLUTHIER_TOKENS: `${name}:approver:${'0'.repeat(64)}` }).tokens;
  expect(tokens('anna')).toHaveLength(1);
  for (const name of ['policy', 'analysis', 'preflight', 'time', 'verification']) {
    expect(() => tokens(name)).toThrow(/must have a name of its own/);
  }
});

describe('what a person decided against binds the policy', () => {
  const auto = { mode: 'auto', production: false, auto: { kinds: ['analyze', 'vacuum', 'index.create'] } };
  const analyze: Change = { kind: 'analyze', schema: 'public', table: 'items' };
  const run = () => applyInWindow(at.service.services, { id: at.targetId });
  const post = (path: string, body?: unknown) => at.service.ask('POST', path, body);
  const dismiss = (path: string) => post(`${path}/dismiss`, { reason: 'the end of this test' });

  /** Approved by the policy, which somebody else's lock kept from beginning it. */
  async function heldUp(id: string, change = analyze) {
    const path = await at.propose(id, change);
    await policy({ ...auto, max_replica_lag_seconds: 30 });
    await at.client.query('BEGIN; LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE');
    await sleep(2_200);
    expect((await run()).held).toMatchObject({ [id]: 'apply_blocked' });
    expect(await at.stateOf(id)).toBe('approved');
    await at.client.query('ROLLBACK');
    return path;
  }

  /** Approved by the policy and not begun: something was in the way. */
  async function byPolicy(id: string) {
    const path = await at.propose(id, analyze);
    await policy(auto);
    await at.service.services.store.recommendations.transition(at.targetId, id, 'approve', {
      actor: 'policy',
    });
    return path;
  }

  it('an approval that is taken back: until the plan changes, or a person approves', async () => {
    const path = await heldUp('revoked');
    const revoked = await at.service.ask('POST', `${path}/revoke-approval`, undefined, BERT);
    expect(revoked.body.state).toBe('open');
    expect(await run()).toEqual({ started: 0, held: { revoked: 'person_decided' } });
    // Proposed by the next night's analysis, it is the same.
    await at.propose('revoked', analyze);
    expect(await run()).toEqual({ started: 0, held: { revoked: 'person_decided' } });
    expect(await at.stateOf('revoked')).toBe('open');
    // Nor does a replica that has not seen it in its list of open advice.
    const { transition } = at.service.services.store.recommendations;
    await expect(transition(at.targetId, 'revoked', 'approve', { actor: 'policy' })).rejects.toMatchObject({
      code: 'person_decided',
      details: { decided_by: 'bert' },
    });
    await at.propose('revoked', {
      kind: 'vacuum',
      schema: 'public',
      table: 'items',
      freeze: false,
      analyze: false,
    });
    expect(await run()).toEqual({ started: 1, held: {} });
  });

  it('an approval that is taken back: until more speaks for it, or a person reopens it', async () => {
    const path = await byPolicy('evidence');
    await post(`${path}/revoke-approval`);
    await at.propose('evidence', analyze, { severity: 'low' });
    expect(await run()).toEqual({ started: 0, held: { evidence: 'person_decided' } });
    await dismiss(path);
    await post(`${path}/reopen`);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();

    const again = await byPolicy('severer');
    await post(`${again}/revoke-approval`);
    await at.propose('severer', analyze, { severity: 'critical' });
    expect(await run()).toEqual({ started: 1, held: {} });
  });

  it("a person's own approval, taken back", async () => {
    const path = await at.propose('own', analyze);
    const { plan_hash } = (await at.service.ask('GET', path)).body;
    await post(`${path}/approve`, { plan_hash });
    await post(`${path}/revoke-approval`);
    await policy(auto);
    expect(await run()).toEqual({ started: 0, held: { own: 'person_decided' } });
    await post(`${path}/approve`, { plan_hash });
    // A person's approval is a person's to use.
    expect(await run()).toEqual({ started: 0, held: {} });
    await dismiss(path);
  });

  it('an apply of the policy that a person cancelled is not begun again by the next night', async () => {
    const index = btree('items', ['owner'], { name: 'items_owner_idx' });
    const change: Change = { kind: 'index.create', index };
    await at.propose('cancelled', change);
    await policy(auto);
    expect(await run()).toEqual({ started: 1, held: {} });
    const { items } = (await at.service.ask('GET', `${at.base}/applies`)).body as { items: { id: string }[] };
    // An old snapshot, so that it waits; where it was done before that, there is nothing to cancel.
    await at.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other');
    const cancelled = await at.service.ask(
      'POST',
      `${at.base}/applies/${items[0]?.id}/cancel`,
      undefined,
      BERT,
    );
    expect(cancelled.status).toBe(202);
    await at.service.services.background.idle();
    await at.client.query('ROLLBACK');
    expect(await at.stateOf('cancelled')).toBe('failed');
    await at.propose('cancelled', change);
    expect(await at.stateOf('cancelled')).toBe('open');
    expect(await run()).toEqual({ started: 0, held: { cancelled: 'person_decided' } });
    await dismiss(`${at.base}/recommendations/cancelled`);
  });
});
