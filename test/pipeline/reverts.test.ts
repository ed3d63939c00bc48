import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BY_HAND_ACTOR,
  type Change,
  quoteIdentifier,
  quoteLiteral,
  type Verdict,
} from '../../src/domain/index.ts';
import { applyInWindow, collectTarget, verifyAllApplied, verifyApplied } from '../../src/pipeline/index.ts';
import { revertChange } from '../../src/pipeline/revert-change.ts';
import { btree } from '../support/definitions.ts';
import { type Advised, advised } from './advised.ts';

const table = (name: string) => `CREATE TABLE ${name} (id int NOT NULL, owner int, note text);
INSERT INTO ${name} SELECT g, g % 5000, 'x' FROM generate_series(1, 100000) AS g;
CREATE UNIQUE INDEX ${name}_idx ON ${name} (owner DESC, id) INCLUDE (note) NULLS NOT DISTINCT
  WITH (fillfactor = 80) WHERE id > 0;
ANALYZE ${name};`;

/** Windows after a change, of `CALLS_AFTER` each, until its verdict stands. */
const MOST_PARTS = 10;
/** A call takes 0.02 ms: of so many, one that a busy machine holds for half a second does not hide the rest. */
const CALLS_BEFORE = 4_000;
/** Without the index each takes milliseconds. */
const CALLS_AFTER = 60;

describe.each([15, 18])('a change that did harm, on PostgreSQL %i', (major) => {
  let at: Advised;
  beforeAll(async () => {
    at = await advised(
      major,
      `CREATE EXTENSION pg_stat_statements; ${table('first')} ${table('second')} ${table('third')}`,
    );
  });
  afterAll(() => at?.close());
  const policy = (body: Record<string, unknown>, headers?: Record<string, string>) =>
    at.service.ask('PUT', `${at.base}/apply-policy`, body, headers);
  const definitionOf = (name: string) => at.value(`SELECT pg_get_indexdef('${name}_idx'::regclass)`);

  /** The statement that lives of the index, which finds twenty rows. */
  async function ask(name: string, calls: number) {
    for (let call = 0; call < calls; call += 1) {
      await at.client.query(`SELECT note FROM ${name} WHERE owner = $1 AND id > 0`, [call % 5000]);
    }
  }

  /** Drops the index, and measures what that did. */
  async function regress(name: string) {
    const { services } = at.service;
    const look = () => collectTarget(services, at.targetId);
    const change: Change = {
      kind: 'index.drop',
      schema: 'public',
      table: name,
      name: `${name}_idx`,
      definition: String(await definitionOf(name)),
    };
    await look();
    await ask(name, CALLS_BEFORE);
    const apply = await at.applyNow(await at.propose(`drop_${name}`, change));
    // On a machine that does much else, more calls may be wanted until the difference is beyond doubt.
    for (let part = 1; ; part += 1) {
      await ask(name, CALLS_AFTER);
      await look();
      const { verdict } = await verifyApplied(services, at.targetId, String(apply.id));
      const seen = verdict as unknown as Verdict;
      if (seen.verdict !== 'inconclusive' || part === MOST_PARTS) return { change, apply, verdict: seen };
    }
  }

  it('is proposed back with the figures, and brings the exact index when a person applies it', async () => {
    const before = await definitionOf('first');
    const { change, apply, verdict } = await regress('first');
    expect(verdict).toMatchObject({
      verdict: 'regressed',
      revert: [expect.stringContaining('CREATE UNIQUE')],
    });
    const [id] = verdict.revert_recommendation_ids ?? [];
    const path = `${at.base}/recommendations/${id}`;
    const { body } = await at.service.ask('GET', path);
    expect(body).toMatchObject({
      state: 'open',
      kind: 'index.create',
      rule: 'apply/revert',
      severity: 'high',
      reverts: { apply_id: apply.id, recommendation_id: 'drop_first' },
      statements: [String(before).replace('INDEX', 'INDEX CONCURRENTLY')],
    });
    const [slower] = verdict.statements;
    expect(body.evidence).toContainEqual(
      expect.objectContaining({ value: slower?.ratio, unit: 'ratio', level: 'measured' }),
    );
    const audit = await at.service.services.store.audit.list({ limit: 5, subject_id: String(id) });
    expect(audit).toMatchObject([{ action: 'recommendation.propose_revert', actor: 'verification' }]);
    // Without the target's consent nobody but a person takes it back.
    await policy({ production: false });
    expect(await applyInWindow(at.service.services, { id: at.targetId })).toEqual({ started: 0, held: {} });
    expect(await at.stateOf('drop_first')).toBe('failed');

    const back = await at.applyNow(path);
    expect(back).toMatchObject({ state: 'verifying', outcome: { outcome: 'applied' } });
    expect(await definitionOf('first')).toBe(before);
    expect(await at.stateOf('drop_first')).toBe('dismissed');
    // The next night's analysis sees the index again, and must not begin the circle anew.
    await at.propose('drop_first', change);
    expect(await at.stateOf('drop_first')).toBe('dismissed');
  }, 60_000);

  it('verdicts of several that judge at once: each change has one, and none of them fails', async () => {
    const { services } = at.service;
    await collectTarget(services, at.targetId);
    const ids = ['log_temp_files', 'log_lock_waits', 'log_checkpoints'].map((name) => `judged_${name}`);
    for (const id of ids) {
      const { rows } = await at.client.query('SELECT setting FROM pg_settings WHERE name = $1', [
        id.slice(7),
      ]);
      const now = rows[0].setting === 'on' ? 'off' : rows[0].setting === 'off' ? 'on' : '20480';
      const change: Change = {
        kind: 'setting',
        name: id.slice(7),
        value: now,
        current_value: rows[0].setting,
        context: id.endsWith('checkpoints') ? 'sighup' : 'superuser',
      };
      expect(await at.applyNow(await at.propose(id, change))).toMatchObject({
        outcome: { outcome: 'applied' },
      });
    }
    await collectTarget(services, at.targetId);
    const judges = Array.from({ length: 6 }, () => verifyAllApplied(services, at.targetId));
    await expect(Promise.all(judges)).resolves.toHaveLength(6);
    for (const id of ids) expect(await at.stateOf(id)).toBe('succeeded');
    for (const id of ids) await at.client.query(`ALTER SYSTEM RESET ${id.slice(7)}`);
    await at.client.query('SELECT pg_reload_conf()');
  });

  it('is taken back by a policy that says so: in a window, unless stopped, in production by an admin only', async () => {
    const before = await definitionOf('second');
    const { verdict } = await regress('second');
    const [id] = verdict.revert_recommendation_ids ?? [];
    const run = () => applyInWindow(at.service.services, { id: at.targetId });

    const bert = { authorization: 'Bearer bert' };
    await policy({});
    expect(await policy({ revert: 'perform' }, bert)).toMatchObject({ status: 403 });
    expect((await policy({ revert: 'perform', four_eyes: true })).status).toBe(400);
    // An admin's word for reverts is not yet one for production without a person.
    expect(await policy({ revert: 'perform' })).toMatchObject({ status: 422 });
    expect(await run()).toEqual({ started: 0, held: {} });
    const perform = { revert: 'perform', auto_in_production: true };
    await policy(perform);
    await at.service.ask('POST', `${at.base}/apply-stop`, { reason: 'a test' });
    expect(await at.service.services.store.applyStops.over(at.targetId)).not.toBeNull();
    expect(await run()).toEqual({ started: 0, held: { [String(id)]: 'apply_stopped' } });
    await at.service.ask('DELETE', `${at.base}/apply-stop`);
    const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7];
    const closed = { days: [day], from: '00:00', to: '00:00', time_zone: 'UTC' };
    await policy({ ...perform, windows: [closed] });
    expect(await run()).toEqual({ started: 0, held: { [String(id)]: 'outside_window' } });

    await policy(perform);
    expect(await at.service.services.store.recommendations.isTimeDue(new Date())).toBe(true);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await definitionOf('second')).toBe(before);
    const audit = await at.service.services.store.audit.list({ limit: 9, subject_id: String(id) });
    const steps = audit.map(({ action, actor }) => `${actor} ${action.split('.')[1]}`);
    expect(steps).toEqual([
      'policy applied',
      'policy start_apply',
      'policy approve',
      'verification propose_revert',
    ]);
    expect(await at.stateOf('drop_second')).toBe('dismissed');
    expect(await run()).toEqual({ started: 0, held: {} });
    expect(await at.service.services.store.audit.verify()).toMatchObject({ ok: true });
    await policy({});
  }, 60_000);

  it('by hand is proposed back and never performed; the way back by hand is recognised in turn', async () => {
    const before = String(await definitionOf('third'));
    const { services } = at.service;
    const look = () => collectTarget(services, at.targetId);
    await look();
    await at.propose('drop_third', {
      kind: 'index.drop',
      schema: 'public',
      table: 'third',
      name: 'third_idx',
      definition: before,
    });
    await ask('third', CALLS_BEFORE);
    await look();
    await at.client.query('DROP INDEX third_idx');
    await look();
    for (let part = 0; part < MOST_PARTS && (await at.stateOf('drop_third')) !== 'failed'; part += 1) {
      await ask('third', CALLS_AFTER);
      await look();
      await verifyAllApplied(services, at.targetId);
    }
    const applies = await services.store.applies.list(at.targetId, {});
    expect(applies.find((one) => one.recommendation_id === 'drop_third')?.verdict).toMatchObject({
      verdict: 'regressed',
    });
    expect(await at.stateOf('drop_third')).toBe('failed');
    const { items } = await services.store.recommendations.list(at.targetId, {
      rule: 'apply/revert',
      state: 'open',
      limit: 9,
    });
    expect(items).toMatchObject([{ kind: 'index.create', reverts: { recommendation_id: 'drop_third' } }]);
    await policy({ production: false, revert: 'perform' });
    expect(await applyInWindow(services, { id: at.targetId })).toEqual({ started: 0, held: {} });
    await policy({});
    // Almost: NULLs are distinct in it.
    await at.client.query(before.replace(' NULLS NOT DISTINCT', '').replace('third_idx', 'almost'));
    await look();
    await verifyAllApplied(services, at.targetId);
    expect(await at.stateOf(String(items[0]?.id))).toBe('open');
    await at.client.query(before.replace('third_idx', 'again'));
    await look();
    await verifyAllApplied(services, at.targetId);
    expect(await at.stateOf(String(items[0]?.id))).toBe('verifying');
    expect(await at.stateOf('drop_third')).toBe('dismissed');
  }, 60_000);

  const setting = (value: string, current_value: string): Change => ({
    kind: 'setting',
    name: 'geqo_threshold',
    value,
    current_value,
    context: 'user',
  });
  const role = (value: string, previous: string | null): Change => ({
    kind: 'role.setting',
    role: 'reverted_role',
    name: 'work_mem',
    value,
    current_value: previous ?? '4MB',
    previous,
  });
  const entry = `SELECT setting FROM pg_file_settings WHERE name = 'geqo_threshold'`;
  const ofRole = `SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole
    WHERE rolname = 'reverted_role'`;
  const options = `SELECT array_to_string(reloptions, ',') FROM pg_class WHERE relname = 'first'`;
  it.each<[string, string, string, Change]>([
    ['a setting without an entry', 'ALTER SYSTEM RESET geqo_threshold', entry, setting('14', '12')],
    ['a setting with one', 'ALTER SYSTEM SET geqo_threshold = 13', entry, setting('15', '13')],
    ["a role's first setting", 'ALTER ROLE reverted_role RESET work_mem', ofRole, role('8MB', null)],
    ["a role's other value", "ALTER ROLE reverted_role SET work_mem = '6MB'", ofRole, role('8MB', '6MB')],
    [
      'storage parameters',
      'ALTER TABLE first SET (fillfactor = 95)',
      options,
      {
        kind: 'table.reloptions',
        schema: 'public',
        table: 'first',
        set: { autovacuum_vacuum_scale_factor: '0.05', fillfactor: '90' },
        previous: { autovacuum_vacuum_scale_factor: null, fillfactor: '95' },
      },
    ],
    [
      'a new index',
      'DROP INDEX IF EXISTS first_new',
      "SELECT pg_get_indexdef(to_regclass('first_new'))",
      { kind: 'index.create', index: btree('first', ['note'], { name: 'first_new' }) },
    ],
  ])('%s comes back to exactly what was there', comesBack);

  it.each<[string, string | null, string | null]>([
    ['nothing for the database', null, null],
    ["a database's value", null, '6MB'],
    ['nothing for a role in the database', 'reverted_role', null],
    ["a role's value in the database", 'reverted_role', '6MB'],
  ])('%s comes back to exactly what was there', async (name, role, previous) => {
    const database = String(await at.value('SELECT current_database()'));
    const scope = role === null ? '' : `ROLE ${role} IN `;
    const change: Change = {
      ...(role === null
        ? { kind: 'database.setting' as const }
        : { kind: 'role.database.setting' as const, role }),
      database,
      name: 'work_mem',
      value: '8MB',
      current_value: previous ?? '4MB',
      previous,
    };
    await comesBack(
      name,
      `ALTER ${scope}DATABASE ${quoteIdentifier(database)} ${previous === null ? 'RESET work_mem' : `SET work_mem = '${previous}'`}`,
      `SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
       WHERE datname = current_database() AND setrole = coalesce(to_regrole(${role === null ? 'NULL' : quoteLiteral(role)})::oid, 0)`,
      change,
    );
  });

  async function comesBack(name: string, prepare: string, look: string, change: Change) {
    await at.client.query(
      'DO $$ BEGIN CREATE ROLE reverted_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$',
    );
    await at.client.query(prepare);
    await at.client.query('SELECT pg_reload_conf()');
    if (look === entry) {
      await expect.poll(() => at.value('SHOW geqo_threshold')).toBe(prepare.includes('= 13') ? '13' : '12');
    }
    const before = await at.value(look);
    const id = name.replaceAll(/\W/g, '');
    const apply = await at.applyNow(await at.propose(id, change));
    expect(apply).toMatchObject({ outcome: { outcome: 'applied' } });
    expect(await at.value(look)).not.toBe(before);
    const { snapshots } = at.service.services.store;
    const [back, ...others] = await revertChange(change, {
      facts: (apply.outcome as { facts: Record<string, unknown> }).facts,
      before: await snapshots.get(at.targetId, String(apply.before_snapshot_id)),
      after: await snapshots.get(at.targetId, String(apply.after_snapshot_id)),
    });
    expect(others).toEqual([]);
    if (!back) throw new Error('nothing takes it back');
    expect(await at.applyNow(await at.propose(`${id}back`, back.change))).toMatchObject({
      actor: expect.not.stringContaining(BY_HAND_ACTOR),
      outcome: { outcome: 'applied' },
    });
    expect(await at.value(look)).toBe(before);
  }
});

it('a change that the first snapshot of all began with has nothing to be compared with, which ends it', async () => {
  const at = await advised(18, 'CREATE TABLE a (b int)');
  const change: Change = { kind: 'analyze', schema: 'public', table: 'a' };
  const first = await at.applyNow(await at.propose('first', change));
  await collectTarget(at.service.services, at.targetId);
  expect(await verifyAllApplied(at.service.services, at.targetId)).toEqual({ judged: 1 });
  expect(await at.stateOf('first')).toBe('inconclusive');
  const { body } = await at.service.ask('GET', `${at.base}/applies/${first.id}`);
  expect(body.verdict).toMatchObject({
    verdict: 'inconclusive',
    reason: expect.stringContaining('nothing to compare with') as string,
  });
  await at.close();
});
