/** A setting: in force, and did it move what it is to move? */
import type { Change, Window } from '../../domain/index.ts';
import { sameSettingValue } from '../setting-value.ts';
import { compareAll, pairsOf } from './compare.ts';
import { type Judgement, judgement, type Side, type VerifyInput } from './judgement.ts';
import { asVerdictMeasure, compareCounts, compareSeries, inWords, type OwnMeasure } from './own-measure.ts';
import { evenly, type Series } from './series.ts';
import { globalShift, MIN_CALLS } from './shift.ts';
import { DEAD_ROWS, deadShare } from './table-series.ts';

type SettingChange = Extract<Change, { kind: 'setting' }>;

/** What a setting is for, where a window can show it. */
type Purpose = 'spills' | 'checkpoints' | 'reads' | 'vacuum' | 'plans';

const PURPOSES: readonly [Purpose, RegExp][] = [
  ['spills', /^(work_mem|hash_mem_multiplier)$/],
  ['checkpoints', /^(max_wal_size|checkpoint_timeout)$/],
  ['reads', /^shared_buffers$/],
  ['vacuum', /^autovacuum($|_(max_workers|naptime|work_mem|vacuum_))/],
  [
    'plans',
    /^(random_page_cost|seq_page_cost|cpu_|parallel_|min_parallel_|max_parallel_workers_per_gather|effective_cache_size|default_statistics_target|from_collapse_limit|join_collapse_limit|geqo_|jit|plan_cache_mode|enable_)/,
  ],
];

export function verifySetting(input: VerifyInput, change: SettingChange): Judgement {
  const { name, value } = change;
  const now = input.after.snapshot.settings.find((row) => row.name === name);
  const measures = measuresOf(input, name);
  if (!now) return judgement('inconclusive', `${name} could not be seen.`, true, { measures });
  if (now.pending_restart) {
    return judgement('inconclusive', `${name} waits for a restart of the server.`, true, { measures });
  }
  // reset_val: what sessions have; `setting` is what our own collecting session set for itself.
  if (!sameSettingValue(now.reset_val ?? now.setting, value, now)) {
    return judgement(
      'inconclusive',
      `${name} is ${now.reset_val ?? now.setting}${now.unit ? ` (× ${now.unit})` : ''}, not ${value}: it was changed again, or our role or database has its own value.`,
      false,
      { measures },
    );
  }
  return judgeInForce(input, name, `${name} = ${value} is in force.`);
}

/** What a verdict shows of a setting that it does not judge. */
export function measuresOf(input: VerifyInput, name: string, role?: string) {
  const own = ownMeasure(purposeOf(name), input, role);
  return own ? [asVerdictMeasure(own)] : [];
}

const purposeOf = (name: string): Purpose | null =>
  PURPOSES.find(([, names]) => names.test(name))?.[0] ?? null;

/**
 * In force; did it move what it is to move?
 * @param said a sentence that it is in force.
 * @param role whose sessions alone have it; absent: everybody's in this database.
 */
export function judgeInForce(input: VerifyInput, name: string, said: string, role?: string): Judgement {
  const purpose = purposeOf(name);
  const own = ownMeasure(purpose, input, role);
  const measures = own ? [asVerdictMeasure(own)] : [];
  if (purpose === null) {
    return judgement(
      'succeeded',
      `${said} That is all that can be told: no counter shows what it is for.`,
      false,
      { measures },
    );
  }
  // It concerns all statements, so that none can be a control: only those count whose work changed as their time did.
  const pairs = pairsOf(input.before, input.after).filter(
    // Of a statement that several roles send the counters are joined.
    ({ after }) => role === undefined || (after.users.length === 1 && after.users[0] === role),
  );
  // Another plan of theirs may be the work of an index that came at the same time.
  const others = new Set(input.otherwise_changed_query_ids);
  const unshared = pairs.filter(({ after }) => !others.has(after.query_id));
  const compared = compareAll(unshared, globalShift([]), input.max_p);
  const telling = compared.filter(({ corroborated }) => corroborated);
  const found = { measures, statements: telling.map((item) => item.measured) };
  const won = telling
    .filter(({ word }) => word !== 'same')
    .reduce((sum, item) => sum + item.gain_ms * item.pair.after.calls, 0);
  const slower = telling.filter(({ word }) => word === 'slower').length;
  const faster = telling.filter(({ word }) => word === 'faster').length;
  const ofStatements =
    slower + faster > 0 ? ` ${faster} statement(s) got faster and ${slower} slower with other plans.` : '';
  const shared = pairs.length - unshared.length;
  const setAside =
    shared > 0 ? ` ${shared} statement(s) that other changes are about as well were left out.` : '';
  const all = `${said}${own ? ` ${inWords(own)}` : ''}${ofStatements}${setAside}`;
  if (own?.word === 'worse' || (slower > 0 && won < 0)) return judgement('regressed', all, false, found);
  if (own?.word === 'better' || (faster > 0 && won > 0)) return judgement('succeeded', all, false, found);
  return judgement(
    'inconclusive',
    ofStatements === '' && purpose === 'plans' ? `${all} ${noPlanChanged(compared.length)}` : all,
    true,
    found,
  );
}

/** Of a setting that is to change plans, where none is seen to have changed. */
function noPlanChanged(compared: number): string {
  if (compared === 0) {
    return `No statement is left of which it could be told whether another plan came with it: ${MIN_CALLS} calls before and after are needed, and no other change that may have moved it.`;
  }
  return `Of ${compared} statement(s) that could be compared none reads a tenth more or fewer blocks a call beyond doubt (pg_stat_statements), so that no other plan is seen.`;
}

function ownMeasure(
  purpose: Purpose | null,
  { before, after, max_p }: VerifyInput,
  role?: string,
): OwnMeasure | null {
  switch (purpose) {
    case 'spills':
      return compareSeries(
        {
          name: `temporary files of a statement${role === undefined ? '' : ` of ${role}`}`,
          unit: 'bytes per call',
          source: 'pg_stat_statements.temp_blks_written',
          better: 'lower',
        },
        spills(before, role),
        spills(after, role),
        max_p,
      );
    case 'checkpoints':
      return checkpoints(before, after, max_p);
    case 'reads':
      return compareSeries(
        {
          name: 'blocks that were not in shared_buffers',
          unit: 'share',
          of: 'of all that statements asked for',
          source: 'pg_stat_statements.shared_blks_read ÷ (shared_blks_hit + shared_blks_read)',
          better: 'lower',
        },
        reads(before),
        reads(after),
        max_p,
      );
    case 'vacuum':
      return compareSeries(
        {
          name: 'dead rows of all tables',
          unit: 'share',
          of: 'of all rows',
          source: DEAD_ROWS,
          better: 'lower',
        },
        deadShare(before),
        deadShare(after),
        max_p,
      );
    case 'plans':
    case null:
      return null;
  }
}

/** @param role only of this role's statements. */
function spills(side: Side, role?: string): Series {
  return evenly(side, ({ window }) => {
    const statements = window.statements.filter(({ user }) => role === undefined || user === role);
    const calls = statements.reduce((sum, row) => sum + row.calls, 0);
    const blocks = statements.reduce((sum, row) => sum + row.temp_blks_written, 0);
    return calls > 0 ? (blocks * side.snapshot.server.block_size) / calls : null;
  });
}

function reads(side: Side): Series {
  return evenly(side, ({ window }) => {
    const read = window.statements.reduce((sum, row) => sum + row.shared_blks_read, 0);
    const hit = window.statements.reduce((sum, row) => sum + row.shared_blks_hit, 0);
    return read + hit > 0 ? read / (read + hit) : null;
  });
}

/** By the WAL that was written, which is what asks for them; by the hour where that is not seen. */
function checkpoints(before: Side, after: Side, maxP: number): OwnMeasure {
  const counters = [before, after].map(({ window }) => window.counters);
  const [was, is] = counters.map((seen) => seen?.checkpoints?.requested);
  const [walBefore, walAfter] = counters.map((seen) => seen?.wal?.wal_bytes ?? null);
  const byWal = Boolean(walBefore && walAfter);
  const naming = {
    name: 'requested checkpoints',
    unit: byWal ? 'per GB of WAL' : 'per hour',
    source: byWal
      ? 'pg_stat_checkpointer (before 17 pg_stat_bgwriter) and pg_stat_wal'
      : 'pg_stat_checkpointer (before 17 pg_stat_bgwriter)',
    better: 'lower' as const,
  };
  if (was === undefined || is === undefined) {
    const { better: _, ...named } = naming;
    return { ...named, before: null, after: null, p: null, word: 'unknown' };
  }
  const exposure = ({ counters: seen, seconds }: Window) =>
    byWal ? (seen?.wal?.wal_bytes ?? 0) / 1e9 : seconds / 3600;
  const counted = (side: Side, count: number) => ({
    count,
    exposure: exposure(side.window),
    rates: evenly(side, ({ window }) => {
      const requested = window.counters?.checkpoints?.requested;
      return requested === undefined || exposure(window) === 0 ? null : requested / exposure(window);
    }),
  });
  return compareCounts(naming, counted(before, was), counted(after, is), maxP);
}
