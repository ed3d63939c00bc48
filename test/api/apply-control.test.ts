import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isSight } from '../../src/apply/build-witness.ts';
import { type Change, quoteIdentifier } from '../../src/domain/index.ts';
import { applyInWindow } from '../../src/pipeline/index.ts';
import { testServer } from '../support/servers.ts';
import { applying, hashOf, index } from './applying.ts';
import { type TestService, testService } from './service.ts';

const SCHEMA = `CREATE EXTENSION pg_stat_statements;
CREATE TABLE items (id int PRIMARY KEY, owner int NOT NULL, note text);
INSERT INTO items SELECT g, g % 500, 'x' FROM generate_series(1, 20000) AS g;
CREATE TABLE other (id int)`;

type Applying = ReturnType<typeof applying>;
let service: TestService;
let dsn: string;
let drop: () => Promise<void>;
let targetId: string;
let base: string;
let propose: Applying['propose'];
let approved: Applying['approved'];
let ended: Applying['ended'];
let policy: Applying['policy'];
let client: pg.Client;

beforeAll(async () => {
  ({ dsn, drop } = await (await testServer()).createDatabase({ sql: SCHEMA }));
  service = await testService(
    {},
    { anna: ['approver'], bert: ['applier'], vera: ['viewer'], carla: ['approver', 'applier'] },
  );
  const added = await service.ask('POST', '/v1/targets', { name: 'items', dsn });
  targetId = String(added.body.id);
  ({ base, propose, approved, ended, policy } = applying(service, targetId));
});
afterAll(async () => {
  await service.close();
  await drop();
});
beforeEach(async () => {
  client = new pg.Client({ connectionString: dsn, application_name: 'shop backend' });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await service.services.background.idle();
  await policy({});
});

const as = (name: string) => ({ authorization: `Bearer ${name}` });
const analyze: Change = { kind: 'analyze', schema: 'public', table: 'other' };
describe('the dry run', () => {
  it('tells exactly the statements that the apply then sends, and changes nothing', async () => {
    const change = index('items_dry');
    const path = await approved('dry', change, {
      estimate: {
        cost_before: null,
        cost_after: null,
        size_bytes: 1000,
        write_overhead: null,
        build_seconds: 3,
      },
    });
    const plan = await service.ask('GET', `${path}/plan`);
    expect(plan.body).toMatchObject({
      would_start: true,
      expected_seconds: 3,
      disk_bytes: 2000,
      drift: [],
      blockers: [],
      refusals: [],
      rollback: ['DROP INDEX CONCURRENTLY public.items_dry'],
      preconditions: { table: { bytes: expect.any(Number) } },
      approved_preconditions: { server_version_num: expect.any(Number) },
    });
    const steps = plan.body.steps as { sql: string; transactional: boolean }[];
    expect(steps).toMatchObject([{ transactional: false, lock: 'ShareUpdateExclusive on the table' }]);
    const { rows } = await client.query("SELECT FROM pg_class WHERE relname = 'items_dry'");
    expect(rows).toEqual([]);
    const apply = await service.ask('POST', `${path}/apply`);
    expect(apply.status).toBe(202);
    const journal = (await ended(apply.body.id)).journal as { sql: string }[];
    const changing = journal.filter((entry) => !isSight(entry));
    expect(changing.map(({ sql }) => sql)).toEqual(steps.map(({ sql }) => sql));
    // The stream of an apply that has ended: its last state, and the end.
    const events = await service.stream(`${base}/applies/${apply.body.id}/events`);
    expect(events).toMatch(/^event: apply\ndata: \{.*"state":"verifying".*\}\nid: [0-9a-f]{16}\n\n$/s);
    const id = /id: (\w+)/.exec(events)?.[1] ?? '';
    expect(await service.stream(`${base}/applies/${apply.body.id}/events`, { 'last-event-id': id })).toBe('');
    const flyway = await service.ask('GET', `${path}/migration?format=flyway`);
    expect(JSON.stringify(flyway.body)).toContain('executeInTransaction=false');
  });

  it('names blockers, their constants replaced or as the policy says, and so does the 409', async () => {
    const path = await approved('blocked', index('items_blocked', 'note'));
    await client.query('BEGIN');
    await client.query("UPDATE items SET note = 'geheim' WHERE id = 1");
    await sleep(2_200);
    const plan = await service.ask('GET', `${path}/plan`);
    expect(plan.body).toMatchObject({ would_start: false });
    const [blocker] = plan.body.blockers as Record<string, unknown>[];
    expect(blocker).toMatchObject({
      application_name: 'shop backend',
      query: 'UPDATE items SET note = $1 WHERE id = 1',
      ...(await client.query('SELECT pg_backend_pid() AS pid, current_user AS "user"')).rows[0],
    });
    expect(blocker?.age_seconds).toBeGreaterThan(2);
    await policy({ blocker_queries: 'hidden' });
    const refused = await service.ask('POST', `${path}/apply`);
    expect(refused.body).toMatchObject({
      status: 409,
      code: 'apply_blocked',
      blockers: [{ pid: blocker?.pid, user: blocker?.user, query: null }],
    });
    expect(JSON.stringify(refused.body)).not.toContain('geheim');
    await client.query('ROLLBACK');
  });

  it('finds that the approval is void where the table is another one, and says why', async () => {
    await client.query('CREATE TABLE swapped (id int)');
    const change: Change = { kind: 'analyze', schema: 'public', table: 'swapped' };
    const path = await approved('swapped', change);
    await client.query('DROP TABLE swapped; CREATE TABLE swapped (id int)');
    const refused = await service.ask('POST', `${path}/apply`);
    expect(refused.body).toMatchObject({
      code: 'target_drifted',
      approval_void: true,
      drift: [{ code: 'relation_replaced' }],
    });
    expect((await service.ask('GET', path)).body.state).toBe('open');
    const [entry] = await service.services.store.audit.list({ limit: 1, subject_id: 'swapped' });
    expect(entry).toMatchObject({ action: 'recommendation.void_approval', actor: 'preflight' });
    expect(entry?.details.reason).toContain('is another table than when this was approved');
  });

  it('finds another size by the statistics', async () => {
    await client.query('CREATE TABLE grown (id int); INSERT INTO grown SELECT generate_series(1, 5000)');
    await client.query('ANALYZE grown');
    const change: Change = {
      kind: 'table.reloptions',
      schema: 'public',
      table: 'grown',
      set: { fillfactor: '90' },
      previous: { fillfactor: null },
    };
    const path = await approved('grown', change);
    await client.query('INSERT INTO grown SELECT generate_series(1, 60000)');
    await client.query('ANALYZE grown');
    expect((await service.ask('GET', `${path}/plan`)).body).toMatchObject({
      drift: [{ code: 'statistics_changed' }],
    });
  });
});

describe('who and when', () => {
  /** A window of an hour that is open now or, shifted by a day and more, is not. */
  const windows = (open: boolean) => {
    const now = new Date();
    const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
    const shift = open ? 0 : 3;
    return [{ days: [day[(now.getUTCDay() + shift) % 7]], from: '00:00', to: '00:00', time_zone: 'UTC' }];
  };

  it('by scopes: each token may do its part, and its name is in the audit log', async () => {
    const path = await propose('scopes', analyze);
    for (const [who, wanted] of [
      ['vera', 403],
      ['bert', 403],
      ['anna', 200],
    ] as const) {
      expect((await service.ask('POST', `${path}/approve`, hashOf(analyze), as(who))).status, who).toBe(
        wanted,
      );
    }
    expect((await service.ask('GET', path, undefined, as('vera'))).status).toBe(200);
    expect((await service.ask('POST', `${path}/apply`, undefined, as('anna'))).body).toMatchObject({
      code: 'scope_missing',
    });
    expect((await service.ask('DELETE', base, undefined, as('carla'))).status).toBe(403);
    expect((await service.ask('POST', `${path}/revoke-approval`, undefined, as('anna'))).status).toBe(200);
    const trail = await service.services.store.audit.list({ limit: 9, subject_id: 'scopes' });
    expect(trail.map(({ actor }) => actor)).toEqual(['anna', 'anna']);
  });

  it('the policy: what binds approvers, and production without a person, are an admin’s', async () => {
    const alone = { mode: 'auto', auto: { kinds: ['analyze'] }, auto_in_production: true };
    for (const [before, tried, status] of [
      [{}, { production: false }, 403],
      [{}, { auto_in_production: true }, 403],
      [{}, { revert: 'perform' }, 403],
      [{}, { mode: 'auto', auto: { kinds: ['analyze'] } }, 422],
      [{ four_eyes: true }, {}, 403],
      [{ four_eyes: true }, { four_eyes: true, expire_days: 7 }, 200],
      [{ mode: 'dry_run' }, {}, 403],
      [{}, { mode: 'dry_run' }, 200],
      [alone, { ...alone, auto: { kinds: ['analyze', 'index.drop'] } }, 403],
      [{ ...alone, windows: windows(false) }, alone, 403],
      [{ auto_in_production: true }, alone, 403],
      [alone, alone, 200],
      [alone, {}, 200],
    ] as const) {
      expect((await policy(before)).status).toBe(200);
      const answer = await service.ask('PUT', `${base}/apply-policy`, tried, as('anna'));
      expect(answer.status, JSON.stringify([before, tried])).toBe(status);
      if (status === 403) expect(answer.body.code).toBe('admin_needed');
    }
  });

  it('with four eyes somebody else starts it', async () => {
    await policy({ four_eyes: true });
    const path = await propose('eyes', analyze);
    await service.ask('POST', `${path}/approve`, hashOf(analyze), as('carla'));
    const refused = await service.ask('POST', `${path}/apply`, undefined, as('carla'));
    expect(refused.body).toMatchObject({ status: 403, code: 'four_eyes' });
    expect((await service.ask('POST', `${path}/apply`, undefined, as('bert'))).status).toBe(202);
  });

  it('only in a window; what is scheduled begins when it opens', async () => {
    await policy({ windows: windows(false) });
    const path = await approved('window', analyze);
    const refused = await service.ask('POST', `${path}/apply`);
    expect(refused.body).toMatchObject({ status: 409, code: 'outside_window' });
    const [refusal] = refused.body.refusals as { until: string }[];
    expect(Date.parse(refusal?.until ?? '')).toBeGreaterThan(Date.now());
    expect((await service.ask('POST', `${path}/schedule`)).body.state).toBe('scheduled');
    const target = { id: targetId };
    expect(await applyInWindow(service.services, target)).toEqual({
      started: 0,
      held: { window: 'outside_window' },
    });
    await policy({ windows: windows(true) });
    expect(await applyInWindow(service.services, target)).toEqual({ started: 1, held: {} });
    await service.services.background.idle();
    expect((await service.ask('GET', path)).body.state).toBe('verifying');
  });

  it('not at all in dry_run, nor beyond the disk budget, nor longer than the window', async () => {
    await policy({ mode: 'dry_run', disk_budget_bytes: 1000, windows: windows(true) });
    const path = await approved('limits', index('items_limits', 'id'), {
      estimate: {
        cost_before: null,
        cost_after: null,
        size_bytes: 600,
        write_overhead: null,
        build_seconds: 2 * 86_400,
      },
    });
    const plan = await service.ask('GET', `${path}/plan`);
    expect((plan.body.refusals as { code: string }[]).map(({ code }) => code)).toEqual([
      'policy_dry_run',
      'window_too_short',
      'disk_budget_exceeded',
    ]);
    expect((await service.ask('POST', `${path}/apply`)).body).toMatchObject({ code: 'policy_dry_run' });

    await policy({ disk_budget_bytes: 1000 });
    const unknown = await approved('limits unknown', index('items_unknown', 'id'), {
      estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    });
    expect((await service.ask('POST', `${unknown}/apply`)).body).toMatchObject({
      status: 409,
      code: 'disk_need_unknown',
    });
  });

  it('by the policy alone only where it may, within its limits', async () => {
    const auto = { kinds: ['analyze'], tables: ['public.other'], max_changes_per_day: 1 };
    const path = await propose('auto', analyze);
    expect((await policy({ mode: 'auto', auto })).body.code).toBe('policy_without_effect');
    const target = { id: targetId };
    expect(await applyInWindow(service.services, target)).toEqual({ started: 0, held: {} });
    await policy({ mode: 'auto', auto, production: false });
    expect(await applyInWindow(service.services, target)).toMatchObject({ started: 1 });
    await service.services.background.idle();
    expect((await service.ask('GET', path)).body.state).toBe('verifying');
    await propose('auto2', analyze);
    expect(await applyInWindow(service.services, target)).toEqual({ started: 0, held: {} });
    const trail = await service.services.store.audit.list({ limit: 9, subject_id: 'auto' });
    expect(trail.find(({ action }) => action === 'recommendation.approve')).toMatchObject({
      actor: 'policy',
    });
  });

  it('by the policy later where somebody was in the way, if it still may; what a person approved waits for one', async () => {
    await client.query('CREATE TABLE held_up (id int)');
    await client.query('BEGIN; LOCK TABLE held_up IN SHARE UPDATE EXCLUSIVE MODE');
    await sleep(2_200);
    const limits = { kinds: ['analyze', 'vacuum'], tables: ['public.held_up'], max_changes_per_day: 99 };
    const auto = { mode: 'auto', production: false, auto: limits };
    const of = { schema: 'public', table: 'held_up' };
    const target = { id: targetId };
    const byPerson = await approved('by_person', { kind: 'vacuum', ...of, freeze: false, analyze: false });
    const path = await propose('held', { kind: 'analyze', ...of });
    await policy(auto);
    expect((await applyInWindow(service.services, target)).held).toMatchObject({ held: 'apply_blocked' });
    expect((await service.ask('GET', path)).body.state).toBe('approved');
    await client.query('ROLLBACK');
    await policy({ ...auto, mode: 'manual' });
    expect(await applyInWindow(service.services, target)).toEqual({ started: 0, held: {} });
    await policy({ ...auto, auto: { ...limits, kinds: ['index.drop'] } });
    expect(await applyInWindow(service.services, target)).toEqual({ started: 0, held: {} });
    await policy(auto);
    expect(await applyInWindow(service.services, target)).toEqual({ started: 1, held: {} });
    await service.services.background.idle();
    expect((await service.ask('GET', path)).body.state).toBe('verifying');
    expect((await service.ask('GET', byPerson)).body.state).toBe('approved');
  });
});

it("a database's setting: approved, applied, told and written; a policy for roles' settings does not approve it", async () => {
  const [{ database } = { database: '' }] = (await client.query('SELECT current_database() AS database'))
    .rows;
  const change: Change = {
    kind: 'database.setting',
    database,
    name: 'work_mem',
    value: '9MB',
    current_value: '4MB',
    previous: null,
  };
  const path = await propose('of_database', change);
  const target = { id: targetId };
  await policy({ mode: 'auto', auto: { kinds: ['role.setting', 'setting'] }, production: false });
  expect(await applyInWindow(service.services, target)).toMatchObject({ started: 0 });
  expect((await service.ask('GET', path)).body.state).toBe('open');
  await policy({});
  expect((await service.ask('POST', `${path}/approve`, hashOf(change))).status).toBe(200);
  const begun = await service.ask('POST', `${path}/apply`);
  expect(begun.status, JSON.stringify(begun.body)).toBe(202);
  expect(await ended(begun.body.id)).toMatchObject({ outcome: { outcome: 'applied' } });
  expect((await service.ask('GET', path)).body).toMatchObject({
    kind: 'database.setting',
    state: 'verifying',
  });
  const fresh = new pg.Client({ connectionString: dsn });
  await fresh.connect();
  expect((await fresh.query('SHOW work_mem')).rows).toEqual([{ work_mem: '9MB' }]);
  await fresh.end();
  await client.query(`ALTER DATABASE ${quoteIdentifier(database)} RESET work_mem`);
});

describe('stopping', () => {
  /** A build that waits for an old snapshot. */
  async function begun(id: string, name: string) {
    const path = await approved(id, index(name, 'note'));
    const apply = await service.ask('POST', `${path}/apply`);
    expect(apply.status, JSON.stringify(apply.body)).toBe(202);
    // After the preflight, which would name it; long before the build's last phase, which waits for it.
    await oldSnapshot();
    for (let tries = 0; tries < 100; tries += 1) {
      const { body } = await service.ask('GET', `${base}/applies/${apply.body.id}`);
      const progress = body.progress as { blockers?: unknown[] } | null;
      if (progress?.blockers?.length) return { path, apply };
      await sleep(100);
    }
    throw new Error('the build never waited');
  }
  async function oldSnapshot() {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT count(*) FROM other');
  }
  const left = async (name: string) =>
    (await client.query('SELECT FROM pg_class WHERE relname = $1', [name])).rows.length;

  it('an apply: the statement is cancelled, nothing is left, others may go on', async () => {
    await policy({ max_applies_per_server: 1 });
    const { path, apply } = await begun('cancel', 'items_cancel');
    const stream = service.stream(`${base}/applies/${apply.body.id}/events`);
    const beside = await approved('beside', analyze);
    expect((await service.ask('POST', `${beside}/apply`)).body).toMatchObject({ code: 'server_busy' });
    const cancelled = await service.ask(
      'POST',
      `${base}/applies/${apply.body.id}/cancel`,
      undefined,
      as('bert'),
    );
    expect(cancelled).toMatchObject({ status: 202, body: { cancel_requested_by: 'bert' } });
    const end = await ended(apply.body.id);
    expect(end).toMatchObject({
      state: 'failed',
      outcome: { code: 'cancelled', message: expect.stringContaining('bert cancelled it.') },
    });
    expect((await stream).split('event: apply').length).toBeGreaterThan(2);
    await client.query('ROLLBACK');
    expect(await left('items_cancel')).toBe(0);
    expect((await service.ask('GET', path)).body.state).toBe('failed');
    expect((await service.ask('POST', `${base}/applies/${apply.body.id}/cancel`)).status).toBe(409);
    expect((await service.ask('POST', `${beside}/revoke-approval`)).status).toBe(200);
  });

  it('everything: what runs ends, nothing begins until the stop is lifted', async () => {
    const { apply } = await begun('stop', 'items_stop');
    const stop = await service.ask('POST', '/v1/apply-stop', { reason: 'incident 7' }, as('bert'));
    expect(stop.body).toMatchObject({ scope: '*', because: 'incident 7', stopped_by: 'bert' });
    expect(await ended(apply.body.id)).toMatchObject({ state: 'failed', outcome: { code: 'cancelled' } });
    await client.query('ROLLBACK');
    expect(await left('items_stop')).toBe(0);
    const path = await approved('stopped', analyze);
    expect((await service.ask('POST', `${path}/apply`)).body).toMatchObject({ code: 'apply_stopped' });
    expect((await service.ask('GET', '/v1/apply-stops')).body.items).toHaveLength(1);
    expect((await service.ask('DELETE', '/v1/apply-stop')).status).toBe(204);
    expect((await service.ask('DELETE', '/v1/apply-stop')).status).toBe(404);
    expect((await service.ask('POST', `${base}/apply-stop`, { reason: 'only here' })).status).toBe(200);
    expect((await service.ask('POST', `${path}/apply`)).body).toMatchObject({ code: 'apply_stopped' });
    expect((await service.ask('DELETE', `${base}/apply-stop`)).status).toBe(204);
    expect((await service.ask('POST', `${path}/apply`)).status).toBe(202);
  });

  it('advice for a while', async () => {
    const path = await propose('snooze', analyze);
    const past = await service.ask('POST', `${path}/snooze`, { until: '2020-01-01T00:00:00Z' });
    expect(past.body).toMatchObject({ status: 422, code: 'snooze_invalid' });
    const until = new Date(Date.now() + 86_400_000).toISOString();
    expect((await service.ask('POST', `${path}/snooze`, { until })).body).toMatchObject({
      state: 'snoozed',
      snoozed_until: until,
    });
    expect((await service.ask('POST', `${path}/approve`, hashOf(analyze))).status).toBe(409);
    expect((await service.ask('POST', `${path}/dismiss`, { reason: 'no' })).body.state).toBe('dismissed');
  });
});
