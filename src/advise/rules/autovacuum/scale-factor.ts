/** Per-table triggers of autovacuum from size and churn. */
import type {
  Limit,
  RecommendationDraft,
  Rejection,
  Rule,
  RuleContext,
  Snapshot,
  TableRow,
} from '../../../domain/index.ts';
import { type Churn, churnOf } from '../../autovacuum/churn.ts';
import { runsADay, wantedInterval, wantedTrigger } from '../../autovacuum/derive.ts';
import { autovacuumEnabled, rowsOf } from '../../autovacuum/options.ts';
import { count, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { deadRowTrigger } from '../../autovacuum/trigger.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/scale-factor';
/** Smaller tables are vacuumed in a moment, whenever that is. */
const MINIMUM_ROWS = 50_000;
/** Fewer changes in what was watched are no rate. */
const MINIMUM_CHANGES = 500;
/** The proposed trigger must come at least so many times earlier. */
const MINIMUM_FACTOR = 2;
/** With fewer vacuums a day than this after the change, nothing is gained by it. */
const MINIMUM_RUNS_A_DAY = 0.5;
const SHORT_WINDOW_SECONDS = 3600;
/** Dead rows that a vacuum within the window left, against those that came since, beyond which something held them. */
const LEFT_FACTOR = 3;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Autovacuum comes too late for a churned table',
  description:
    'The trigger is autovacuum_vacuum_threshold + autovacuum_vacuum_scale_factor × rows (from 18 on at most max_threshold). ' +
    'The wanted one is the churn within one round of autovacuum, or within ten times what a vacuum of the table takes ' +
    'where that is more; at least 1 % and at most 20 % of the live rows; a tenth of it as threshold, the rest as scale ' +
    'factor. Fires for tables of 50,000 rows and more with 500 changes and more whose present trigger is at least twice ' +
    'as late. Quiet for a table whose dead rows a vacuum just left behind: something holds them, and vacuums alone do not help.',
  evaluate: (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    let unknownRate = false;
    for (const table of context.snapshot.tables) {
      if (!['r', 'm'].includes(table.relkind) || rowsOf(table) < MINIMUM_ROWS) continue;
      const churn = churnOf(table, context);
      if (churn === null) {
        unknownRate = true;
        continue;
      }
      const judged = judge(table, churn, context);
      if (judged === null) continue;
      if ('change' in judged) recommendations.push(judged);
      else rejections.push(judged);
    }
    return {
      recommendations,
      rejections,
      limits: [
        ...(unknownRate ? [UNKNOWN_RATE] : []),
        ...(recommendations.length > 0 ? horizonLimits(context.snapshot) : []),
      ],
    };
  },
};

const UNKNOWN_RATE = {
  scope: ID,
  code: 'rate_unknown',
  message: 'How long tables have been counting is not known, so neither is how fast they change.',
  remedy: 'Take a second snapshot: the window between two gives the rate.',
};

/** A transaction, slot or standby that holds dead rows for longer explains them, whatever the trigger is. */
const HOLDS_MS = 15 * 60_000;
const HOLDS_TRANSACTIONS = 1_000_000;

/** Old snapshots, slots and prepared transactions keep dead rows: what was seen of them, or that it was not seen. */
function horizonLimits({ activity, limits, taken_at }: Snapshot): Limit[] {
  if (limits.some(({ scope }) => scope === 'xmin-holders')) {
    return [
      {
        scope: ID,
        code: 'horizon_not_seen',
        message:
          'What holds back vacuum (long transactions, replication slots, prepared transactions, standby feedback) could not be seen; only a vacuum that left its dead rows behind was looked for.',
        remedy:
          'Look at backend_xmin in pg_stat_activity, xmin in pg_replication_slots and at pg_prepared_xacts.',
      },
    ];
  }
  const holders = activity.xmin_holders.filter(
    ({ since, xmin_age }) =>
      (since !== null && Date.parse(taken_at) - Date.parse(since) > HOLDS_MS) ||
      (xmin_age ?? 0) > HOLDS_TRANSACTIONS,
  );
  if (holders.length === 0) return [];
  const named = holders
    .slice(0, 5)
    .map(
      ({ kind, name, xmin_age }) => `${kind.replaceAll('_', ' ')} ${name} (${xmin_age ?? '?'} transactions)`,
    );
  return [
    {
      scope: ID,
      code: 'horizon_held',
      message: `Dead rows cannot be removed while these hold them, however early autovacuum comes: ${named.join(', ')}.`,
      remedy: 'End or shorten these first; then look at the tables again.',
    },
  ];
}

function judge(table: TableRow, churn: Churn, context: RuleContext): RecommendationDraft | Rejection | null {
  if (churn.dead < MINIMUM_CHANGES) return null;
  const { snapshot } = context;
  const reject = (code: string, reason: string): Rejection => ({
    rule: ID,
    candidate: `${table.schema}.${table.name}`,
    code,
    reason,
  });
  if (!autovacuumEnabled(table, snapshot)) {
    return reject(
      'autovacuum_off',
      'autovacuum is switched off for it: no trigger is of use before that ends',
    );
  }
  const present = deadRowTrigger(table, snapshot);
  if (present === null) return reject('settings_not_visible', "autovacuum's settings are not visible");
  const left = leftBehind(table, churn, snapshot.taken_at, present.rows);
  if (left !== null) return reject('vacuum_leaves_dead_rows', left);
  const interval = wantedInterval(table, snapshot);
  const wanted = wantedTrigger(churn.dead_per_hour, table, snapshot, interval);
  const runsNow = runsADay(churn.dead_per_hour, present.rows, snapshot);
  const runsAfter = runsADay(churn.dead_per_hour, wanted.rows, snapshot);
  if (present.rows < MINIMUM_FACTOR * wanted.rows) {
    return reject(
      'close_enough',
      `autovacuum comes after ${count(present.rows)} dead rows; ${count(wanted.rows)} would be proposed`,
    );
  }
  if (runsAfter < MINIMUM_RUNS_A_DAY) {
    return reject(
      'too_little_churn',
      `${count(churn.dead_per_hour)} dead rows an hour do not ask for an earlier vacuum`,
    );
  }
  const short = churn.from === 'window' && churn.seconds < SHORT_WINDOW_SECONDS;
  const caveat = short
    ? ` The rate was seen for ${Math.round(churn.seconds)} s only: a longer window makes it surer.`
    : churn.from === 'cumulative'
      ? ' The rate is a mean over all the time that was counted: a window between two snapshots says more.'
      : '';
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_vacuum',
    set: {
      autovacuum_vacuum_scale_factor: String(wanted.scale_factor),
      autovacuum_vacuum_threshold: String(wanted.threshold),
      ...(wanted.max_threshold === null
        ? {}
        : { autovacuum_vacuum_max_threshold: String(wanted.max_threshold) }),
    },
    title: `Vacuum ${table.schema}.${table.name} after ${count(wanted.rows)} dead rows, not ${count(present.rows)}`,
    rationale:
      `${count(churn.dead_per_hour)} rows an hour are updated or deleted in ${count(table.n_live_tup)}, but autovacuum waits for ${count(present.rows)} dead ones: scans read them all until then, and the table grows to hold them. ` +
      `At this rate it would come about ${runs(runsAfter)} times a day instead of ${runs(runsNow)}.${caveat}`,
    severity: table.n_dead_tup > 0.1 * table.n_live_tup ? 'medium' : 'low',
    confidence: short || churn.from === 'cumulative' ? 0.55 : 0.8,
    evidence: [
      {
        ...measured('rows updated or deleted an hour', churn.dead_per_hour, 'rows', churn.source),
        formula: `(n_tup_upd + n_tup_del) ${churn.dead} × 3600 / ${Math.round(churn.seconds)} s`,
      },
      measured('live rows', table.n_live_tup, 'rows', 'pg_stat_user_tables.n_live_tup'),
      measured('dead rows now', table.n_dead_tup, 'rows', 'pg_stat_user_tables.n_dead_tup'),
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed('trigger after', wanted.rows, 'rows', wanted.formula),
      computed('wanted interval', interval.seconds, 's', interval.formula),
      computed(
        'vacuums a day now',
        runsNow,
        'runs',
        `${count(churn.dead_per_hour)} × 24 / ${count(present.rows)}, at most one a round`,
      ),
      computed(
        'vacuums a day after',
        runsAfter,
        'runs',
        `${count(churn.dead_per_hour)} × 24 / ${count(wanted.rows)}, at most one a round`,
      ),
      measured('autovacuums counted', churn.autovacuums, 'runs', churn.source),
      measured(
        'last autovacuum',
        table.last_autovacuum ?? 'never',
        null,
        'pg_stat_user_tables.last_autovacuum',
      ),
    ],
    notes: [
      'Each vacuum reads the pages that changed and all indexes of the table; autovacuum_vacuum_cost_limit bounds how fast.',
      'HOT updates are pruned without vacuum: if most updates are HOT, less is gained.',
      'A transaction that stays open for long keeps dead rows, whatever the trigger: look for one first.',
    ],
  });
}

/**
 * A vacuum within the window, and yet far more dead rows than can have come since it ended: it could not remove them.
 * Then an old snapshot, a slot or a prepared transaction is the reason, not the trigger.
 */
function leftBehind(table: TableRow, churn: Churn, takenAt: string, trigger: number): string | null {
  if (churn.from !== 'window' || churn.autovacuums === 0 || table.last_autovacuum === null) return null;
  const since = Math.max(0, (Date.parse(takenAt) - Date.parse(table.last_autovacuum)) / 1000);
  const come = (churn.dead_per_hour * since) / 3600;
  if (table.n_dead_tup <= trigger || table.n_dead_tup <= LEFT_FACTOR * come) return null;
  return `autovacuum ended ${Math.round(since)} s before the snapshot and left ${count(table.n_dead_tup)} dead rows, of which only about ${count(come)} can have come since: a long transaction, a replication slot or a prepared transaction holds them; end that first`;
}
