import { describe, expect, test } from 'vitest';
import { rule as completionTarget } from '../../../../src/advise/rules/settings/checkpoint-completion-target.ts';
import { rule as cacheSize } from '../../../../src/advise/rules/settings/effective-cache-size.ts';
import { rule as ioConcurrency } from '../../../../src/advise/rules/settings/effective-io-concurrency.ts';
import { rule as maintenance } from '../../../../src/advise/rules/settings/maintenance-work-mem.ts';
import { rule as maxWal } from '../../../../src/advise/rules/settings/max-wal-size.ts';
import { rule as budget } from '../../../../src/advise/rules/settings/memory-budget.ts';
import { rule as randomCost } from '../../../../src/advise/rules/settings/random-page-cost.ts';
import { rule as buffers } from '../../../../src/advise/rules/settings/shared-buffers.ts';
import { rule as walBuffers } from '../../../../src/advise/rules/settings/wal-buffers.ts';
import { rule as workMem } from '../../../../src/advise/rules/settings/work-mem.ts';
import {
  diffCounters,
  draftSchema,
  noActivity,
  noCounters,
  type Rule,
  type RuleContext,
  type Snapshot,
} from '../../../../src/domain/index.ts';
import { vacuumRow } from '../../../support/rows.ts';
import {
  checkpointCounters,
  contextOf,
  databaseCounters,
  GB,
  ioRow,
  MB,
  snapshotOf,
  walCounters,
  windowOf,
  workloadOf,
  workloadQuery,
} from '../../../support/snapshot-builder.ts';

/** What a rule says, in short: `name: old → new`, `rejected code`, `limit code`. */
async function said(rule: Rule, snapshot: Snapshot, parts: Partial<RuleContext> = {}): Promise<string[]> {
  const result = await rule.evaluate(contextOf(snapshot, parts));
  for (const draft of result.recommendations) draftSchema.parse(draft);
  return [
    ...result.recommendations.map((draft) => draft.title),
    ...result.rejections.map((rejection) => `rejected ${rejection.code}`),
    ...result.limits.map((limit) => `limit ${limit.code}`),
  ];
}

async function draftOf(rule: Rule, snapshot: Snapshot, parts: Partial<RuleContext> = {}) {
  const [draft] = (await rule.evaluate(contextOf(snapshot, parts))).recommendations;
  if (!draft) throw new Error(`${rule.id} is quiet`);
  return draft;
}

const hits = (ratio: number, blocks = 1_000_000) => ({
  counters: {
    database: databaseCounters({ blks_hit: blocks * ratio, blks_read: blocks * (1 - ratio) }),
  },
});

describe('shared_buffers', () => {
  test('fires on a stock server, more surely where buffers miss', async () => {
    expect(await said(buffers, snapshotOf())).toEqual(['shared_buffers: 128MB → 4GB']);
    const draft = await draftOf(buffers, snapshotOf(hits(0.8)));
    expect(draft).toMatchObject({
      severity: 'medium',
      evidence_level: 'measured',
      change: { kind: 'setting', name: 'shared_buffers', value: '4GB', current_value: '128MB' },
      risk: { restart: true, reload: false },
    });
    const names = draft.evidence.map((item) => item.name);
    expect(names).toContain('worst-case memory now');
    expect(names).toContain('worst-case memory after');
  });
  test.each([
    ['hits suffice', snapshotOf(hits(0.995)), 'cache_hits_suffice'],
    ['the database fits', snapshotOf({ server: { database_size_bytes: 100 * MB } }), 'database_fits'],
    ['it is near', snapshotOf({ settings: { shared_buffers: String((3.5 * GB) / 8192) } }), 'close_enough'],
    [
      'somebody chose it',
      snapshotOf({ settings: { shared_buffers: String((2 * GB) / 8192) } }),
      'set_by_operator',
    ],
    ['it is larger', snapshotOf({ settings: { shared_buffers: String((6 * GB) / 8192) } }), 'larger_already'],
  ])('quiet where %s', async (_, snapshot, code) => {
    expect(await said(buffers, snapshot)).toEqual([`rejected ${code}`]);
  });
  test('a chosen value is questioned where buffers miss', async () => {
    const snapshot = snapshotOf({ ...hits(0.8), settings: { shared_buffers: String((2 * GB) / 8192) } });
    expect(await said(buffers, snapshot)).toEqual(['shared_buffers: 2GB → 4GB']);
  });
  describe('with a quarter of RAM already', () => {
    const poor = (evictions: number | null) =>
      snapshotOf({
        settings: { shared_buffers: String((4 * GB) / 8192) },
        counters: { ...hits(0.8).counters, io: evictions === null ? null : [ioRow({ evictions })] },
      });
    test('two fifths where it misses and sessions evict pages, within the budget', async () => {
      const draft = await draftOf(buffers, poor(500_000));
      expect(draft.title).toBe('shared_buffers: 4GB → 6GB');
      expect(draft.evidence).toContainEqual(
        expect.objectContaining({ name: 'buffers that sessions evicted', value: 500_000 }),
      );
      expect(draft.evidence[0]?.formula).toContain('RAM 16GB × 0.4');
      // 14 and 15 do not tell who evicts.
      expect(await said(buffers, poor(null))).toEqual(['shared_buffers: 4GB → 6GB']);
    });
    test('quiet where what misses are scans that turn around in their ring', async () => {
      expect(await said(buffers, poor(500))).toEqual(['rejected close_enough']);
    });
    test('and work_mem leaves it that room', async () => {
      const spill = workloadQuery({ calls: 10, temp_blks_written: 2_000_000, total_exec_time_ms: 900 });
      const titles = async (snapshot: Snapshot) =>
        (await said(workMem, snapshot, { workload: workloadOf([spill]) }))[0] ?? '';
      const megabytes = (title: string) => Number(/→ (\d+)MB$/.exec(title)?.[1]);
      expect(megabytes(await titles(poor(500_000)))).toBeLessThan(megabytes(await titles(poor(500))));
    });
  });
  test('is not made far larger than the database', async () => {
    const snapshot = snapshotOf({ server: { database_size_bytes: 800 * MB } });
    expect(await said(buffers, snapshot)).toEqual(['shared_buffers: 128MB → 960MB']);
  });
  test('is lowered where the set cannot fit', async () => {
    const snapshot = snapshotOf({ settings: { shared_buffers: String((15 * GB) / 8192) } });
    expect(await said(buffers, snapshot)).toEqual(['shared_buffers: 15GB → 4GB']);
  });
  test('without the memory it says how to give it', async () => {
    const result = await buffers.evaluate(contextOf(snapshotOf({ ram_bytes: null })));
    expect(result.recommendations).toEqual([]);
    expect(result.limits).toEqual([expect.objectContaining({ code: 'host_unknown' })]);
    expect(result.limits[0]?.remedy).toContain('--ram');
  });
});

describe('effective_cache_size', () => {
  test('fires on a stock server with a reload', async () => {
    const draft = await draftOf(cacheSize, snapshotOf());
    expect(draft.title).toBe('effective_cache_size: 4GB → 12GB');
    expect(draft.risk).toMatchObject({ restart: false, reload: true });
    expect(draft.evidence.find((item) => item.name === 'memory of the host')?.source).toBe('operator');
  });
  test('less where other programs fill the host, by what is available there', async () => {
    const usage = (gigabytes: number) => ({
      value: {
        read_at: '2026-03-01T12:00:00Z',
        cpu_total_ticks: 1,
        cpu_idle_ticks: 0,
        memory_total_bytes: 16 * GB,
        memory_available_bytes: gigabytes * GB,
      },
      source: '/proc/meminfo',
    });
    const on = (gigabytes: number) => {
      const snapshot = snapshotOf({ settings: { shared_buffers: String((2 * GB) / 8192) } });
      return { ...snapshot, host: { ...snapshot.host, usage: usage(gigabytes) } };
    };
    expect(await said(cacheSize, on(13))).toEqual(['effective_cache_size: 4GB → 12GB']);
    const draft = await draftOf(cacheSize, on(6));
    expect(draft.title).toBe('effective_cache_size: 4GB → 8GB');
    expect(draft.evidence).toContainEqual(
      expect.objectContaining({ name: 'memory available on the host', value: 6 * GB }),
    );
  });
  test('quiet where it is near, or was chosen; not where it contradicts shared_buffers', async () => {
    expect(await said(cacheSize, snapshotOf({ ram_bytes: 6 * GB }))).toEqual(['rejected close_enough']);
    const chosen = { effective_cache_size: String((2 * GB) / 8192) };
    expect(await said(cacheSize, snapshotOf({ settings: chosen }))).toEqual(['rejected set_by_operator']);
    const contradiction = { ...chosen, shared_buffers: String((4 * GB) / 8192) };
    expect(await said(cacheSize, snapshotOf({ settings: contradiction }))).toEqual([
      'effective_cache_size: 2GB → 12GB',
    ]);
  });
});

describe('maintenance_work_mem', () => {
  test('fires on a stock server, and counts every autovacuum worker', async () => {
    const draft = await draftOf(maintenance, snapshotOf());
    expect(draft.title).toBe('maintenance_work_mem: 64MB → 1GB');
    const after = draft.evidence.find((item) => item.name === 'worst-case memory after');
    expect(after?.formula).toContain('3 autovacuum workers × 1024MB');
  });
  test('a VACUUM in its second pass asks for more, also of a value that somebody chose', async () => {
    const chosen = (index_vacuum_count: number) =>
      snapshotOf({
        ram_bytes: 64 * GB,
        settings: { maintenance_work_mem: String(2 * 1024 * 1024), autovacuum_work_mem: '65536' },
        activity: { ...noActivity, vacuums: [vacuumRow({ is_autovacuum: false, index_vacuum_count })] },
      });
    expect(await said(maintenance, chosen(2))).toEqual(['maintenance_work_mem: 2GB → 4GB']);
    expect(await said(maintenance, chosen(1))).toEqual(['rejected close_enough']);
  });
  test('quiet where it is near, larger, or the budget leaves no room', async () => {
    expect(await said(maintenance, snapshotOf({ ram_bytes: 1 * GB }))).toEqual(['rejected memory_budget']);
    const large = snapshotOf({ settings: { maintenance_work_mem: String(2 * 1024 * 1024) } });
    expect(await said(maintenance, large)).toEqual(['rejected larger_already']);
    const near = snapshotOf({ settings: { maintenance_work_mem: String(900 * 1024) } });
    expect(await said(maintenance, near)).toEqual(['rejected close_enough']);
  });
});

describe('work_mem', () => {
  const spilling = (mb: number, more = {}) =>
    workloadQuery({ calls: 10, temp_blks_written: (10 * mb * MB) / 8192, total_exec_time_ms: 900, ...more });
  const other = workloadQuery({ query_id: 'q2', total_exec_time_ms: 100 });

  test('fires on spills: twice the largest of a call, with its statements as evidence', async () => {
    const draft = await draftOf(workMem, snapshotOf(), { workload: workloadOf([spilling(8), other]) });
    expect(draft.title).toBe('work_mem: 4MB → 16MB');
    expect(draft.evidence_level).toBe('measured');
    expect(draft.rationale).toContain('ALTER ROLE');
    expect(draft.evidence).toContainEqual(
      expect.objectContaining({ name: 'spilled in a call of q1', value: 8 * MB, level: 'measured' }),
    );
  });
  test('quiet where files are so small beside their statement’s time that they cost next to nothing', async () => {
    const small = { workload: workloadOf([spilling(1), other]) };
    expect(await said(workMem, snapshotOf({ disk_type: 'ssd' }), small)).toEqual([
      'rejected spills_cost_little',
    ]);
    // 10 MB in 0.9 s: written and read back they are 0.2 s of a spinning disk.
    expect(await said(workMem, snapshotOf({ disk_type: 'hdd' }), small)).not.toContain(
      'rejected spills_cost_little',
    );
    const role = await workMem.evaluate(contextOf(snapshotOf({ disk_type: 'ssd' }), small));
    expect(role.rejections[0]?.reason).toContain('at most 5.8 % of their time');
  });
  test('by what the files took where that was timed, whatever the disk, and says which it was', async () => {
    const fast = snapshotOf({ disk_type: 'ssd' });
    const slow = {
      workload: workloadOf([spilling(3, { total_exec_time_ms: 3000, temp_io_time_ms: 1332 }), other]),
    };
    const timed = await draftOf(workMem, fast, slow);
    expect(timed.evidence.find(({ name }) => name === 'spilled in a call of q1')?.source).toContain(
      'took 44 % of its own (measured: temp_blk_write_time + temp_blk_read_time)',
    );
    const guessed = await draftOf(workMem, fast, { workload: workloadOf([spilling(8), other]) });
    expect(guessed.evidence.find(({ name }) => name === 'spilled in a call of q1')?.source).toContain(
      'takes up to 47 % of its own (estimated: they were not timed)',
    );
    const cached = { workload: workloadOf([spilling(8, { temp_io_time_ms: 20 }), other]) };
    expect(await said(workMem, snapshotOf({ disk_type: 'hdd' }), cached)).toEqual([
      'rejected spills_cost_little',
    ]);
    const { rejections } = await workMem.evaluate(contextOf(fast, cached));
    expect(rejections[0]?.reason).toContain('at most 2.2 % of their time (as it was timed)');
    // 80 MB in 1 ms: most of it is of before track_io_timing was on.
    const partly = { workload: workloadOf([spilling(8, { temp_io_time_ms: 1 }), other]) };
    expect((await draftOf(workMem, fast, partly)).evidence_level).toBe('measured');
  });
  test('never more than the budget leaves', async () => {
    const draft = await draftOf(workMem, snapshotOf(), { workload: workloadOf([spilling(2000), other]) });
    const value = (name: string) => Number(draft.evidence.find((item) => item.name === name)?.value);
    expect(value('worst-case memory after')).toBeGreaterThan(value('worst-case memory now'));
    expect(value('worst-case memory after')).toBeLessThanOrEqual(value('memory that the set may take'));
    expect(draft.confidence).toBeLessThan(0.6);
  });
  test.each([
    ['nothing spills', [other], {}, 'nothing_spills'],
    ['spills take no time', [spilling(10, { total_exec_time_ms: 0.1 }), other], {}, 'spills_rarely'],
    ['memory is short', [spilling(10), other], { ram_bytes: 1 * GB }, 'memory_budget'],
  ])('quiet where %s', async (_, queries, parts, code) => {
    expect(await said(workMem, snapshotOf(parts), { workload: workloadOf(queries) })).toEqual([
      `rejected ${code}`,
    ]);
  });
  test('names the roles and databases that keep their own', async () => {
    // What reports may take with its gigabyte counts in the worst case.
    const snapshot = snapshotOf({
      ram_bytes: 1024 * GB,
      setting_overrides: [
        { role: 'reports', database: null, name: 'work_mem', value: '1GB' },
        { role: null, database: 'app', name: 'work_mem', value: '8MB' },
        { role: null, database: 'app', name: 'jit', value: 'off' },
      ],
    });
    const draft = await draftOf(workMem, snapshot, { workload: workloadOf([spilling(10), other]) });
    const notes = draft.risk.notes.join('\n');
    expect(notes).toContain('1GB for role reports');
    expect(notes).toContain('8MB for database app');
    expect(notes).not.toContain('jit');
  });
});

describe('random_page_cost', () => {
  test('by disk type', async () => {
    expect(await said(randomCost, snapshotOf())).toEqual(['random_page_cost: 4 → 1.1']);
    expect(await said(randomCost, snapshotOf({ disk_type: 'hdd' }))).toEqual(['rejected close_enough']);
    expect(await said(randomCost, snapshotOf({ settings: { random_page_cost: '1.2' } }))).toEqual([
      'rejected close_enough',
    ]);
    expect(await said(randomCost, snapshotOf({ settings: { random_page_cost: '2' } }))).toEqual([
      'rejected set_by_operator',
    ]);
  });
  test('an unknown disk is a limit, unless the database lives in memory', async () => {
    expect(await said(randomCost, snapshotOf({ disk_type: null }))).toEqual(['limit host_unknown']);
    const small = { disk_type: null, server: { database_size_bytes: 2 * GB } };
    expect(await said(randomCost, snapshotOf({ ...small, ...hits(0.999) }))).toEqual([
      'random_page_cost: 4 → 1.1',
    ]);
    expect(await said(randomCost, snapshotOf({ ...small, ...hits(0.9) }))).toEqual(['limit host_unknown']);
  });
  test('is relative to seq_page_cost', async () => {
    const snapshot = snapshotOf({ settings: { seq_page_cost: '0.1', random_page_cost: { setting: '4' } } });
    expect(await said(randomCost, snapshot)).toEqual(['random_page_cost: 4 → 0.11']);
  });
});

describe('effective_io_concurrency', () => {
  test('fires up to 17, never on 18, never where the platform cannot', async () => {
    expect(await said(ioConcurrency, snapshotOf({ major: 17 }))).toEqual([
      'effective_io_concurrency: 1 → 200',
    ]);
    expect(await said(ioConcurrency, snapshotOf())).toEqual(['rejected default_is_sound']);
    const mac = { effective_io_concurrency: { setting: '0', boot_val: '0' } };
    expect(await said(ioConcurrency, snapshotOf({ major: 17, settings: mac }))).toEqual([
      'rejected platform_unsupported',
    ]);
    expect(await said(ioConcurrency, snapshotOf({ major: 17, disk_type: null }))).toEqual([
      'limit host_unknown',
    ]);
  });
});

describe('max_wal_size', () => {
  const reset = '2026-02-28T12:00:00.000Z'; // a day
  const counted = (timed: number, requested: number, walBytes: number) => ({
    counters: {
      checkpoints: checkpointCounters({ timed, requested, stats_reset: reset }),
      wal: walCounters({ wal_bytes: walBytes, stats_reset: reset }),
    },
  });
  test('fires on requested checkpoints, sized by the rate of WAL', async () => {
    // 10 MB/s × 300 s × 1.9 × 1.3 = 7.2 GB.
    const draft = await draftOf(maxWal, snapshotOf(counted(10, 90, 86_400 * 10 * MB)));
    expect(draft.title).toBe('max_wal_size: 1GB → 8GB');
    expect(draft.risk.reload).toBe(true);
    expect(draft.evidence.map((item) => item.name)).toContain('WAL in one checkpoint_timeout');
  });
  test('a window with enough checkpoints goes before the counters since their reset', async () => {
    const snapshot = snapshotOf(counted(1000, 0, 86_400 * MB));
    const delta = {
      ...diffCounters(noCounters, noCounters),
      checkpoints: checkpointCounters({ requested: 20 }),
      wal: walCounters({ wal_bytes: 3600 * 20 * MB }),
    };
    const window = windowOf(3600, { counters: delta });
    expect(await said(maxWal, snapshot, { window })).toEqual(['max_wal_size: 1GB → 15GB']);
    const few = windowOf(60, { counters: { ...delta, checkpoints: checkpointCounters({ requested: 1 }) } });
    expect(await said(maxWal, snapshot, { window: few })).toEqual(['rejected checkpoints_are_timed']);
  });
  describe('counted for seconds', () => {
    // 73 MB a second: the formula makes 53 GB of it.
    const delta = (seconds: number) => ({
      ...diffCounters(noCounters, noCounters),
      checkpoints: checkpointCounters({ requested: 20 }),
      wal: walCounters({ wal_bytes: seconds * 73 * MB }),
    });
    const since = (seconds: number) => {
      const stats_reset = new Date(Date.parse('2026-03-01T12:00:00.000Z') - seconds * 1000).toISOString();
      return {
        checkpoints: checkpointCounters({ requested: 20, stats_reset }),
        wal: walCounters({ wal_bytes: seconds * 73 * MB, stats_reset }),
      };
    };
    const small = { ram_bytes: GB, server: { database_size_bytes: 600 * MB } };
    test('refused, in the window and since the reset, below one checkpoint_timeout', async () => {
      const window = windowOf(12, { counters: delta(12) });
      const young = snapshotOf({ ...small, counters: since(40) });
      expect(await said(maxWal, young, { window })).toEqual(['rejected statistics_too_young']);
      expect(await said(maxWal, young)).toEqual(['rejected statistics_too_young']);
      const rejection = (await maxWal.evaluate(contextOf(young, { window }))).rejections[0];
      expect(rejection?.reason).toContain('checkpoint_timeout of 300 s');
    });
    test('what was counted for longer speaks in place of a young window', async () => {
      const window = windowOf(12, { counters: delta(12) });
      const draft = await draftOf(maxWal, snapshotOf({ counters: since(86_400) }), { window });
      expect(draft.title).toBe('max_wal_size: 1GB → 50GB');
      expect(draft.evidence.find(({ name }) => name === 'checkpoints requested')?.source).toContain(
        'since 2026',
      );
    });
    test('never beyond what a host of its size may spend, with the formula', async () => {
      const window = windowOf(3600, { counters: delta(3600) });
      const draft = await draftOf(maxWal, snapshotOf(small), { window });
      expect(draft.title).toBe('max_wal_size: 1GB → 4GB');
      const cap = draft.evidence.find(({ name }) => name === 'most that max_wal_size may be');
      expect(cap?.value).toBe(4 * GB);
      expect(cap?.formula).toContain('mixed: 4GB; 2 × RAM 2GB; half of the database 300MB');
      const large = snapshotOf({ ram_bytes: GB, server: { database_size_bytes: 50 * GB } });
      expect(await said(maxWal, large, { window })).toEqual(['max_wal_size: 1GB → 25GB']);
      const vast = snapshotOf({ ram_bytes: 512 * GB });
      expect(await said(maxWal, vast, { window })).toEqual(['max_wal_size: 1GB → 53GB']);
      const already = snapshotOf({ ...small, settings: { max_wal_size: '4096' } });
      expect(await said(maxWal, already, { window })).toEqual(['rejected as_large_as_the_host_allows']);
    });
  });
  test('quiet without checkpoints, with timed ones, and where WAL does not explain them', async () => {
    expect(await said(maxWal, snapshotOf())).toEqual(['rejected no_evidence']);
    expect(await said(maxWal, snapshotOf(counted(95, 5, GB)))).toEqual(['rejected checkpoints_are_timed']);
    const large = { ...counted(10, 90, GB), settings: { max_wal_size: '8192' } };
    expect(await said(maxWal, snapshotOf(large))).toEqual(['rejected rate_does_not_explain']);
  });
});

test('wal_buffers: fires where they were full, quiet where not', async () => {
  const full = (times: number) =>
    snapshotOf({
      counters: {
        wal: walCounters({ wal_buffers_full: times, stats_reset: '2026-03-01T11:00:00.000Z' }),
      },
    });
  expect(await said(walBuffers, full(6000))).toEqual(['wal_buffers: 4MB → 16MB']);
  const { evidence } = await draftOf(walBuffers, full(6000));
  expect(evidence.map(({ name }) => name)).toContain('worst-case memory after');
  expect(await said(walBuffers, full(10))).toEqual(['rejected rarely_full']);
  expect(await said(walBuffers, snapshotOf())).toEqual(['rejected no_evidence']);
  const young = walCounters({ wal_buffers_full: 9000, stats_reset: '2026-03-01T11:56:00.000Z' });
  expect(await said(walBuffers, snapshotOf({ counters: { wal: young } }))).toEqual([
    'rejected statistics_too_young',
  ]);
});

test('checkpoint_completion_target: fires on the old default only', async () => {
  expect(
    await said(completionTarget, snapshotOf({ settings: { checkpoint_completion_target: '0.5' } })),
  ).toEqual(['checkpoint_completion_target: 0.5 → 0.9']);
  expect(await said(completionTarget, snapshotOf())).toEqual(['rejected close_enough']);
});

test('memory budget: a finding where the set exceeds RAM, quiet where it fits', async () => {
  expect(await said(budget, snapshotOf())).toEqual(['rejected fits']);
  const snapshot = snapshotOf({ settings: { work_mem: String(256 * 1024) } });
  const draft = await draftOf(budget, snapshot);
  expect(draft.change.kind).toBe('finding');
  expect(draft.evidence.map((item) => item.formula).join()).toContain('256MB work_mem');
  expect(draft.rationale).toMatch(/or a lower work_mem \(a set that fits has \d+MB/);
});

test('memory budget: where a role’s own work_mem is too much the server’s is not blamed', async () => {
  const draft = await draftOf(
    budget,
    snapshotOf({
      settings: { work_mem: '1024' },
      setting_overrides: [{ name: 'work_mem', value: '1GB', role: 'reports', database: null }],
    }),
  );
  expect(draft.rationale).toMatch(
    / of 16GB, .* for the roles and databases with a work_mem of their own, which is \d+GB/,
  );
  expect(draft.rationale).not.toContain('a lower work_mem');
});

describe('who may change it, and where', () => {
  test.each([
    ['a managed service', { server: { managed_service: 'cloudsql' } }, 'gcloud'],
    ['a service nobody knows', { server: { managed_service: 'acme' } }, "the service's own configuration"],
    ['the command line', { settings: { effective_cache_size: { source: 'command line' } } }, 'command line'],
    ['Patroni', { settings: { allow_alter_system: 'off' } }, 'Patroni'],
  ])('%s: a finding with its dialect, nothing to apply', async (_, parts, words) => {
    const draft = await draftOf(cacheSize, snapshotOf(parts));
    expect(draft.change).toEqual({ kind: 'finding' });
    expect(draft.rationale).toContain(words);
  });
  test('what ALTER ROLE ALL gives is changed there, and is in no file', async () => {
    const draft = await draftOf(
      cacheSize,
      snapshotOf({
        settings: { effective_cache_size: { setting: '8192', source: 'global' } },
        setting_overrides: [{ name: 'effective_cache_size', value: '64MB', role: null, database: null }],
      }),
    );
    expect(draft.change).toEqual({ kind: 'finding' });
    expect(draft.rationale).toContain(`ALTER ROLE ALL SET effective_cache_size = '12GB';`);
    expect(draft.setting).toBeUndefined();
    expect(draft.risk.notes.join()).not.toContain('stays so');
  });

  test('a setting that waits for a restart already is left alone', async () => {
    const snapshot = snapshotOf({ settings: { shared_buffers: { pending_restart: true } } });
    expect(await said(buffers, snapshot)).toEqual(['rejected waits_for_restart']);
  });
  test('a setting that is not visible is a limit', async () => {
    const snapshot = snapshotOf();
    snapshot.settings = snapshot.settings.filter((row) => row.name !== 'shared_buffers');
    expect(await said(buffers, snapshot)).toEqual(['limit setting_not_visible']);
  });
});
