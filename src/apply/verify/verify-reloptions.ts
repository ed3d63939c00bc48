/** Storage parameters: in force, and did they move what they are to move: dead rows, runs of autovacuum, HOT updates? */
import {
  type Change,
  quoteQualified,
  type ReloptionsOfTable,
  reloptionsByTable,
} from '../../domain/index.ts';
import { reloptionOf } from '../preflight-table.ts';
import { type Judgement, judgement, type Side, type VerifyInput } from './judgement.ts';
import { tableRow } from './measures.ts';
import { asVerdictMeasure, compareCounts, compareSeries, inWords } from './own-measure.ts';
import { autovacuumRuns, DEAD_ROWS, deadShare, hotShare } from './table-series.ts';

export function verifyReloptions(
  { before, after, max_p }: VerifyInput,
  change: Extract<Change, { kind: 'table.reloptions' }>,
): Judgement {
  const family = reloptionsByTable(change);
  const dead = compareSeries(
    { name: 'dead rows', unit: 'share', of: 'of all rows', source: DEAD_ROWS, better: 'lower' },
    deadShare(before, family),
    deadShare(after, family),
    max_p,
  );
  const runs = compareCounts(
    {
      name: 'runs of autovacuum',
      unit: 'per hour',
      source: 'pg_stat_user_tables.autovacuum_count',
      better: 'lower',
    },
    autovacuumRuns(before, family),
    autovacuumRuns(after, family),
    max_p,
  );
  const hot = compareSeries(
    {
      name: 'HOT updates',
      unit: 'share',
      of: 'of all updates',
      source: 'pg_stat_user_tables.n_tup_hot_upd ÷ n_tup_upd',
      better: 'higher',
    },
    hotShare(before, family),
    hotShare(after, family),
    max_p,
  );
  const measures = [dead, runs, hot].map(asVerdictMeasure);
  const table = quoteQualified(change.schema, change.table);
  const tables = family.map((one) => ({ ...one, row: tableRow(after, one) }));
  const gone = tables.filter(({ row: found }) => !found);
  // Partitions come and go; of a single table nothing is left to judge.
  if (!tables[0]?.row || gone.length === tables.length) {
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
  const inForce = `The storage parameters of ${which} are in force.`;
  const aim = aimOf(family, after);
  if (aim === null) {
    return judgement(
      'succeeded',
      `${inForce} That is all that can be told: no counter shows what they are for.`,
      false,
      {
        measures,
      },
    );
  }
  const own = { fewer_dead: dead, fewer_runs: runs, more_hot: hot }[aim];
  const said = `${inForce} ${inWords(own)}`;
  if (own.word === 'better') return judgement('succeeded', said, false, { measures });
  return own.word === 'worse'
    ? judgement('regressed', said, false, { measures })
    : judgement('inconclusive', said, true, { measures });
}

const TRIGGER = /^autovacuum_vacuum_(insert_)?(scale_factor|threshold)$/;
const PACE = /^autovacuum_(vacuum_cost_(delay|limit)|enabled)$/;

/** What the change is for, as its options tell; null: a window shows nothing of it. TOAST tables are not counted apart. */
function aimOf(
  family: readonly ReloptionsOfTable[],
  after: Side,
): 'fewer_dead' | 'fewer_runs' | 'more_hot' | null {
  const options = family.flatMap(({ wanted, previous }) =>
    Object.entries(wanted).map(([name, value]) => ({ name, value, previous: previous[name] ?? null })),
  );
  const number = (name: string, value: string | null) =>
    Number(value ?? after.snapshot.settings.find((row) => row.name === name)?.reset_val ?? Number.NaN);
  const triggers = options.filter(({ name }) => TRIGGER.test(name));
  if (triggers.some(({ name, value, previous }) => number(name, value) < number(name, previous))) {
    return 'fewer_dead';
  }
  if (options.some(({ name }) => PACE.test(name))) return 'fewer_dead';
  if (triggers.some(({ name, value, previous }) => number(name, value) > number(name, previous))) {
    return 'fewer_runs';
  }
  return options.some(({ name }) => name === 'fillfactor') ? 'more_hot' : null;
}
