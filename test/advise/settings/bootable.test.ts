/** Values that may keep a server from starting are refused whatever formula asks for them. */
import { describe, expect, test } from 'vitest';
import { propose } from '../../../src/advise/settings/propose.ts';
import { noReplication, type SettingRow, type Snapshot } from '../../../src/domain/index.ts';
import { contextOf, GB, snapshotOf, windowOf } from '../../support/snapshot-builder.ts';
import { concurrency } from '../rules/settings/busy-server.ts';

const ROWS: [name: string, setting: string, more: Partial<SettingRow>][] = [
  ['huge_pages', 'off', { vartype: 'enum', enumvals: ['off', 'on', 'try'] }],
  ['io_method', 'worker', { vartype: 'enum', enumvals: ['sync', 'worker', 'io_uring'] }],
  ['max_wal_senders', '10', {}],
  ['max_prepared_transactions', '10', {}],
  ['max_locks_per_transaction', '64', {}],
  ['max_worker_processes', '8', {}],
];

function stock(parts: Parameters<typeof snapshotOf>[0] = {}): Snapshot {
  const snapshot = snapshotOf(parts);
  const known = new Set(snapshot.settings.map(({ name }) => name));
  const rows = ROWS.filter(([name]) => !known.has(name)).map(
    ([name, setting, more]): SettingRow => ({
      name,
      setting,
      unit: null,
      category: '',
      context: 'postmaster',
      vartype: 'integer',
      source: 'default',
      min_val: '0',
      max_val: '262143',
      enumvals: null,
      boot_val: setting,
      reset_val: setting,
      sourcefile: null,
      pending_restart: false,
      ...more,
    }),
  );
  return { ...snapshot, settings: [...snapshot.settings, ...rows] };
}

const outcome = (name: string, value: number | string, snapshot: Snapshot, connections = 20) => {
  const window = windowOf(86_400, { concurrency: { ...concurrency, total_max: connections } });
  const { recommendations, rejections } = propose(contextOf(snapshot, { window }), {
    rule: 'settings/test',
    name,
    value,
    formula: 'as asked',
    why: 'Somebody asks for it.',
    unless: 'Nothing.',
    severity: 'low',
    confidence: 1,
    evidence: [],
    direction: 'either',
    observed: true,
  });
  return recommendations[0]?.title ?? rejections[0]?.code;
};

describe('words that want the host’s help', () => {
  test.each([
    ['io_method', 'io_uring', 'may_not_boot'],
    ['io_method', 'uring', 'not_available'],
    ['io_method', 'sync', 'io_method: worker → sync'],
    ['huge_pages', 'on', 'may_not_boot'],
    ['huge_pages', 'try', 'huge_pages: off → try'],
  ])('%s = %s: %s', (name, value, expected) => {
    expect(outcome(name, value, stock())).toBe(expected);
  });
});

test('shared memory that may not be had', () => {
  expect(outcome('shared_buffers', 13 * GB, stock({ ram_bytes: 16 * GB }))).toBe('may_not_boot');
  expect(outcome('shared_buffers', 8 * GB, stock({ ram_bytes: 16 * GB }))).toContain('→ 8GB');
});

test.each([
  ['max_connections', 50],
  ['max_worker_processes', 4],
  ['max_wal_senders', 5],
  ['max_prepared_transactions', 5],
  ['max_locks_per_transaction', 32],
])('a standby keeps its primary’s %s; the primary is told who comes first', (name, less) => {
  expect(outcome(name, less, stock({ server: { in_recovery: true } }))).toBe('standby_below_primary');
  expect(outcome(name, less, stock())).toContain(`→ ${less}`);
  const { recommendations } = propose(
    contextOf({
      ...stock(),
      replication: { ...noReplication, senders: [{} as Snapshot['replication']['senders'][number]] },
    }),
    {
      rule: 'settings/test',
      name,
      value: 1000,
      formula: 'as asked',
      why: 'Somebody asks for it.',
      unless: 'Nothing.',
      severity: 'low',
      confidence: 1,
      evidence: [],
      direction: 'raise',
      observed: true,
    },
  );
  expect(recommendations[0]?.risk.notes.join(' ')).toContain('Set it on the standbys first');
});

test('fewer connections than are in use and reserved', () => {
  // 60 were in use, 3 are a superuser's.
  expect(outcome('max_connections', 60, stock(), 60)).toBe('below_use');
  expect(outcome('max_connections', 70, stock(), 60)).toBe('max_connections: 100 → 70');
});

test('a value that is there already is not said to be near itself', () => {
  const reasonOf = (value: number) =>
    propose(contextOf(stock()), {
      rule: 'settings/test',
      name: 'max_worker_processes',
      value,
      formula: 'as asked',
      why: 'Somebody asks for it.',
      unless: 'Nothing.',
      severity: 'low',
      confidence: 1,
      evidence: [],
      direction: 'raise',
      observed: true,
    }).rejections[0]?.reason;
  expect(reasonOf(8)).toBe('it is 8 already');
  expect(reasonOf(9)).toBe('8 is near the 9 that it would be');
});
