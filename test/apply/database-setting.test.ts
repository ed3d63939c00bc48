/** ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET on servers: rights, refusals, masks, waits, the way back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { asOwner, buildPlan, executePlan } from '../../src/apply/index.ts';
import {
  type ApplyOutcome,
  alterScopeStatement,
  type Change,
  quoteIdentifier,
} from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { tcpFront } from '../target/tcp-front.ts';
import { newJournal } from './journal.ts';
import { apply, applyServer, client, driftCodes, newApplyId, rows } from './target.ts';

type OfDatabase = Extract<Change, { kind: 'database.setting' }>;

// The parameter's own right came in 15, SET ROLE without inheritance in 16.
it('an empty list of libraries, which would let nobody in, is never written', () => {
  const scope = { role: null, database: 'd' };
  expect(() => alterScopeStatement(scope, 'session_preload_libraries', '')).toThrow(/empty list/);
});

describe.each([15, 16, 18])('PostgreSQL %i', (major) => {
  let admin: string;
  let dsn: string;
  const database = `My "D'B" ${process.pid} ${major}`;
  const names = { owner: `db owner ${major}`, applier: `db_applier_${major}`, reader: `db reader ${major}` };
  const quoted = quoteIdentifier(database);
  const owner = quoteIdentifier(names.owner);

  beforeAll(async () => {
    admin = (await applyServer(major)).dsn('postgres');
    await rows(
      admin,
      `CREATE ROLE ${owner}; CREATE ROLE ${names.applier} LOGIN; CREATE ROLE ${quoteIdentifier(names.reader)} LOGIN`,
    );
    await rows(admin, `CREATE DATABASE ${quoted} OWNER ${owner}`);
    const url = new URL(admin);
    url.pathname = `/${encodeURIComponent(database)}`;
    dsn = url.href;
  });
  let other: Awaited<ReturnType<typeof client>> | null = null;
  // What a test leaves would hold up the next.
  afterEach(async () => {
    await other?.end();
    other = null;
    await rows(dsn, `ALTER DATABASE ${quoted} RESET ALL`);
  });
  afterAll(async () => {
    await rows(admin, `DROP DATABASE IF EXISTS ${quoted}`);
    if (major >= 15) await rows(admin, `REVOKE ALL ON PARAMETER log_temp_files FROM ${owner}`);
    await rows(admin, `DROP ROLE ${names.applier}, ${owner}, ${quoteIdentifier(names.reader)}`);
  });

  const change = (parts: Partial<OfDatabase> = {}): OfDatabase => ({
    kind: 'database.setting',
    database,
    name: 'work_mem',
    value: '64MB',
    current_value: '4MB',
    previous: null,
    ...parts,
  });
  const config = async (role: string | null = null) => {
    const [row] = await rows<{ config: string[] }>(
      dsn,
      `SELECT setconfig AS config FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
       WHERE datname = $1 AND setrole = coalesce((SELECT oid FROM pg_roles WHERE rolname = $2), 0)`,
      [database, role],
    );
    return row?.config ?? null;
  };
  /** The server is shared: other tests' roles may have values of their own. */
  const masks = ({ facts }: ApplyOutcome) =>
    (facts.overridden_for as { role: string }[]).filter(({ role }) => Object.values(names).includes(role));
  /** Until it is our session that waits for a lock: the server is shared, and in other databases others wait. */
  const oursWaits = () =>
    expect
      .poll(() =>
        rows(
          dsn,
          "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        ),
      )
      .toHaveLength(1);
  const as = (user: string) => {
    const url = new URL(dsn);
    url.searchParams.set('user', user);
    return url.href;
  };

  it('is done for new sessions, found done, and taken back to what there was, also to nothing', async () => {
    expect(await driftCodes(dsn, change())).toEqual([]);
    const { outcome, plan } = await apply(dsn, change());
    expect(outcome).toMatchObject({ outcome: 'applied', facts: { previous: null } });
    expect(masks(outcome)).toEqual([]);
    expect(plan.statements).toEqual([`ALTER DATABASE ${quoted} SET work_mem = '64MB'`]);
    expect(await rows(dsn, 'SHOW work_mem')).toEqual([{ work_mem: '64MB' }]);
    expect(await rows(admin, 'SHOW work_mem')).toEqual([{ work_mem: '4MB' }]);
    expect(await driftCodes(dsn, change({ value: '65536kB' }))).toEqual(['already_applied']);
    const more = await apply(dsn, change({ value: '80MB', previous: '64MB' }));
    expect(more.outcome).toMatchObject({ outcome: 'applied' });
    const reset = change({ value: '4MB', previous: '80MB', reset: true });
    expect((await apply(dsn, reset)).outcome).toMatchObject({ outcome: 'applied' });
    expect(await config()).toBeNull();
    for (const statement of buildPlan(reset).rollback) await rows(dsn, statement);
    expect(await config()).toEqual(['work_mem=80MB']);
    for (const statement of plan.rollback) await rows(dsn, statement);
    expect(await config()).toBeNull();
  });

  it('of a role in the database goes before both, which is said', async () => {
    const role = names.reader;
    const { kind: _, ...parts } = change({ value: '32MB' });
    const both: Change = { kind: 'role.database.setting', role, ...parts };
    const { outcome, plan } = await apply(dsn, both);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    expect(plan.statements).toEqual([
      `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE ${quoted} SET work_mem = '32MB'`,
    ]);
    expect(await config(role)).toEqual(['work_mem=32MB']);
    const whole = await apply(dsn, change());
    expect(masks(whole.outcome)).toEqual([{ role, database, value: '32MB' }]);
    expect(await rows(as(role), 'SHOW work_mem')).toEqual([{ work_mem: '32MB' }]);
    for (const statement of [...whole.plan.rollback, ...plan.rollback]) await rows(dsn, statement);
    expect([await config(), await config(role)]).toEqual([null, null]);
  });

  it.each<[string, Partial<OfDatabase>]>([
    ['setting_not_allowed', { name: 'search_path', value: 'evil' }],
    ['setting_not_allowed', { name: 'shared_buffers', value: '1GB' }],
    ['setting_not_allowed', { name: 'max_wal_size', value: '2GB' }],
    ['other_database', { database: 'postgres' }],
    ['setting_out_of_bounds', { value: '1kB' }],
    ['setting_changed', { previous: '8MB' }],
  ])('is refused for %s', async (code, parts) => {
    expect(await driftCodes(dsn, change(parts))).toEqual([code]);
  });

  it('takes the owner’s role, and for a superuser’s parameter its own right', async () => {
    const login = as(names.applier);
    const logging = change({ name: 'log_temp_files', value: '10MB', current_value: '-1' });
    expect(await driftCodes(login, change())).toEqual(['missing_privilege']);
    await rows(
      admin,
      major < 16
        ? `GRANT ${owner} TO ${names.applier}`
        : `GRANT ${owner} TO ${names.applier} WITH INHERIT FALSE, SET TRUE`,
    );
    expect(await driftCodes(login, change())).toEqual([]);
    expect(await driftCodes(login, logging)).toEqual(['missing_privilege']);
    // Before 16 the login inherits what its owner's role may.
    await rows(admin, `GRANT SET ON PARAMETER log_temp_files TO ${owner}`);
    for (const wanted of [change(), logging]) {
      expect(await driftCodes(login, wanted)).toEqual([]);
      const outcome = await executePlan(buildPlan(wanted), {
        dsn: login,
        apply_id: newApplyId(),
        journal: newJournal(),
        onProgress: () => {},
        openSession: asOwner(openTarget, wanted),
      });
      expect(outcome).toMatchObject({ outcome: 'applied' });
    }
    expect((await config())?.toSorted()).toEqual(['log_temp_files=10MB', 'work_mem=64MB']);
    await rows(dsn, `ALTER DATABASE ${quoted} RESET ALL`);
  });

  it('waits for another’s change of the same row, gives up in time, and goes on where that has ended', async () => {
    other = await client(dsn);
    await other.query(`ALTER DATABASE ${quoted} SET geqo_threshold = 13`);
    await other.query(`BEGIN; ALTER DATABASE ${quoted} SET geqo_threshold = 14`);
    // Nobody who connects waits for it.
    expect(await rows(dsn, 'SHOW geqo_threshold')).toEqual([{ geqo_threshold: '13' }]);
    const run = (lockBudgetMs: number) => {
      const journal = newJournal();
      const outcome = executePlan(buildPlan(change()), {
        dsn,
        apply_id: newApplyId(),
        journal,
        onProgress: () => {},
        openSession: openTarget,
        lockBudgetMs,
      });
      return { outcome, journal };
    };
    expect(await run(50).outcome).toMatchObject({ outcome: 'failed', code: 'lock_timeout' });
    const { outcome, journal } = run(5_000);
    await oursWaits();
    await other.query('COMMIT');
    expect(await outcome).toMatchObject({ outcome: 'applied' });
    // The server refused the first, which did nothing.
    const states = (await journal.entries()).map(({ state, sqlstate }) => [state, sqlstate]);
    expect(states).toEqual([
      ['failed', 'XX000'],
      ['done', null],
    ]);
    expect((await config())?.toSorted()).toEqual(['geqo_threshold=14', 'work_mem=64MB']);
    await rows(dsn, `ALTER DATABASE ${quoted} RESET ALL`);
  });

  const ofRole = `ALTER ROLE ${quoteIdentifier(names.reader)}`;
  const onDatabase = `ALTER DATABASE ${quoted}`;
  it.each<[string, { before: string[]; meanwhile: string; ours: Change; refused: string }]>([
    [
      "the database's first setting is made",
      {
        before: [],
        meanwhile: `${onDatabase} SET geqo_effort = 6`,
        ours: change(),
        refused: '23505',
      },
    ],
    [
      "the role's row is changed",
      {
        before: [`${ofRole} SET geqo_effort = 5`],
        meanwhile: `${ofRole} SET geqo_effort = 6`,
        ours: { ...change(), kind: 'role.setting', role: names.reader },
        refused: 'XX000',
      },
    ],
    [
      'the row is deleted',
      {
        before: [`${onDatabase} SET geqo_effort = 5`],
        meanwhile: `${onDatabase} RESET geqo_effort`,
        ours: change(),
        refused: 'XX000',
      },
    ],
    [
      'the row that ours would delete is changed',
      {
        before: [`${onDatabase} SET work_mem = '8MB'`],
        meanwhile: `${onDatabase} SET geqo_effort = 6`,
        ours: change({ previous: '8MB', value: '4MB', reset: true }),
        refused: 'XX000',
      },
    ],
  ])('two sessions at once: %s, and ours is sent again', async (_, { before, meanwhile, ours, refused }) => {
    other = await client(dsn);
    for (const statement of before) await other.query(statement);
    await other.query(`BEGIN; ${meanwhile}`);
    const journal = newJournal();
    const outcome = executePlan(buildPlan(ours), {
      dsn,
      apply_id: newApplyId(),
      journal,
      onProgress: () => {},
      openSession: openTarget,
    });
    await oursWaits();
    await other.query('COMMIT');
    expect(await outcome).toMatchObject({ outcome: 'applied' });
    const states = (await journal.entries()).map(({ state, sqlstate }) => [state, sqlstate]);
    expect(states).toEqual([
      ['failed', refused],
      ['done', null],
    ]);
    await rows(dsn, `${ofRole} RESET ALL`);
  });

  it('a setting that somebody else has set meanwhile is not written over', async () => {
    other = await client(dsn);
    await other.query(`${onDatabase} SET geqo_effort = 5`);
    await other.query(`BEGIN; ${onDatabase} SET work_mem = '16MB'`);
    const running = apply(dsn, change());
    await oursWaits();
    await other.query('COMMIT');
    const { outcome, journal } = await running;
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'setting_changed' });
    expect(await journal.entries()).toHaveLength(1);
    expect(await config()).toEqual(['geqo_effort=5', 'work_mem=16MB']);
  });

  it('another internal error is not taken for that: it is sent once', async () => {
    // As poolers refuse a statement, with the same SQLSTATE, and a text that says what contention says.
    const front = await tcpFront(dsn, {
      refuses: { text: 'ALTER DATABASE', sqlstate: 'XX000', message: 'tuple concurrently updated' },
    });
    const { outcome, journal } = await apply(front.dsn, change());
    await front.close();
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'statement_failed' });
    expect((await journal.entries()).map(({ state, sqlstate }) => [state, sqlstate])).toEqual([
      ['failed', 'XX000'],
    ]);
    expect(await config()).toBeNull();
  });

  it.each([
    ['search_path', '"$user", public, "Odd ""Schema, x"'],
    ['search_path', '""'],
    ['temp_tablespaces', 'pg_default, "pg_default"'],
    ['my app.a Key', "it's = a \\ value"],
    ['app.empty', ''],
    ['DateStyle', 'ISO, DMY'],
    ['work_mem', '7MB'],
  ])('writes %s = %s so that the catalog keeps exactly that', async (name, value) => {
    const scope = { role: null, database };
    if (name.includes(' ')) {
      // Such a name cannot be set since 14 (names are identifiers, valid_custom_variable_name() of guc.c).
      await expect(rows(dsn, alterScopeStatement(scope, name, value))).rejects.toThrow(/invalid/);
      return;
    }
    await rows(dsn, alterScopeStatement(scope, name, value));
    const [kept] = (await config()) ?? [];
    const again = kept?.slice(kept.indexOf('=') + 1) ?? '';
    // As the server writes it: what was read is written again without a change.
    await rows(dsn, alterScopeStatement(scope, name, again));
    expect(await config()).toEqual([kept]);
    expect(await rows(dsn, 'SELECT current_setting($1) AS value', [name])).toEqual([{ value: again }]);
    if (!name.endsWith('_tablespaces')) expect(again).toBe(value);
    await rows(dsn, alterScopeStatement(scope, name, null));
    expect(await config()).toBeNull();
  });
});
