/** What a server is for, by its own statements. */
import { expect, test } from 'vitest';
import { workloadType } from '../../../src/advise/settings/workload-type.ts';
import { contextOf, snapshotOf, workloadOf, workloadQuery } from '../../support/snapshot-builder.ts';

const short = (calls: number, kind: 'select' | 'update') =>
  workloadQuery({
    query_id: `${kind} ${calls}`,
    class: kind,
    calls,
    mean_exec_time_ms: 1,
    total_exec_time_ms: calls,
  });
const report = workloadQuery({
  query_id: 'report',
  calls: 10,
  mean_exec_time_ms: 60_000,
  total_exec_time_ms: 600_000,
});
const slowish = workloadQuery({
  query_id: 'slowish',
  calls: 5000,
  mean_exec_time_ms: 200,
  total_exec_time_ms: 1_000_000,
});

test.each([
  ['web', 'reads that are short', [short(9000, 'select'), short(1000, 'update')]],
  ['oltp', 'three in ten write', [short(7000, 'select'), short(3000, 'update')]],
  ['dw', 'most of the time in long reads', [short(100_000, 'select'), report]],
  ['mixed', 'many that are neither short nor long', [short(9000, 'select'), slowish]],
  ['mixed', 'too few to tell', [short(900, 'select')]],
] as const)('%s: %s', (type, _, queries) => {
  const context = contextOf(snapshotOf(), { workload: workloadOf([...queries]) });
  const told = workloadType(context);
  expect(told.type).toBe(type);
  expect(told.evidence).toMatchObject({ value: type, level: 'estimated', source: 'pg_stat_statements' });
  expect(told.evidence.formula).toBeTruthy();
});
