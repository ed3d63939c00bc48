/** What the dry run says of locks is what the execution asks the server for, and what the docs say. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, executePlan, lockBudgetsMarkdown } from '../../src/apply/index.ts';
import { lockBudgets } from '../../src/apply/lock-budgets.ts';
import { stepsOf } from '../../src/apply/steps.ts';
import type { Change } from '../../src/domain/index.ts';
import { openTarget, type TargetSession } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import { applyServer, column, newApplyId } from './target.ts';

it('the table of docs/apply.md is the one of the code', async () => {
  const docs = await readFile(fileURLToPath(new URL('../../docs/apply.md', import.meta.url)), 'utf8');
  expect(docs).toContain(lockBudgetsMarkdown());
});

it('no name in a statement is taken for what it does', () => {
  const change: Change = {
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'made CONCURRENTLY by',
      name: 'DROP INDEX CONCURRENTLY x',
      method: 'btree',
      unique: false,
      keys: [column('a')],
      include: [],
      where: null,
      options: {},
    },
    partitions: [],
  };
  const [only] = stepsOf({
    ...buildPlan(change),
    statements: [`CREATE INDEX "x" ON ONLY public."made CONCURRENTLY by" (a)`],
  });
  expect(only).toMatchObject({ transactional: true, ...lockBudgets.only });
});

describe('the waits of each statement', () => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ dsn, drop } = await (await applyServer()).createDatabase({
      sql: `CREATE TABLE t (a int, b int); INSERT INTO t SELECT i, i % 7 FROM generate_series(1, 500) i; CREATE INDEX t_old ON t (b); CREATE INDEX t_bloated ON t (a, b);
        CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (9);
        DO $$ BEGIN CREATE ROLE budget_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        ALTER ROLE budget_role RESET ALL;`,
    }));
  });
  afterAll(() => drop());

  const index = (table: string, name: string) => ({
    schema: 'public',
    table,
    name,
    method: 'btree',
    unique: false,
    keys: [column('a')],
    include: [],
    where: null,
    options: {},
  });
  const leaf = {
    schema: 'public',
    table: 'p_1',
    name: 'p_1_a',
    parent_schema: 'public',
    parent_name: 'p_a',
    leaf: true,
  };
  const on = { schema: 'public', table: 't' };
  const changes: [string, Change][] = [
    ['index.create', { kind: 'index.create', index: index('t', 't_a') }],
    [
      'index.drop',
      {
        kind: 'index.drop',
        ...on,
        name: 't_old',
        definition: 'CREATE INDEX t_old ON public.t USING btree (b)',
      },
    ],
    [
      'index.reindex',
      {
        kind: 'index.reindex',
        ...on,
        name: 't_bloated',
        definition: 'CREATE INDEX t_bloated ON public.t USING btree (a, b)',
      },
    ],
    ['a partitioned index.create', { kind: 'index.create', index: index('p', 'p_a'), partitions: [leaf] }],
    [
      'a partitioned index.drop',
      {
        kind: 'index.drop',
        schema: 'public',
        table: 'p',
        name: 'p_a',
        definition: 'CREATE INDEX p_a ON ONLY public.p USING btree (a)',
        partitions: [{ ...leaf, definition: 'CREATE INDEX p_1_a ON public.p_1 USING btree (a)' }],
      },
    ],
    [
      'table.reloptions',
      { kind: 'table.reloptions', ...on, set: { fillfactor: '90' }, previous: { fillfactor: null } },
    ],
    [
      'statistics.create',
      { kind: 'statistics.create', ...on, name: 't_stat', kinds: ['dependencies'], columns: ['a', 'b'] },
    ],
    ['analyze', { kind: 'analyze', ...on }],
    ['vacuum', { kind: 'vacuum', ...on, freeze: false, analyze: false }],
    [
      'role.setting',
      {
        kind: 'role.setting',
        role: 'budget_role',
        name: 'work_mem',
        value: '8MB',
        current_value: '4MB',
        previous: null,
      },
    ],
    [
      'database.setting',
      {
        kind: 'database.setting',
        database: 'of the target',
        name: 'work_mem',
        value: '8MB',
        current_value: '4MB',
        previous: null,
      },
    ],
  ];

  it.each(changes)('of %s', async (_, given) => {
    const database = new URL(dsn).pathname.slice(1);
    const change = given.kind === 'database.setting' ? { ...given, database } : given;
    const plan = buildPlan(change);
    const asked: [string, number][] = [];
    const outcome = await executePlan(plan, {
      dsn,
      apply_id: newApplyId(),
      journal: newJournal(),
      onProgress: () => {},
      openSession: async (...options) => {
        const session = await openTarget(...options);
        const query: TargetSession['query'] = async (sql, ...rest) => {
          if (plan.statements.includes(sql)) {
            const [row] = await session.query<{ ms: number }>(
              "SELECT setting::int AS ms FROM pg_settings WHERE name = 'lock_timeout'",
            );
            asked.push([sql, row?.ms ?? -1]);
          }
          return session.query(sql, ...rest);
        };
        return new Proxy(session, {
          get: (of, property) => {
            if (property === 'query') return query;
            const value: unknown = Reflect.get(of, property, of);
            return typeof value === 'function' ? value.bind(of) : value;
          },
        });
      },
    });
    expect(outcome).toMatchObject({ outcome: 'applied' });
    expect(asked).toEqual(stepsOf(plan).map(({ sql, lock_timeout_ms }) => [sql, lock_timeout_ms]));
  });
});
