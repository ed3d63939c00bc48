/** All that the rules propose for a host, applied together: the set must fit into its memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runRules } from '../../../src/advise/engine.ts';
import { loadRules } from '../../../src/advise/registry.ts';
import { parseSetting, settingBytes } from '../../../src/advise/settings/units.ts';
import type { RuleResult, Snapshot } from '../../../src/domain/index.ts';
import {
  contextOf,
  databaseCounters,
  GB,
  snapshotOf,
  workloadOf,
  workloadQuery,
} from '../../support/snapshot-builder.ts';
import { statementRow } from '../rules/settings/busy-server.ts';
import { matrix } from './matrix.ts';

// Once: each load asks for some hundred modules.
const rules = (await loadRules()).filter(({ area }) => area === 'settings');

/**
 * A count of its own, by the names of pg_settings: three sorts a process, or a sort and a hash, every autovacuum worker,
 * one index build, and what roles have beyond the others.
 */
function bytesAtWorst({
  settings,
  setting_overrides,
}: Pick<Snapshot, 'settings' | 'setting_overrides'>): number {
  const row = (name: string) => {
    const found = settings.find((item) => item.name === name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  const bytes = (name: string) => settingBytes(row(name)) ?? 0;
  const maintenance = bytes('maintenance_work_mem');
  const number = (name: string) => Number(row(name).setting);
  const workers = Math.min(number('max_parallel_workers'), number('max_worker_processes'));
  const processes = number('max_connections') + workers;
  const portions = Math.max(3, 1 + number('hash_mem_multiplier'));
  const roles = setting_overrides
    .filter(({ name }) => name === 'work_mem')
    .map(({ value }) => (parseSetting(value, row('work_mem')) ?? 0) * 1024 - bytes('work_mem'));
  return (
    bytes('shared_buffers') +
    portions * processes * (bytes('work_mem') + roles.reduce((sum, more) => sum + Math.max(0, more), 0)) +
    Number(row('autovacuum_max_workers').setting) * maintenance +
    maintenance
  );
}

function applied(snapshot: Snapshot, result: RuleResult): Snapshot {
  const settings = snapshot.settings.map((row) => {
    const draft = result.recommendations.find(
      ({ change }) => change.kind === 'setting' && change.name === row.name,
    );
    if (draft?.change.kind !== 'setting') return row;
    const value = parseSetting(draft.change.value, row);
    if (value === null) throw new Error(`${row.name} = ${draft.change.value}`);
    return { ...row, setting: String(value) };
  });
  const roles = result.recommendations.flatMap(({ change }) =>
    change.kind === 'role.setting'
      ? [{ role: change.role, database: null, name: change.name, value: change.value }]
      : [],
  );
  const kept = snapshot.setting_overrides.filter(({ role }) => !roles.some((item) => item.role === role));
  return { ...snapshot, settings, setting_overrides: [...kept, ...roles] };
}

/** A busy, badly served database that is larger than the host, with statements that spill `gigabytes` a call. */
function analyse(snapshot: Snapshot, gigabytes: number, by: 'all' | 'roles' = 'all'): Promise<RuleResult> {
  const spilling = workloadQuery({
    calls: 10,
    temp_blks_written: (10 * gigabytes * GB) / 8192,
    total_exec_time_ms: 1000,
  });
  const rows = ['reports', 'etl', 'app'].map((user, n) =>
    statementRow({
      user,
      calls: 10,
      queryid: user === 'app' ? '2' : '1',
      temp_blks_written: user === 'app' ? 0 : spilling.temp_blks_written / (n + 1),
    }),
  );
  const statements = by === 'roles' ? rows : [];
  return runRules(
    rules,
    contextOf(
      { ...snapshot, statements },
      { workload: workloadOf([spilling, workloadQuery({ query_id: 'q2', queryids: ['2'] })]) },
    ),
  );
}

describe.each(matrix)('$name', ({ input }) => {
  test.each([
    [0.01, 'all'],
    [0.5, 'all'],
    [40, 'all'],
    [0.01, 'roles'],
    [40, 'roles'],
  ] as const)('everything proposed fits together, with spills of %d GB of %s', async (gigabytes, by) => {
    const before = snapshotOf({
      major: input.major,
      ram_bytes: input.ram_bytes,
      cpu_count: input.cpu_count,
      disk_type: input.disk_type,
      settings: { max_connections: String(input.connections ?? 100) },
      server: { database_size_bytes: 5000 * GB },
      counters: { database: databaseCounters({ blks_hit: 500_000, blks_read: 500_000 }) },
    });
    const worst = bytesAtWorst(before);
    const result = await analyse(before, gigabytes, by);
    const memory = result.recommendations.filter(
      ({ change }) =>
        (change.kind === 'setting' || change.kind === 'role.setting') &&
        ['shared_buffers', 'work_mem', 'maintenance_work_mem'].includes(change.name),
    );
    const after = bytesAtWorst(applied(before, result));
    // A stock server may be too much for its host already: then nothing makes it worse, and it is said.
    expect(after).toBeLessThanOrEqual(Math.max(worst, 0.9 * input.ram_bytes));
    if (worst > input.ram_bytes) {
      expect(memory).toEqual([]);
      expect(result.recommendations.map((draft) => draft.rule)).toContain('settings/memory-budget');
    } else if (input.ram_bytes >= 8 * GB) {
      expect(memory.length).toBeGreaterThan(0);
      expect(after).toBeGreaterThan(worst);
    }
    const again = await analyse(applied(before, result), gigabytes, by);
    const twice = bytesAtWorst(applied(applied(before, result), again));
    expect(twice).toBeLessThanOrEqual(Math.max(worst, 0.9 * input.ram_bytes));
  });
});

test('any host: what is proposed fits together, or makes nothing worse', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1024, max: 64 * 1024 }),
      fc.integer({ min: 10, max: 800 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(0.01, 1, 40),
      fc.boolean(),
      async (megabytes, connections, workers, gigabytes, hasQuarter) => {
        const before = snapshotOf({
          ram_bytes: megabytes * 1024 ** 2,
          settings: {
            max_connections: String(connections),
            autovacuum_max_workers: String(workers),
            // Then two fifths are proposed where they fit.
            ...(hasQuarter ? { shared_buffers: String(megabytes * 32) } : {}),
          },
          server: { database_size_bytes: 5000 * GB },
          counters: { database: databaseCounters({ blks_hit: 500_000, blks_read: 500_000 }) },
        });
        const after = bytesAtWorst(applied(before, await analyse(before, gigabytes)));
        const most = Math.max(bytesAtWorst(before), 0.9 * megabytes * 1024 ** 2);
        expect(after).toBeLessThanOrEqual(most);
      },
    ),
    { numRuns: 150 },
  );
});
