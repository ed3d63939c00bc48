/** Settings, storage parameters and statistics: they succeed when they are in force. */
import { type Change, quoteQualified, reloptionsByTable } from '../../domain/index.ts';
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

/** In force for the role; what its statements spill is measured by itself. */
export function verifyRoleSetting(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'role.setting' }>,
): Judgement {
  const { role, name } = change;
  const row = after.snapshot.settings.find((item) => item.name === name);
  const own = after.snapshot.setting_overrides.find(
    (item) => item.role === role && item.database === null && item.name.toLowerCase() === name.toLowerCase(),
  );
  const measures = [
    {
      name: `temporary files of ${role}'s statements, per hour`,
      before: tempBytesPerHour(before, role),
      after: tempBytesPerHour(after, role),
      unit: 'bytes',
    },
  ];
  if (!row || !own || !sameSettingValue(own.value, change.value, row)) {
    return judgement(
      'inconclusive',
      `${name} of ${role} is ${own?.value ?? 'not set'}, not ${change.value}: it was changed again.`,
      false,
      { measures },
    );
  }
  return judgement('succeeded', `${name} = ${change.value} is in force for ${role}.`, false, { measures });
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
  const tables = reloptionsByTable(change).map((one) => ({ ...one, row: tableRow(after, one) }));
  const gone = tables.filter(({ row: found }) => !found);
  // Partitions come and go; of a single table nothing is left to judge.
  if (!row || gone.length === tables.length) {
    return judgement('inconclusive', `${table} is not there any more.`, false, { measures });
  }
  const different = tables.flatMap(({ schema, table: name, wanted, row: found }) =>
    Object.entries(wanted)
      .filter(([option, value]) => found && reloptionOf(found, option) !== value)
      .map(([option]) => `${option} of ${quoteQualified(schema, name)}`),
  );
  if (different.length > 0) {
    return judgement('inconclusive', `${different.join(', ')} has been changed again.`, false, { measures });
  }
  const which = tables.length > 1 ? `${table} and ${tables.length - 1} more of its family` : table;
  return judgement('succeeded', `The storage parameters of ${which} are in force.`, false, { measures });
}

export function verifyVacuum(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'vacuum' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  const [earlier, later] = [tableRow(before, change), tableRow(after, change)];
  if (!later) return judgement('inconclusive', `${table} is not there any more.`, false);
  const newest = (row: typeof later | undefined) =>
    Math.max(...[row?.last_vacuum, row?.last_autovacuum].map((at) => (at ? Date.parse(at) : 0)));
  const measures = [
    {
      name: 'share of dead rows',
      before: deadRatio(before, change),
      after: deadRatio(after, change),
      unit: 'share',
    },
    {
      name: 'age of its oldest transaction',
      before: earlier?.xid_age ?? null,
      after: later.xid_age,
      unit: 'transactions',
    },
  ];
  // Of a partitioned table the leaves are vacuumed: its own row never says so.
  if (later.relkind !== 'p' && newest(later) <= newest(earlier)) {
    return judgement('inconclusive', `${table} shows no newer vacuum.`, true, { measures });
  }
  const [ageBefore, ageAfter] = [earlier?.xid_age ?? null, later.xid_age];
  if (change.freeze && ageBefore !== null && ageAfter !== null && ageAfter >= ageBefore) {
    return judgement(
      'inconclusive',
      `${table} was vacuumed, but its oldest transaction did not move: something holds it.`,
      true,
      { measures },
    );
  }
  return judgement('succeeded', `${table} has been vacuumed.`, false, { measures });
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
