/** pg_wal against what its settings ask for; that it is read on real servers is in test/collect/instance.test.ts. */
import { expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/health/wal-directory.ts';
import type { WalDirectory } from '../../../../src/domain/index.ts';
import { GB } from '../../../support/snapshot-builder.ts';
import { evaluated, noInstance, settingRow, slot, snapshotOf, told, withSettings } from './cases.ts';

const megabytes = (name: string, value: number) =>
  settingRow(name, String(value), { vartype: 'integer', unit: 'MB' });

const wal = (gigabytes: number, more: { ready?: number; slot_gigabytes?: number; keep_mb?: number } = {}) => {
  const wal_directory: WalDirectory = {
    files: gigabytes * 64,
    bytes: gigabytes * GB,
    archive_ready: more.ready ?? 0,
  };
  const snapshot = snapshotOf({
    instance: { ...noInstance, wal_directory },
    replication: {
      senders: [],
      receiver: null,
      slots: [slot({ name: 'left', retained_bytes: (more.slot_gigabytes ?? 0) * GB })],
    },
  });
  return withSettings(
    snapshot,
    megabytes('max_wal_size', 4096),
    megabytes('min_wal_size', 80),
    megabytes('wal_keep_size', more.keep_mb ?? 0),
  );
};

test('above twice what the settings ask for, graver from five times on', async () => {
  expect(await told(rule, wal(8))).toEqual([]);
  expect(await told(rule, wal(9))).toEqual(['low wal-directory pg_wal']);
  expect(await told(rule, wal(21))).toEqual(['medium wal-directory pg_wal']);
  expect(await told(rule, wal(9, { keep_mb: 1024 }))).toEqual([]);
});

test('names what keeps it, and that the free space is not seen', async () => {
  const why = async (snapshot: ReturnType<typeof wal>) =>
    (await evaluated(rule, snapshot)).recommendations[0]?.rationale;
  expect(await why(wal(12, { ready: 300 }))).toContain('300 segments wait for the archive');
  expect(await why(wal(12, { slot_gigabytes: 7 }))).toContain('The replication slot left keeps 7 GB');
  expect(await why(wal(12, { slot_gigabytes: 1 }))).toContain('Neither the archive nor a slot');
  expect(await why(wal(12))).toContain('SQL does not tell');
});

test('what was not read, or may not be, is a limit', async () => {
  const { instance: _, ...before } = wal(20);
  const hidden = { ...before, instance: { ...noInstance, wal_directory: null } };
  for (const snapshot of [before, { ...before, instance: noInstance }, hidden]) {
    const { recommendations, limits } = await evaluated(rule, snapshot);
    expect([recommendations, limits.map(({ code }) => code)]).toEqual([[], ['not_collected']]);
  }
});
