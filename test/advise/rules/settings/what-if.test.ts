/** Settings that planning reads, asked of a twin of a real database: which plans flip, and where nothing does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as cacheSize } from '../../../../src/advise/rules/settings/effective-cache-size.ts';
import { rule as hashMemory } from '../../../../src/advise/rules/settings/hash-mem-multiplier.ts';
import { rule as jit } from '../../../../src/advise/rules/settings/jit.ts';
import { rule as perGather } from '../../../../src/advise/rules/settings/parallel-per-gather.ts';
import { rule as randomCost } from '../../../../src/advise/rules/settings/random-page-cost.ts';
import { rule as statisticsTarget } from '../../../../src/advise/rules/settings/statistics-target.ts';
import { rule as workMem } from '../../../../src/advise/rules/settings/work-mem.ts';
import {
  draftSchema,
  type Rule,
  type RuleContext,
  type Snapshot,
  type WhatIf,
  type Workload,
} from '../../../../src/domain/index.ts';
import { workloadFromFiles } from '../../../../src/workload/index.ts';
import { testServer } from '../../../support/servers.ts';
import { contextOf, GB } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase, twinOf } from '../index/context.ts';
import { statementRow } from './busy-server.ts';

const SCHEMA = `
  CREATE TABLE item (id int PRIMARY KEY, spread int, k int, note text);
  -- spread has no order on disk; 150 values of k are common (0.4 % each), all others occur once.
  INSERT INTO item SELECT g, (g::bigint * 7919) % 100000,
    CASE WHEN g % 10 < 6 THEN 1000000 + (g::bigint * 31 / 10) % 150 ELSE g END, repeat(md5(g::text), 6)
    FROM generate_series(1, 100000) g;
  CREATE INDEX item_spread ON item (spread);
  CREATE INDEX item_k ON item (k);
  CREATE TABLE pick (batch int, item int);
  INSERT INTO pick SELECT g % 20, (g::bigint * 7919) % 100000 + 1 FROM generate_series(1, 30000) g;
  CREATE INDEX pick_batch ON pick (batch);
  VACUUM ANALYZE;
`;

const BY_KEY = 'SELECT note FROM item WHERE id = $1';
const BY_BATCH = 'SELECT i.note FROM pick p JOIN item i ON i.id = p.item WHERE p.batch = $1';
const BY_K = 'SELECT note FROM item WHERE k = $1';
const ALL =
  'SELECT count(*) FROM item WHERE md5(note) <> $1 AND sha256(note::bytea) IS NOT NULL AND reverse(upper(md5(note))) <> md5(lower(note))';
const GROUPED = 'SELECT note, count(*) FROM item GROUP BY note';

describe.each([15, 18])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let stock: Snapshot;
  let whatIf: WhatIf;

  beforeAll(async () => {
    database = await sampleDatabase('SELECT 1', await testServer({ major }));
    for (const statement of SCHEMA.split(';\n')) if (statement.trim()) await database.query(statement);
    const snapshot = await database.snapshot();
    const fact = <T>(value: T) => ({ value, source: 'operator' });
    stock = {
      ...snapshot,
      // The shared servers time their reads: what other tests read would go before the disk type.
      counters: { ...snapshot.counters, io: null },
      host: {
        ...snapshot.host,
        ram_bytes: fact(16 * GB),
        cpu_count: fact(8),
        disk_type: fact('ssd' as const),
      },
    };
    whatIf = await twinOf(withSettings({ min_parallel_table_scan_size: '64', jit: 'on' }));
  }, 120_000);
  afterAll(async () => {
    await whatIf?.close();
    await database?.close();
  });

  /** What the tests' own server was started with is nobody's choice here. */
  function withSettings(changes: Record<string, string>): Snapshot {
    return {
      ...stock,
      settings: stock.settings.map((row) => {
        const setting = changes[row.name];
        return setting === undefined ? row : { ...row, setting, reset_val: setting };
      }),
    };
  }

  async function workloadOf(...statements: string[]): Promise<Workload> {
    const workload = await workloadFromFiles(statements.map((text, n) => ({ name: `${n}.sql`, text })));
    return { ...workload, source: 'window', seconds: 3600, database_time_ms: 1000 };
  }

  /** BY_KEY first. */
  const sorted = ({ queries }: Workload) =>
    queries.toSorted((a, b) => Number(b.query.includes('id = $1')) - Number(a.query.includes('id = $1')));

  async function evaluate(rule: Rule, statements: string[], parts: Partial<RuleContext> = {}) {
    const workload = await workloadOf(...statements);
    const context = contextOf(stock, { workload, what_if: whatIf, ...parts });
    const result = await rule.evaluate(context);
    for (const draft of result.recommendations) draftSchema.parse(draft);
    const [draft] = result.recommendations;
    return { draft, codes: result.rejections.map(({ code }) => code), result };
  }

  const evidenceOf = (draft: NonNullable<Awaited<ReturnType<typeof evaluate>>['draft']>, name: string) =>
    draft.evidence.find((item) => item.name === name)?.value;

  test('random_page_cost: the plan that flips, both reckoned alike', async () => {
    const { draft } = await evaluate(randomCost, [BY_BATCH, BY_KEY]);
    expect(draft?.setting).toMatchObject({ name: 'random_page_cost', value: '1.1', bare_value: '1.1' });
    expect(draft?.affects.map(({ query }) => query)).toEqual([expect.stringContaining('batch')]);
    const [affected] = draft?.affects ?? [];
    expect(affected?.plan_change?.changes.map(({ kind }) => kind)).toContain('access');
    // The old plan under the new value: the planner prefers the new one by its own reckoning.
    expect(affected?.cost_before).toBeGreaterThan(affected?.cost_after ?? 0);
    if (draft) {
      expect(evidenceOf(draft, 'statements planned with both values')).toBe(2);
      expect(evidenceOf(draft, 'statements whose plan changes')).toBe(1);
      expect(
        Number(evidenceOf(draft, 'cost of the old plans ÷ cost of the new ones, both under the new value')),
      ).toBeGreaterThan(1);
    }
  });

  test('random_page_cost: quiet where no plan depends on it, and not where nobody could be asked', async () => {
    expect((await evaluate(randomCost, [BY_KEY])).codes).toEqual(['no_plan_changes']);
    const blind = await evaluate(randomCost, [BY_KEY], { what_if: null });
    expect(blind.draft?.evidence).toContainEqual(
      expect.objectContaining({ name: 'plans under the proposed value', value: 'not asked' }),
    );
  });

  test('random_page_cost: statements of a role with a value of its own are not asked about', async () => {
    const workload = await workloadOf(BY_BATCH, BY_KEY);
    const [key, batch] = sorted(workload);
    const queries = [
      { ...batch, users: ['reports'] },
      { ...key, users: ['app'] },
    ] as Workload['queries'];
    const snapshot = {
      ...stock,
      setting_overrides: [{ role: 'reports', database: null, name: 'random_page_cost', value: '4' }],
    };
    const context = contextOf(snapshot, { workload: { ...workload, queries }, what_if: whatIf });
    expect((await randomCost.evaluate(context)).rejections.map(({ code }) => code)).toEqual([
      'no_plan_changes',
    ]);
  });

  describe('random_page_cost: a role’s own value that masks the proposal', () => {
    const masked = async (
      value: string,
      {
        ofReports = BY_KEY,
        here = '4',
        database = null as string | null,
        more = [] as string[],
        blind = false,
      } = {},
    ) => {
      const workload = await workloadOf(BY_BATCH, ofReports);
      const queries = workload.queries.map((query) => ({
        ...query,
        users: [query.query.includes('batch') && ofReports !== BY_BATCH ? 'app' : 'reports'],
      }));
      // The statement of app has to flip, or nothing is proposed.
      if (ofReports === BY_BATCH) {
        const other = (await workloadOf(`${BY_BATCH} AND p.item > 0`)).queries.map((query) => ({
          ...query,
          query_id: 'app',
          users: ['app'],
        }));
        queries.push(...other);
      }
      const snapshot: Snapshot = {
        ...withSettings({ random_page_cost: here }),
        setting_overrides: [{ role: 'reports', database, name: 'random_page_cost', value }],
        instance: {
          ...stock.instance,
          databases: [stock.server.database, 'postgres', ...more].map((name) => ({ name })),
        } as NonNullable<Snapshot['instance']>,
      };
      const result = await randomCost.evaluate(
        contextOf(snapshot, { workload: { ...workload, queries }, what_if: blind ? null : whatIf }),
      );
      for (const draft of result.recommendations) draftSchema.parse(draft);
      return {
        reset: result.recommendations.find(({ key }) => key.startsWith('reset')),
        codes: result.rejections.map(({ code }) => code),
        server: result.recommendations.some(({ key }) => key === 'setting random_page_cost'),
      };
    };

    test('taken away where it repeats the server’s, or no plan depends on it', async () => {
      const repeats = await masked('4');
      expect(repeats.server).toBe(true);
      expect(repeats.reset?.change).toEqual({
        kind: 'role.setting',
        role: 'reports',
        name: 'random_page_cost',
        value: '4',
        current_value: '4',
        previous: '4',
        reset: true,
      });
      const { reset } = await masked('3', { database: stock.server.database });
      expect(reset?.change).toMatchObject({ kind: 'role.database.setting', previous: '3', reset: true });
      expect(reset?.evidence).toContainEqual(
        expect.objectContaining({ name: 'statements whose plan changes', value: 0, level: 'simulated' }),
      );
      expect((await masked('3')).reset?.change.kind).toBe('role.setting');
    });

    test('left where plans of the role depend on it, where other databases may, and where nobody was asked', async () => {
      expect((await masked('40', { ofReports: BY_BATCH })).codes).toEqual(['deliberate']);
      expect((await masked('3', { more: ['other'] })).codes).toEqual(['other_databases']);
      expect((await masked('4', { blind: true })).codes).toEqual(['not_asked']);
    });
  });

  test('effective_cache_size: no plan of a small database depends on it', async () => {
    const { codes, result } = await evaluate(cacheSize, [BY_BATCH, BY_KEY, GROUPED]);
    expect(codes).toEqual(['no_plan_changes']);
    expect(result.rejections[0]?.reason).toContain('3 statement(s)');
  });

  test('work_mem: what it does to the plan of what spills', async () => {
    const workload = await workloadOf(GROUPED, BY_KEY);
    const queries = workload.queries.map((query) =>
      query.query.includes('GROUP BY')
        ? { ...query, temp_blks_written: 1000, total_exec_time_ms: 90 }
        : query,
    );
    const context = contextOf(stock, { workload: { ...workload, queries }, what_if: whatIf });
    const [draft] = (await workMem.evaluate(context)).recommendations;
    // 7.8 MB that a sort of rows of 196 bytes wrote, before they are grouped.
    expect(draft?.setting?.value).toBe(major === 15 ? '11MB' : '10MB');
    expect(
      draft?.evidence.find(({ name }) => name === 'work_mem that the spills of a call need')?.formula,
    ).toMatch(/^the most of all statements: 1\.\d\d × 7\.81MB written by a sort of rows of \d+ bytes$/);
    expect(draft?.evidence.map(({ name }) => name)).toContain('statements planned with both values');
    const cheaper = draft?.affects.every(({ cost_before, cost_after }) => cost_after < cost_before);
    expect(cheaper).toBe(true);
  });

  test('hash_mem_multiplier: where all that spills hashes', async () => {
    const hashing = 'SELECT spread + 1, count(*) FROM item GROUP BY 1';
    const sorting = 'SELECT note FROM item ORDER BY note';
    const spilling = async (...statements: string[]) => {
      const workload = await workloadOf(...statements);
      const queries = workload.queries.map((query) => ({ ...query, temp_blks_written: 1000 }));
      const result = await hashMemory.evaluate(
        contextOf(stock, { workload: { ...workload, queries }, what_if: whatIf }),
      );
      return result.recommendations[0]?.setting?.value ?? result.rejections[0]?.code;
    };
    // A quarter more than the 8 MB that hashes have, and 2 × 7.8 MB, in portions of 4 MB.
    expect(await spilling(hashing)).toBe('6.5');
    expect(await spilling(hashing, sorting)).toBe('sorts_spill');
  });

  test('parallelism: more workers where plans take them, and not while CPUs are taken', async () => {
    const { draft } = await evaluate(perGather, [ALL]);
    expect(draft?.setting).toMatchObject({ name: 'max_parallel_workers_per_gather', value: '4' });
    expect(draft?.affects[0]?.plan_change?.changes.map(({ kind }) => kind)).toContain('parallel');
    expect((await evaluate(perGather, [BY_KEY])).codes).toEqual(['no_plan_changes']);
    const busy = {
      from: '',
      to: '',
      seconds: 3600,
      statements: [],
      tables: [],
      indexes: [],
      limits: [],
      concurrency: {
        samples: 100,
        active_p50: 8,
        active_p95: 9,
        active_max: 12,
        total_p95: 20,
        total_max: 20,
        idle_in_transaction_p95: 0,
        waiting_for_lock_max: 0,
        oldest_xmin_age_max: null,
      },
    };
    expect((await evaluate(perGather, [ALL], { window: busy })).codes).toEqual(['cpus_taken']);
  });

  test('statistics: a column whose cut-off values matter to a plan, and one where they do not', async () => {
    const { draft } = await evaluate(statisticsTarget, [BY_K]);
    expect(draft?.change).toEqual({ kind: 'finding' });
    expect(draft?.title).toContain('public.item.k');
    expect(draft?.risk.notes[0]).toContain('ALTER COLUMN k SET STATISTICS 500');
    expect(draft?.evidence.some(({ name }) => name.startsWith('plan of '))).toBe(true);
    expect((await evaluate(statisticsTarget, ['SELECT max(note) FROM item WHERE k <> $1'])).codes).toEqual([
      'not_sensitive',
      'columns_suffice',
    ]);
  });

  test('statistics: finer ones for everything go back where no plan depends on them', async () => {
    const finer = withSettings({ default_statistics_target: '400' });
    const lowered = await statisticsTarget.evaluate(
      contextOf(finer, { workload: await workloadOf(BY_KEY), what_if: whatIf }),
    );
    expect(lowered.recommendations[0]?.setting).toMatchObject({ value: '100' });
    expect(lowered.recommendations[0]?.evidence_level).toBe('simulated');
  });

  test('jit: a limit between the plans that lose and those that win', async () => {
    const workload = await workloadOf(GROUPED, BY_KEY);
    const [key, all] = sorted(workload);
    if (!all || !key) throw new Error('no statements');
    const queries = [
      { ...all, queryids: ['1'] },
      { ...key, queryids: ['2'] },
    ];
    const snapshot = {
      ...withSettings({ jit: 'on' }),
      statements: [
        statementRow({ queryid: '1', jit_time_ms: 20, total_exec_time_ms: 900 }),
        statementRow({ queryid: '2', jit_time_ms: 60, total_exec_time_ms: 100 }),
      ],
    };
    const result = await jit.evaluate(
      contextOf(snapshot, { workload: { ...workload, queries }, what_if: whatIf }),
    );
    const [draft] = result.recommendations;
    expect(draft?.setting?.name).toBe('jit_above_cost');
    const between = draft?.evidence
      .filter(({ level }) => level === 'simulated')
      .map(({ value }) => Number(value));
    expect(Number(draft?.setting?.value)).toBeGreaterThan(between?.[0] ?? Number.NaN);
    expect(Number(draft?.setting?.value)).toBeLessThan(between?.[1] ?? Number.NaN);
    const losing = { ...snapshot, statements: snapshot.statements.slice(1) };
    const off = await jit.evaluate(
      contextOf(losing, { workload: { ...workload, queries }, what_if: whatIf }),
    );
    expect(off.recommendations[0]?.setting).toMatchObject({ name: 'jit', value: 'off' });
  });
});
