/** Settings, storage parameters and statistics: they succeed when they are in force. */
import { type Change, quoteQualified } from '../../domain/index.ts';
import { reloptionOf } from '../preflight-table.ts';
import { sameSettingValue } from '../setting-value.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { deadRatio, hotRatio, tableDelta, tableRow, tempBytesPerHour } from './measures.ts';

export function verifySetting(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'setting' }>,
): Judgement {
  const now = after.snapshot.settings.find((row) => row.name === change.name);
  const requested = (side: typeof before) => side.snapshot.counters.checkpoints?.requested ?? null;
  const [earlier, later] = [requested(before), requested(after)];
  const measures = [
    {
      name: 'temporary files of statements, per hour',
      before: tempBytesPerHour(before),
      after: tempBytesPerHour(after),
      unit: 'bytes',
    },
    {
      name: 'requested checkpoints since the change',
      before: null,
      // A reset in between sets the counter back: then only what it says now is known.
      after: earlier !== null && later !== null && later >= earlier ? later - earlier : later,
      unit: 'checkpoints',
    },
  ];
  if (!now) return judgement('inconclusive', `${change.name} could not be seen.`, true, { measures });
  if (now.pending_restart) {
    return judgement('inconclusive', `${change.name} waits for a restart of the server.`, true, { measures });
  }
  // reset_val: what sessions have; `setting` is what our own collecting session set for itself.
  if (sameSettingValue(now.reset_val ?? now.setting, change.value, now)) {
    return judgement('succeeded', `${change.name} = ${change.value} is in force.`, false, { measures });
  }
  return judgement(
    'inconclusive',
    `${change.name} is ${now.reset_val ?? now.setting}${now.unit ? ` (× ${now.unit})` : ''}, not ${change.value}: it was changed again, or our role or database has its own value.`,
    false,
    { measures },
  );
}

export function verifyReloptions(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'table.reloptions' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  const row = tableRow(after, change);
  const measures = [
    {
      name: 'share of dead rows',
      before: deadRatio(before, change),
      after: deadRatio(after, change),
      unit: 'share',
    },
    {
      name: 'autovacuum runs in the window',
      before: tableDelta(before, change)?.autovacuum_count ?? 0,
      after: tableDelta(after, change)?.autovacuum_count ?? 0,
      unit: 'runs',
    },
    {
      name: 'share of HOT updates on the table',
      before: hotRatio(before, change),
      after: hotRatio(after, change),
      unit: 'share',
    },
  ];
  if (!row) return judgement('inconclusive', `${table} is not there any more.`, false, { measures });
  const different = Object.entries(change.set).filter(([name, value]) => reloptionOf(row, name) !== value);
  return different.length === 0
    ? judgement('succeeded', `The storage parameters of ${table} are in force.`, false, { measures })
    : judgement(
        'inconclusive',
        `${different.map(([name]) => name).join(', ')} of ${table} has been changed again.`,
        false,
        { measures },
      );
}

export function verifyAnalyze(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'analyze' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  const newest = (side: typeof before) => {
    const row = tableRow(side, change);
    return Math.max(...[row?.last_analyze, row?.last_autoanalyze].map((at) => (at ? Date.parse(at) : 0)));
  };
  if (!tableRow(after, change)) return judgement('inconclusive', `${table} is not there any more.`, false);
  return newest(after) > newest(before)
    ? judgement('succeeded', `${table} has new statistics.`, false)
    : judgement('inconclusive', `${table} shows no newer statistics.`, true);
}
