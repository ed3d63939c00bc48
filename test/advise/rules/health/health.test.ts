import { expect, test } from 'vitest';
import { rule as autovacuumOff } from '../../../../src/advise/rules/health/autovacuum-off.ts';
import { rule as fsyncOff } from '../../../../src/advise/rules/health/fsync-off.ts';
import { rule as pendingRestart } from '../../../../src/advise/rules/health/pending-restart.ts';
import { rule as statisticsMissing } from '../../../../src/advise/rules/health/statistics-missing.ts';
import { type ColumnRow, draftSchema, type Rule, type Snapshot } from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import { contextOf, snapshotOf } from '../../../support/snapshot-builder.ts';

async function drafts(rule: Rule, snapshot: Snapshot) {
  const { recommendations } = await rule.evaluate(contextOf(snapshot));
  return recommendations.map((draft) => draftSchema.parse(draft));
}

test.each([autovacuumOff, fsyncOff, pendingRestart, statisticsMissing])(
  '$id is quiet on a sound server',
  async (rule) => {
    expect(await drafts(rule, snapshotOf({ tables: [tableRow()] }))).toEqual([]);
  },
);

test('fsync and full_page_writes off are critical, and nothing that the service changes', async () => {
  const found = await drafts(fsyncOff, snapshotOf({ settings: { fsync: 'off', full_page_writes: 'off' } }));
  expect(found.map((draft) => [draft.severity, draft.change.kind, draft.title])).toEqual([
    ['critical', 'finding', 'fsync is off'],
    ['critical', 'finding', 'full_page_writes is off'],
  ]);
});

test('autovacuum off for the server, and for one table with a name that needs quotes', async () => {
  expect((await drafts(autovacuumOff, snapshotOf({ settings: { track_counts: 'off' } })))[0]).toMatchObject({
    severity: 'high',
    key: 'finding track_counts off',
  });
  const table = tableRow({
    schema: 'Ops',
    name: 'Größe',
    reloptions: { autovacuum_enabled: 'False' },
    n_dead_tup: 500_000,
  });
  const [draft] = await drafts(autovacuumOff, snapshotOf({ tables: [table, tableRow()] }));
  expect(draft).toMatchObject({ severity: 'medium', title: 'Autovacuum is switched off for Ops.Größe' });
  expect(draft?.risk.notes[0]).toContain('"Ops"."Größe"');
});

test('autovacuum off for a TOAST table alone is told, with its table it is not told twice', async () => {
  const toast_reloptions = { autovacuum_enabled: 'off' };
  const toast = {
    oid: 1,
    relpages: 100,
    reltuples: 1000,
    n_tup_ins: 1900,
    n_tup_del: 900,
    n_live_tup: 1000,
    n_dead_tup: 900,
    n_ins_since_vacuum: 1900,
    last_autovacuum: null,
    vacuum_count: 0,
    autovacuum_count: 0,
    xid_age: 1,
    mxid_age: 1,
  };
  const [draft] = await drafts(
    autovacuumOff,
    snapshotOf({ tables: [tableRow({ name: 'docs', toast, toast_reloptions })] }),
  );
  expect(draft).toMatchObject({
    severity: 'medium',
    key: 'finding toast.autovacuum_enabled off public.docs',
  });
  expect(draft?.risk.notes[0]).toBe('ALTER TABLE public.docs RESET (toast.autovacuum_enabled);');
  const both = tableRow({ toast, toast_reloptions, reloptions: toast_reloptions });
  expect(await drafts(autovacuumOff, snapshotOf({ tables: [both] }))).toHaveLength(1);
});

test('pending restarts are one finding', async () => {
  const waiting = { pending_restart: true };
  const found = await drafts(
    pendingRestart,
    snapshotOf({ settings: { shared_buffers: waiting, max_connections: waiting } }),
  );
  expect(found).toHaveLength(1);
  expect(found[0]?.evidence.map((item) => [item.name, item.value])).toEqual([
    ['max_connections', '100'],
    ['shared_buffers', '128MB'],
  ]);
});

test('statistics are missing where nothing ever looked at the table', async () => {
  const loaded = { reltuples: -1, last_autoanalyze: null, last_autovacuum: null };
  const [draft] = await drafts(statisticsMissing, snapshotOf({ tables: [tableRow(loaded)] }));
  expect(draft?.change).toEqual({ kind: 'analyze', schema: 'public', table: 't' });
  for (const other of [{ n_live_tup: 10 }, { relkind: 'p' }, { relkind: 'f' }, { last_analyze: 'x' }]) {
    expect(
      await drafts(statisticsMissing, snapshotOf({ tables: [tableRow({ ...loaded, ...other })] })),
    ).toEqual([]);
  }
});

test('a table that only CREATE INDEX counted fires where statistics of others are seen', async () => {
  const indexed = tableRow({ oid: 1, name: 'indexed', last_autoanalyze: null });
  const other = tableRow({ oid: 2, name: 'other' });
  expect(await drafts(statisticsMissing, snapshotOf({ tables: [indexed, other] }))).toEqual([]);
  const seen = { table_oid: 2, stats: { inherited: false } } as ColumnRow;
  const found = await drafts(statisticsMissing, snapshotOf({ tables: [indexed, other], columns: [seen] }));
  expect(found.map((draft) => draft.title)).toEqual(['Analyse public.indexed']);
});
