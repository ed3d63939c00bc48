/** A maintenance window that closes while a change runs: no statement of it begins outside, and it goes on in the next. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isSight } from '../../src/apply/build-witness.ts';
import type { Change, JournalEntry, Recommendation } from '../../src/domain/index.ts';
import { applyInWindow, recoverApplies } from '../../src/pipeline/index.ts';
import { until } from '../apply/target.ts';
import { type Advised, advised } from './advised.ts';

const SCHEMA = `CREATE EXTENSION pg_stat_statements;
CREATE TABLE event (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
INSERT INTO event SELECT i, date '2021-01-01' + i % 1095 FROM generate_series(1, 3285) AS i;
CREATE TABLE pair (a int, b int);
INSERT INTO pair SELECT i % 10, i % 10 FROM generate_series(1, 1000) AS i;
CREATE TABLE one (id int);
CREATE TABLE two (id int)`;

/** 22:00 to 23:00 UTC, each day. */
const night = {
  days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
  from: '22:00',
  to: '23:00',
  time_zone: 'UTC',
};

describe.each([15, 18])('a window that closes, PostgreSQL %i', (major) => {
  let at: Advised;
  let clock: Date;
  /** Called before a statement is sent, when its row is in the journal. */
  let sending: (sql: string) => void = () => {};
  beforeAll(async () => {
    at = await advised(major, SCHEMA);
    const { services } = at.service;
    services.now = () => clock;
    const { journal } = services.store.applies;
    services.store.applies.journal = (...of) => {
      const given = journal(...of);
      return {
        ...given,
        intend: async (entry) => {
          sending(entry.sql);
          return given.intend(entry);
        },
      };
    };
    await policy({ windows: [night] });
  });
  afterAll(() => at.close());
  afterEach(async () => {
    sending = () => {};
    await at.service.services.background.idle();
    await policy({ windows: [night] });
  });

  const time = (day: number, hours: number, minutes = 0) => new Date(Date.UTC(2030, 0, day, hours, minutes));
  const closesDuring = (part: string, to = time(1, 23, 1)) => {
    sending = (sql) => {
      if (sql.startsWith(part)) clock = to;
    };
  };
  const policy = (body: Record<string, unknown>) => at.service.ask('PUT', `${at.base}/apply-policy`, body);
  const run = () => applyInWindow(at.service.services, { id: at.targetId });
  const applies = async () =>
    (await at.service.ask('GET', `${at.base}/applies`)).body.items as Record<string, unknown>[];
  const journalOf = async (id: unknown) =>
    (await at.service.ask('GET', `${at.base}/applies/${id}`)).body.journal as JournalEntry[];
  const sqlOf = async (id: unknown) =>
    (await journalOf(id)).filter((entry) => !isSight(entry)).map(({ sql }) => sql);
  const recover = async () => {
    await recoverApplies(at.service.services, 0);
    await at.service.services.background.idle();
  };
  const seconds = (build_seconds: number): Partial<Recommendation> => ({
    estimate: { cost_before: null, cost_after: null, size_bytes: 1000, write_overhead: null, build_seconds },
  });

  const tree = (name: string): Change => ({
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'event',
      name,
      method: 'btree',
      unique: false,
      keys: [
        { column: 'at', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null },
      ],
      include: [],
      where: name === 'event_at' ? null : `id > ${name.length}`,
      options: {},
    },
    partitions: [1, 2, 3].map((n) => ({
      schema: 'public',
      table: `event_${n}`,
      name: `${name}_${n}`,
      parent_schema: 'public',
      parent_name: name,
      leaf: true,
    })),
  });
  const isValid = (name: string) =>
    at.value(`SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('${name}')`);

  it('a tree: the leaf that is being built is finished, the next begins in the next window', async () => {
    clock = time(1, 22, 50);
    closesDuring('CREATE INDEX CONCURRENTLY event_at_1 ');
    const path = await at.propose('tree', tree('event_at'));
    const first = await at.applyNow(path);
    expect(first).toMatchObject({
      state: 'failed',
      outcome: {
        code: 'window_closed',
        message: expect.stringContaining('It goes on from there in the next window.'),
        facts: { leaves_built: 1, statements_missing: 5 },
      },
    });
    expect(String((first.outcome as { message: string }).message)).toContain('2030-01-02T22:00');
    expect(await sqlOf(first.id)).toHaveLength(2);
    expect(await at.stateOf('tree')).toBe('scheduled');
    const [entry] = await at.service.services.store.audit.list({ limit: 1, subject_id: 'tree' });
    expect(entry?.action).toBe('recommendation.window_closed');
    expect(await run()).toEqual({ started: 0, held: { tree: 'outside_window' } });

    clock = time(2, 22, 1);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await at.stateOf('tree')).toBe('verifying');
    expect(await isValid('event_at')).toBe(true);
    const [second] = await applies();
    const all = [...(await sqlOf(first.id)), ...(await sqlOf(second?.id))];
    expect(all).toEqual((first.plan as { statements: string[] }).statements);
  });

  it('a tree: no leaf begins that takes longer than what is left; one that never fits is refused', async () => {
    clock = time(3, 22, 10);
    // A leaf takes 25 minutes.
    const path = await at.propose('fits', tree('event_fits'), seconds(75 * 60));
    closesDuring('CREATE INDEX CONCURRENTLY event_fits_1 ', time(3, 22, 40));
    const first = await at.applyNow(path);
    expect(first).toMatchObject({
      outcome: {
        code: 'window_closed',
        message: expect.stringContaining('It takes an estimated 25 minutes; the window closes in 20.'),
        facts: { leaves_built: 1 },
      },
    });
    expect(await run()).toEqual({ started: 0, held: { fits: 'window_too_short' } });
    const { body } = await at.service.ask('GET', `${path}/plan`);
    expect(body).toMatchObject({ would_start: false, refusals: [{ code: 'window_too_short' }] });
    sending = () => {};
    clock = time(4, 22);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await isValid('event_fits')).toBe(true);

    const never = await at.propose('never', tree('event_never'), seconds(200 * 60));
    const refused = (await at.service.ask('GET', `${never}/plan`)).body.refusals as { message: string }[];
    expect(refused[0]?.message).toContain('the longest lasts 60');
  });

  it('a tree that a crash interrupted: recovered outside, it waits for the next window', async () => {
    clock = time(5, 22);
    sending = (sql) => {
      if (sql.startsWith('CREATE INDEX CONCURRENTLY event_crash_2 '))
        throw new Error('the process dies here');
    };
    const path = await at.propose('crash', tree('event_crash'));
    expect(await at.applyNow(path)).toMatchObject({ state: 'running' });
    sending = () => {};
    clock = time(5, 23);
    await recover();
    const [left] = await applies();
    expect(left).toMatchObject({
      state: 'failed',
      outcome: { code: 'window_closed', facts: { leaves_built: 1 } },
    });
    expect(await at.stateOf('crash')).toBe('scheduled');
    clock = time(6, 22);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await isValid('event_crash')).toBe(true);
  });

  it('a tree that the policy began: its limits are looked at anew', async () => {
    const auto = { kinds: ['index.create'], max_changes_per_day: 1 };
    const on = { production: false, mode: 'auto', auto, windows: [night] };
    await at.propose('auto', tree('event_by_policy'), { severity: 'critical' });
    await policy(on);
    clock = new Date();
    clock.setUTCHours(22, 0, 0, 0);
    const closed = new Date(clock);
    closed.setUTCHours(23);
    closesDuring('CREATE INDEX CONCURRENTLY event_by_policy_1 ', closed);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await at.stateOf('auto')).toBe('approved');
    sending = () => {};
    clock = new Date(closed.getTime() + 23 * 3_600_000);
    await policy({ ...on, auto: { ...auto, kinds: ['vacuum'] } });
    expect(await run()).toEqual({ started: 0, held: {} });
    await policy(on);
    expect(await run()).toEqual({ started: 1, held: {} });
    await at.service.services.background.idle();
    expect(await isValid('event_by_policy')).toBe(true);
  });

  it('before the first statement: nothing is sent, and it waits for the next window', async () => {
    clock = time(7, 22);
    const { create } = at.service.services.store.applies;
    at.service.services.store.applies.create = async (...given) => {
      const made = await create(...given);
      clock = time(7, 23);
      return made;
    };
    const path = await at.propose('single', {
      kind: 'vacuum',
      schema: 'public',
      table: 'one',
      freeze: false,
      analyze: false,
    });
    const apply = await at.applyNow(path);
    at.service.services.store.applies.create = create;
    expect(apply).toMatchObject({ state: 'failed', outcome: { code: 'window_closed' } });
    expect((await sqlOf(apply.id)).filter((sql) => sql.startsWith('VACUUM'))).toEqual([]);
    expect(await at.stateOf('single')).toBe('scheduled');
    clock = time(8, 22);
    expect(await run()).toEqual({ started: 1, held: {} });
  });

  it.each([
    [
      'statistics',
      {
        kind: 'statistics.create',
        schema: 'public',
        table: 'pair',
        name: 'pair_stats',
        columns: ['a', 'b'],
        kinds: ['dependencies'],
      },
      'CREATE STATISTICS',
    ],
    [
      'parameters of two tables',
      {
        kind: 'table.reloptions',
        schema: 'public',
        table: 'one',
        set: { fillfactor: '90' },
        previous: { fillfactor: null },
        others: [{ schema: 'public', table: 'two', previous: { fillfactor: null } }],
      },
      'ALTER TABLE public.one ',
    ],
  ] as [string, Change, string][])(
    '%s: the second statement waits, and is sent in the next window',
    async (id, change, first) => {
      clock = time(9, 22);
      closesDuring(first, time(9, 23));
      const path = await at.propose(id.slice(0, 10), change);
      const apply = await at.applyNow(path);
      expect(apply.state).toBe('running');
      await until(async () =>
        /^1 of 2 statements are done; the rest waits: No maintenance/.test(
          String(((await applies())[0]?.progress as { phase?: string } | null)?.phase),
        ),
      );
      await recover();
      expect((await applies())[0]).toMatchObject({ state: 'running' });
      expect(await sqlOf(apply.id)).toHaveLength(1);
      clock = time(10, 22);
      await recover();
      expect((await applies())[0]).toMatchObject({ id: apply.id, state: 'verifying' });
      expect(await sqlOf(apply.id)).toEqual((apply.plan as { statements: string[] }).statements);
    },
  );

  it('what waits for its second statement is cancelled by a person, and says what was done', async () => {
    clock = time(11, 22);
    closesDuring('CREATE STATISTICS', time(11, 23));
    const path = await at.propose('called off', {
      kind: 'statistics.create',
      schema: 'public',
      table: 'pair',
      name: 'pair_off',
      columns: ['a', 'b'],
      kinds: ['mcv'],
    });
    const { id } = await at.applyNow(path);
    expect((await at.service.ask('POST', `${at.base}/applies/${id}/cancel`)).status).toBe(202);
    // Also where the window is open again by then.
    clock = time(12, 22);
    await recover();
    expect((await applies())[0]).toMatchObject({
      state: 'needs_attention',
      outcome: { code: 'partly_applied', facts: { because: 'cancelled' } },
    });
    expect(await sqlOf(id)).toHaveLength(1);
  });

  it('a batch of settings: none is written, all wait for the next window', async () => {
    clock = time(13, 22);
    const names = ['autovacuum_freeze_max_age', 'autovacuum_multixact_freeze_max_age'];
    for (const name of names) {
      const before = String(await at.value(`SELECT setting FROM pg_settings WHERE name = '${name}'`));
      const path = await at.propose(name, {
        kind: 'setting',
        name,
        value: String(Number(before) + 3),

        current_value: before,
        context: 'postmaster',
      });
      const { body } = await at.service.ask('GET', path);
      await at.service.ask('POST', `${path}/approve`, { plan_hash: body.plan_hash });
    }
    const { body: batch } = await at.service.ask('GET', `${at.base}/restart-batch`);
    const { create } = at.service.services.store.restartBatches;
    at.service.services.store.restartBatches.create = async (...given) => {
      const made = await create(...given);
      clock = time(13, 23);
      return made;
    };
    const begun = await at.service.ask('POST', `${at.base}/restart-batch/apply`, {
      batch_hash: batch.batch_hash,
    });
    at.service.services.store.restartBatches.create = create;
    expect(begun.status, JSON.stringify(begun.body)).toBe(202);
    await at.service.services.background.idle();
    for (const name of names) {
      expect(await at.stateOf(name)).toBe('scheduled');
      expect(
        await at.value(
          `SELECT count(*)::int FROM pg_file_settings WHERE name = '${name}' AND sourcefile ~ 'auto.conf'`,
        ),
      ).toBe(0);
      await at.service.ask('POST', `${at.base}/recommendations/${name}/dismiss`, {
        reason: 'the end of this test',
      });
    }
  });

  it('a policy that becomes dry_run while a change runs stops it before its next statement', async () => {
    clock = time(14, 22);
    const { applyPolicies } = at.service.services.store;
    const { get } = applyPolicies;
    let dry = false;
    // What another replica writes is read before each statement.
    sending = (sql) => {
      if (sql.startsWith('CREATE INDEX CONCURRENTLY event_dry_1 ')) dry = true;
    };
    applyPolicies.get = async (id) => ({ ...(await get(id)), ...(dry ? { mode: 'dry_run' } : {}) });
    const apply = await at.applyNow(await at.propose('dry', tree('event_dry')));
    applyPolicies.get = get;
    expect(apply).toMatchObject({
      state: 'needs_attention',
      outcome: { code: 'partly_built', facts: { because: 'policy_dry_run', leaves_built: 1 } },
    });
  });
});
