/** Every kind of change, applied and taken back, on real servers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors } from '../support/servers.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  client,
  column,
  createIndexChange,
  indexState,
  QUALIFIED,
  rows,
  TABLE,
} from './target.ts';

const majors = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];

async function runAll(dsn: string, statements: readonly string[]): Promise<void> {
  const connected = await client(dsn);
  try {
    for (const statement of statements) await connected.query(statement);
  } finally {
    await connected.end();
  }
}

describe.each(majors)('on PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ dsn, drop } = await applyDatabase(major));
  });
  afterAll(() => drop());

  it('builds an index with an expression, INCLUDE, order and predicate, and drops it again', async () => {
    const change = createIndexChange({
      name: 'Expr "Idx"',
      keys: [
        { ...column('Größe'), opclass: 'text_pattern_ops', direction: 'desc', nulls: 'last' },
        { ...column(''), column: null, expression: 'lower(status)' },
      ],
      include: ['n'],
      where: "status = 'open'",
    });
    const { outcome, journal, plan } = await apply(dsn, change);
    expect(outcome).toMatchObject({
      outcome: 'applied',
      pending_restart: false,
      facts: { definition_check: 'normal form', size_bytes: expect.any(Number) },
    });
    expect(await journal.entries()).toMatchObject([
      { purpose: 'statement', state: 'done', sql: plan.statements[0], backend_pid: expect.any(Number) },
      { purpose: 'statement', state: 'done', message: 'our build makes this index' },
      { purpose: 'analyze', state: 'done' },
    ]);
    expect(await indexState(dsn, 'Expr "Idx"')).toBe('valid');
    await runAll(dsn, plan.rollback);
    expect(await indexState(dsn, 'Expr "Idx"')).toBe('absent');
  });

  it('builds nothing when the same expression stands in another form', async () => {
    await rows(dsn, `CREATE INDEX twin ON ${QUALIFIED} ((upper("Größe"))) WHERE status IN ('open', 'new')`);
    const { outcome, journal } = await apply(
      dsn,
      createIndexChange({
        keys: [{ ...column(''), column: null, expression: 'upper("Größe"::text)' }],
        where: "status = ANY (ARRAY['open'::text, 'new'::text])",
      }),
    );
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'equivalent_index_exists' });
    expect(await journal.entries()).toEqual([]);
  });

  it('drops an index, keeps what it was, and builds the very same again', async () => {
    await runAll(dsn, [
      `CREATE INDEX "To Go" ON ${QUALIFIED} (n DESC) WHERE n > 5`,
      `COMMENT ON INDEX "Shöp"."To Go" IS 'it''s old'`,
    ]);
    const definitionOf = async () =>
      (
        await rows<{ definition: string }>(
          dsn,
          `SELECT pg_get_indexdef(oid) AS definition FROM pg_class WHERE relname = 'To Go'`,
        )
      )[0]?.definition;
    const definition = (await definitionOf()) ?? '';
    const { outcome, plan } = await apply(dsn, { kind: 'index.drop', ...TABLE, name: 'To Go', definition });
    expect(outcome).toMatchObject({
      outcome: 'applied',
      facts: { definition, comment: "it's old", freed_bytes: expect.any(Number) },
    });
    expect(await indexState(dsn, 'To Go')).toBe('absent');
    await runAll(dsn, plan.rollback);
    expect(await definitionOf()).toBe(definition);
  });

  it('sets storage parameters and gives them back', async () => {
    await rows(dsn, `ALTER TABLE ${QUALIFIED} SET (fillfactor = 90)`);
    const { outcome, plan } = await apply(dsn, {
      kind: 'table.reloptions',
      ...TABLE,
      set: {
        fillfactor: '80',
        autovacuum_vacuum_scale_factor: '0.02',
        'toast.autovacuum_vacuum_threshold': '7',
      },
      previous: {
        fillfactor: '90',
        autovacuum_vacuum_scale_factor: null,
        'toast.autovacuum_vacuum_threshold': null,
      },
    });
    expect(outcome).toMatchObject({ outcome: 'applied' });
    await runAll(dsn, plan.rollback);
    const [table] = await rows<{ own: string[]; toast: string[] | null }>(
      dsn,
      `SELECT c.reloptions AS own, t.reloptions AS toast FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid
       WHERE c.relname = 'Order Items'`,
    );
    expect(table).toEqual({ own: ['fillfactor=90'], toast: null });
  });

  it('waits for the table in short turns, and gives up with nothing changed', async () => {
    const holder = await client(dsn);
    await holder.query(`BEGIN; LOCK TABLE ${QUALIFIED} IN SHARE UPDATE EXCLUSIVE MODE`);
    const { outcome, journal } = await apply(
      dsn,
      { kind: 'table.reloptions', ...TABLE, set: { fillfactor: '70' }, previous: { fillfactor: '90' } },
      { lockBudgetMs: 2_500 },
    );
    await holder.end();
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'lock_timeout' });
    const entries = await journal.entries();
    expect(entries.every((entry) => entry.state === 'failed' && entry.sqlstate === '55P03')).toBe(true);
  });

  it('takes storage parameters off, of two tables in one change, and says when only a part was done', async () => {
    await rows(dsn, 'CREATE TABLE IF NOT EXISTS leaf_a (a int); CREATE TABLE IF NOT EXISTS leaf_b (a int)');
    await rows(dsn, 'ALTER TABLE leaf_a SET (autovacuum_vacuum_threshold = 7)');
    await rows(dsn, 'ALTER TABLE leaf_b SET (autovacuum_vacuum_threshold = 8)');
    const options = async () =>
      (
        await rows<{ options: string[] | null }>(
          dsn,
          `SELECT reloptions AS options FROM pg_class WHERE relname LIKE 'leaf\\__' ORDER BY relname`,
        )
      ).map((row) => row.options);
    const change: Change = {
      kind: 'table.reloptions',
      schema: 'public',
      table: 'leaf_a',
      set: {},
      reset: ['autovacuum_vacuum_threshold'],
      previous: { autovacuum_vacuum_threshold: '7' },
      others: [{ schema: 'public', table: 'leaf_b', previous: { autovacuum_vacuum_threshold: '8' } }],
    };
    const { outcome, plan } = await apply(dsn, change);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    expect(await options()).toEqual([null, null]);
    await runAll(dsn, plan.rollback);
    expect(await options()).toEqual([['autovacuum_vacuum_threshold=7'], ['autovacuum_vacuum_threshold=8']]);

    const holder = await client(dsn);
    await holder.query('BEGIN; LOCK TABLE leaf_b IN SHARE UPDATE EXCLUSIVE MODE');
    const partly = await apply(dsn, change, { lockBudgetMs: 1_500 });
    await holder.end();
    expect(partly.outcome).toMatchObject({ outcome: 'needs_attention', code: 'partly_applied' });
    expect(await options()).toEqual([null, ['autovacuum_vacuum_threshold=8']]);
    // What is left of it is another change than the one that was approved.
    const again = await apply(dsn, change);
    expect(again.outcome).toMatchObject({ outcome: 'failed', code: 'already_applied' });
  });

  it('vacuums a table', async () => {
    const { outcome } = await apply(dsn, { kind: 'vacuum', ...TABLE, freeze: true, analyze: false });
    expect(outcome).toMatchObject({ outcome: 'applied', facts: { last_vacuum: expect.any(String) } });
    const [row] = await rows<{ young: boolean }>(
      dsn,
      `SELECT age(relfrozenxid) < 1000 AS young FROM pg_class WHERE relname = 'Order Items'`,
    );
    expect(row?.young).toBe(true);
  });

  it('analyzes a table', async () => {
    const { outcome } = await apply(dsn, { kind: 'analyze', ...TABLE });
    expect(outcome).toMatchObject({ outcome: 'applied', facts: { last_analyze: expect.any(String) } });
  });

  const setting = (value: string, current: string, name = 'work_mem', context = 'user'): Change => ({
    kind: 'setting',
    name,
    value,
    current_value: current,
    context,
  });
  const inForce = async (name: string) =>
    (await rows<{ value: string }>(dsn, 'SELECT current_setting($1) AS value', [name]))[0]?.value;

  it('writes a setting, keeps the earlier entry, and gets back to exactly that', async () => {
    const first = await apply(dsn, setting('8MB', '4MB'));
    expect(first.outcome).toMatchObject({
      outcome: 'applied',
      pending_restart: false,
      facts: {
        previous_entry: null,
        exact_rollback: ['ALTER SYSTEM RESET work_mem', 'SELECT pg_reload_conf()'],
        in_force: true,
      },
    });
    expect(await inForce('work_mem')).toBe('8MB');
    const second = await apply(dsn, setting('16384kB', '8MB'));
    expect(second.outcome).toMatchObject({ outcome: 'applied', facts: { previous_entry: '8MB' } });
    expect(second.plan.rollback[0]).toBe("ALTER SYSTEM SET work_mem = '8MB'");
    if (first.outcome.outcome !== 'applied') throw new Error('not applied');
    await runAll(dsn, first.outcome.facts.exact_rollback as string[]);
  });

  // Of the shared server: max_worker_processes is written by replicas.test.ts at the same time.
  it('says when a setting waits for a restart', async () => {
    const { outcome } = await apply(
      dsn,
      setting('off', await inForce('huge_pages').then((now) => now ?? ''), 'huge_pages', 'postmaster'),
    );
    expect(outcome).toMatchObject({ outcome: 'applied', pending_restart: true });
    await runAll(dsn, ['ALTER SYSTEM RESET huge_pages', 'SELECT pg_reload_conf()']);
  });

  it('sets what the session itself sets otherwise', async () => {
    const { outcome } = await apply(dsn, setting('7', '2', 'max_parallel_workers_per_gather'));
    expect(outcome).toMatchObject({ outcome: 'applied', facts: { in_force: true } });
    await runAll(dsn, ['ALTER SYSTEM RESET max_parallel_workers_per_gather', 'SELECT pg_reload_conf()']);
  });

  it('names whose own value masks a setting', async () => {
    await rows(
      dsn,
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET random_page_cost = 3', current_database()); END $$`,
    );
    const { outcome } = await apply(dsn, setting('1.1', '3', 'random_page_cost'));
    expect(outcome).toMatchObject({
      outcome: 'applied',
      facts: { masked_for_us: true, overridden_for: [{ role: null, value: '3' }] },
    });
    await runAll(dsn, ['ALTER SYSTEM RESET random_page_cost', 'SELECT pg_reload_conf()']);
  });
});

it('refuses a plan whose statements are not what its hash says', async () => {
  const { dsn, drop } = await applyDatabase();
  const journal = newJournal();
  const plan = { ...buildPlan(createIndexChange()), statements: ['DROP TABLE other'] };
  await expect(
    executePlan(plan, { dsn, apply_id: 'app_x', openSession: openTarget, journal, onProgress: () => {} }),
  ).rejects.toMatchObject({ code: 'plan_changed' });
  expect(await journal.entries()).toEqual([]);
  await drop();
});
