/** What goes wrong in other tools, held on to here. Disks that rotate: test/target/host-facts.test.ts. */
import { expect, test } from 'vitest';
import { STOP_AGE } from '../../../../src/advise/autovacuum/wraparound.ts';
import { rule as rarely } from '../../../../src/advise/rules/health/index-rarely-used.ts';
import { rule as slots } from '../../../../src/advise/rules/health/replication-slot.ts';
import { rule as duplicate } from '../../../../src/advise/rules/index/duplicate.ts';
import { rule as unused } from '../../../../src/advise/rules/index/unused.ts';
import { noReplication } from '../../../../src/domain/index.ts';
import { indexRow, tableRow } from '../../../support/rows.ts';
import { GB } from '../../../support/snapshot-builder.ts';
import { ago, evaluated, slot, snapshotOf } from './cases.ts';

const DAY = 86_400;
const old = { stats_reset: ago(60 * DAY) };
const withIndexes = (...indexes: ReturnType<typeof indexRow>[]) =>
  snapshotOf({ server: old, tables: [tableRow()], indexes });

test('duplicates: a predicate or an expression makes another index', async () => {
  const plain = indexRow({ oid: 1, name: 'one' });
  const twin = indexRow({ oid: 2, name: 'two' });
  const partial = indexRow({ oid: 2, name: 'two', predicate: '(a > 5)' });
  const expression = indexRow({ oid: 2, name: 'two', keys: ['lower(a)'], key_attnums: [0] });
  const dropped = async (other: ReturnType<typeof indexRow>) =>
    (await evaluated(duplicate, withIndexes(plain, other))).recommendations.length;
  expect([await dropped(twin), await dropped(partial), await dropped(expression)]).toEqual([1, 0, 0]);
});

test('unused and hardly used: never a primary key, a unique index, or what a constraint needs', async () => {
  for (const row of [{ is_primary: true, is_unique: true }, { is_unique: true }, { constraint_name: 'u' }]) {
    for (const [rule, idx_scan] of [
      [unused, 0],
      [rarely, 3],
    ] as const) {
      expect((await evaluated(rule, withIndexes(indexRow({ ...row, idx_scan })))).recommendations).toEqual(
        [],
      );
    }
  }
});

test('unused: by statistics of a week, on the server that counts, and replicas are named as unseen', async () => {
  const seen = await evaluated(unused, withIndexes(indexRow()));
  expect([seen.recommendations.length, seen.limits[0]?.code]).toEqual([1, 'replicas_not_seen']);
  const young = snapshotOf({
    server: { stats_reset: ago(DAY) },
    tables: [tableRow()],
    indexes: [indexRow()],
  });
  expect((await evaluated(unused, young)).rejections[0]?.code).toBe('statistics_too_young');
});

test('wraparound: the server stops with 3,000,000 left, not with one', () => {
  expect(2 ** 31 - 1 - STOP_AGE).toBe(3_000_000);
});

test('slots on a standby are judged by what it replayed, which the snapshot holds', async () => {
  const standby = snapshotOf({
    server: { in_recovery: true },
    replication: { ...noReplication, slots: [slot({ active: false, retained_bytes: 5 * GB })] },
  });
  expect((await evaluated(slots, standby)).recommendations[0]?.severity).toBe('medium');
});
