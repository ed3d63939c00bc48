/** What a target, a pooler, or other people's DDL may do to an apply at the worst moment. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryApplyLock } from '../../src/apply/advisory-lock.ts';
import { buildPlan, executePlan, recoverApply } from '../../src/apply/index.ts';
import { readPreconditions } from '../../src/apply/preconditions.ts';
import { type Change, type Journal, PgLuthierError, type Preconditions } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  check,
  client,
  column,
  createIndexChange,
  driftCodes,
  indexState,
  newApplyId,
  QUALIFIED,
  rows,
  snapshotHolder,
  TABLE,
  until,
  waitingBuild,
} from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeEach(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterEach(() => drop());

const change = createIndexChange();

/** What somebody does right before our statement is sent: after our last look. */
function beforeStatement(sql: string, purposeSql: RegExp): Journal {
  const journal = newJournal();
  const { intend } = journal;
  journal.intend = async (entry) => {
    if (purposeSql.test(entry.sql)) await rows(dsn, sql);
    return intend(entry);
  };
  return journal;
}

describe('DDL of others between our last look and the statement', () => {
  it('an index that was renamed: what was dropped in its place is told', async () => {
    await rows(dsn, `CREATE INDEX goes ON ${QUALIFIED} (n)`);
    const dropping: Change = {
      kind: 'index.drop',
      ...TABLE,
      name: 'goes',
      definition: `CREATE INDEX goes ON ${QUALIFIED} USING btree (n)`,
    };
    const journal = beforeStatement(
      `ALTER INDEX "Shöp".goes RENAME TO stays; CREATE INDEX goes ON ${QUALIFIED} (status)`,
      /^DROP/,
    );
    const { outcome } = await apply(dsn, dropping, { journal });
    expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'another_index_dropped' });
    expect(await indexState(dsn, 'stays')).toBe('valid');
  });

  it('a table that was exchanged: the index of another table is not called ours', async () => {
    const journal = beforeStatement(
      `ALTER TABLE ${QUALIFIED} RENAME TO former; CREATE TABLE ${QUALIFIED} (LIKE "Shöp".former)`,
      /^CREATE INDEX/,
    );
    const { outcome } = await apply(dsn, change, { journal });
    expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'relation_replaced' });
  });

  async function approvedNow(): Promise<Preconditions> {
    const session = await openTarget(dsn, { applicationName: 'pgluthier:preflight', readOnly: true });
    const preconditions = await readPreconditions(session, change);
    await session.close();
    return preconditions;
  }
  async function expectNothingSent(preconditions: Preconditions, code: string): Promise<void> {
    const journal = newJournal();
    const outcome = await executePlan(buildPlan(change), {
      dsn,
      apply_id: newApplyId(),
      openSession: openTarget,
      journal,
      onProgress: () => {},
      preconditions,
    });
    expect(outcome).toMatchObject({ outcome: 'failed', code });
    expect(await journal.entries()).toEqual([]);
  }

  it('a table that was exchanged since the approval: nothing is sent', async () => {
    const preconditions = await approvedNow();
    await rows(
      dsn,
      `ALTER TABLE ${QUALIFIED} RENAME TO former; CREATE TABLE ${QUALIFIED} (LIKE "Shöp".former)`,
    );
    await expectNothingSent(preconditions, 'relation_replaced');
  });

  it('another major version since the approval: nothing is sent', async () => {
    const now = await approvedNow();
    await expectNothingSent(
      { ...now, server_version_num: now.server_version_num - 10_000 },
      'version_changed',
    );
  });
});

describe('another process that had the apply before', () => {
  const intended = (sql: string) => ({
    purpose: 'statement' as const,
    sql,
    backend_pid: 1,
    backend_start: null,
  });

  it('and wrote its row while recovery waited for the lock: recovery goes by that row', async () => {
    const applyId = newApplyId();
    const holder = await openTarget(dsn, { applicationName: 'pgluthier:apply:holder', readOnly: false });
    expect(await tryApplyLock(holder, applyId, 0)).toBe(true);
    const journal = newJournal();
    const recovering = recoverApply({
      plan: buildPlan(change),
      apply_id: applyId,
      dsn,
      openSession: openTarget,
      journal,
      onProgress: () => {},
    });
    // What it wrote, made and left before it died.
    await journal.intend(intended(buildPlan(change).statements[0] ?? ''));
    await rows(dsn, `CREATE INDEX "Größe Idx" ON ${QUALIFIED} ("Größe")`);
    await holder.close();
    expect(await recovering).toMatchObject({ outcome: 'applied', facts: { recovered: true } });
  });

  it.each([
    ['an index', change],
    ['ANALYZE', { kind: 'analyze', ...TABLE } as Change],
  ])('and did not settle its row: %s is left to recovery, not sent once more', async (_, one) => {
    const journal = newJournal();
    const plan = buildPlan(one);
    await journal.intend(intended(plan.statements[0] ?? ''));
    const outcome = await executePlan(plan, {
      dsn,
      apply_id: newApplyId(),
      openSession: openTarget,
      journal,
      onProgress: () => {},
    });
    expect(outcome).toBeNull();
    expect(await journal.entries()).toHaveLength(1);
    expect(await indexState(dsn)).toBe('absent');
  });
});

it('a second statement in a definition is refused by the server, not run', async () => {
  const { outcome } = await apply(dsn, createIndexChange({ where: 'n > 0; DROP TABLE other' }));
  expect(outcome).toMatchObject({ outcome: 'failed' });
  const [row] = await rows<{ there: boolean }>(dsn, "SELECT to_regclass('other') IS NOT NULL AS there");
  expect(row?.there).toBe(true);
});

it('a name that the server would cut off is refused', async () => {
  expect(await driftCodes(dsn, createIndexChange({ name: 'ü'.repeat(32) }))).toEqual(['name_too_long']);
  expect(await driftCodes(dsn, createIndexChange({ name: `${'ü'.repeat(31)}x` }))).toEqual([]);
});

it('names with quotes, newlines and comments in them are what they are', async () => {
  const odd = `a"b'c\n-- d */ $$ \\ e`;
  await rows(dsn, `CREATE TABLE "Shöp"."${odd.replaceAll('"', '""')}" ("${odd.replaceAll('"', '""')}" int)`);
  const made = createIndexChange({ table: odd, name: `i ${odd}`, keys: [column(odd)] });
  const { outcome } = await apply(dsn, made);
  expect(outcome).toMatchObject({ outcome: 'applied' });
  const definition = outcome.outcome === 'applied' ? String(outcome.facts.definition) : '';
  const gone = await apply(dsn, {
    kind: 'index.drop',
    schema: 'Shöp',
    table: odd,
    name: `i ${odd}`,
    definition,
  });
  expect(gone.outcome).toMatchObject({ outcome: 'applied' });
  const again = await apply(dsn, { ...(made as Extract<Change, { kind: 'index.create' }>), definition });
  expect(again.outcome).toMatchObject({ outcome: 'applied', facts: { definition } });
});

it('a function that could be taken for one of PostgreSQL in an expression stops the apply', async () => {
  await rows(dsn, 'CREATE EXTENSION pg_trgm');
  const made = createIndexChange({
    method: 'gin',
    keys: [{ ...column(''), column: null, expression: 'upper("Größe")', opclass: 'gin_trgm_ops' }],
  });
  expect(await driftCodes(dsn, made)).toEqual([]);
  await rows(
    dsn,
    `CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''taken''::text'`,
  );
  expect(await driftCodes(dsn, made)).toEqual(['search_path_unsafe']);
});

it("a role's own settings change neither what a statement means nor how long it may take", async () => {
  const role = `odd_${newApplyId()}`;
  const password = 'x';
  await rows(dsn, `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD '${password}'`);
  const [server] = await rows<{ version: number }>(
    dsn,
    "SELECT current_setting('server_version_num')::int AS version",
  );
  for (const [name, value] of Object.entries({
    ...((server?.version ?? 0) >= 170_000 ? { transaction_timeout: '1' } : {}),
    transform_null_equals: 'on',
    quote_all_identifiers: 'on',
    standard_conforming_strings: 'off',
    statement_timeout: '1',
    lock_timeout: '1',
    idle_session_timeout: '1',
    idle_in_transaction_session_timeout: '1',
    default_transaction_read_only: 'on',
    search_path: 'public',
    role: "'pg_monitor'",
  })) {
    if (name !== 'role') await rows(dsn, `ALTER ROLE ${role} SET ${name} = ${value}`);
  }
  const url = new URL(dsn);
  url.username = role;
  url.password = password;
  const made = createIndexChange({ where: `status <> 'a\\b' AND (n = NULL) IS NULL` });
  try {
    const { outcome } = await apply(url.href, made);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    const [row] = await rows<{ predicate: string }>(
      dsn,
      `SELECT pg_get_expr(indpred, indrelid) AS predicate FROM pg_index WHERE indexrelid = '"Shöp"."Größe Idx"'::regclass`,
    );
    expect(row?.predicate).toContain(`'a\\b'::text`);
    expect(row?.predicate).toContain('n = NULL');
  } finally {
    await rows(dsn, `DROP ROLE ${role}`);
  }
});

it('is cancelled though no further connection is to be had', async () => {
  // One for the statement, one beside it: a third for the cancel there is none, as where traffic piles up behind us.
  let open = 0;
  const scarce: typeof openTarget = async (to, options) => {
    if (open === 2) throw new PgLuthierError({ code: 'target_busy', status: 503, message: 'no slot' });
    open += 1;
    const session = await openTarget(to, options);
    return {
      ...session,
      close: async () => {
        open -= 1;
        await session.close();
      },
    };
  };
  const holder = await snapshotHolder(dsn);
  const abort = new AbortController();
  const running = executePlan(buildPlan(change), {
    dsn,
    apply_id: newApplyId(),
    openSession: scarce,
    journal: newJournal(),
    onProgress: () => {},
    signal: abort.signal,
  });
  await waitingBuild(dsn);
  await until(() => Promise.resolve(open === 2));
  abort.abort();
  expect(await running).toMatchObject({ outcome: 'failed', code: 'cancelled' });
  expect(await indexState(dsn)).toBe('absent');
  await holder.release();
});

it('who holds the second table of several is named before anything is sent', async () => {
  await rows(dsn, 'CREATE TABLE second (id int)');
  const holder = await client(dsn);
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE second IN SHARE UPDATE EXCLUSIVE MODE');
  await holder.query('SELECT pg_sleep(2.1)');
  const { blockers } = await check(dsn, {
    kind: 'table.reloptions',
    ...TABLE,
    set: { fillfactor: '80' },
    previous: { fillfactor: null },
    others: [{ schema: 'public', table: 'second', previous: { fillfactor: null } }],
  });
  await holder.end();
  expect(blockers.map(({ application_name }) => application_name)).toEqual(['shop backend']);
});

it('VACUUM is tried again although its pauses are longer than a lost answer takes to be told', async () => {
  const journal = newJournal();
  const { settle } = journal;
  // The store is away for a while: our session has nothing to do, and that is no loss of it.
  journal.settle = async (step, outcome) => {
    await new Promise((resolve) => setTimeout(resolve, outcome.message === null ? 7_000 : 0));
    await settle(step, outcome);
  };
  const { outcome } = await apply(
    dsn,
    { kind: 'vacuum', ...TABLE, freeze: false, analyze: false },
    { journal },
  );
  expect(outcome).toMatchObject({ outcome: 'applied' });
  const [entry] = (await journal.entries()).filter(({ sql }) => sql.startsWith('VACUUM'));
  expect(entry).toMatchObject({ state: 'done' });
});
