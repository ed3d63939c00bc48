/** When autovacuum analyses a large table: after a tenth of its rows, which may be months. */
import type { RecommendationDraft, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import type { Churn } from '../../autovacuum/churn.ts';
import { split } from '../../autovacuum/derive.ts';
import { judgeTables, sureness } from '../../autovacuum/judged-tables.ts';
import { autovacuumEnabled, rowsOf } from '../../autovacuum/options.ts';
import { replay, replayEvidence } from '../../autovacuum/replay.ts';
import { count, optionsAfter, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { analyzeTrigger } from '../../autovacuum/trigger.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/analyze-scale-factor';
/** Up to here the default's tenth comes soon enough, or the table hardly changes. */
const MINIMUM_ROWS = 1_000_000;
const MINIMUM_CHANGES = 500;
const MINIMUM_FACTOR = 2;
/** As often as once a day, where that is between 1 % and 10 % of the rows. */
const WANTED_HOURS = 24;
const LEAST_SHARE = 0.01;
const MOST_SHARE = 0.1;
/** Analysed more often than this now, there is nothing to gain. */
const ENOUGH_A_DAY = 0.5;
/** With fewer changes than 1 % of the rows in so many days statistics keep. */
const SLOWEST_DAYS = 30;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Statistics of a large table are renewed rarely',
  description:
    'The trigger is autovacuum_analyze_threshold + autovacuum_analyze_scale_factor × rows of inserts, updates and ' +
    'deletes. The wanted one is what changes in a day, at least 1 % and at most 10 % of the rows: ANALYZE reads at most ' +
    '30,000 pages whatever the size. Fires for tables of a million rows and more that the replay of the observed rates ' +
    'analyses less than every other day, where the present trigger is at least twice as late. Whether statistics are ' +
    'stale now is not its question.',
  evaluate: (context) =>
    judgeTables(context, {
      rule: ID,
      concerns: (table) => ['r', 'm'].includes(table.relkind) && rowsOf(table) >= MINIMUM_ROWS,
      judge: (table, churn) => judge(table, churn, context),
      by_horizon: false,
    }),
};

function judge(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  const changes = churn.dead + churn.inserted;
  if (changes < MINIMUM_CHANGES) return null;
  if (!autovacuumEnabled(table, context.snapshot)) {
    return { code: 'autovacuum_off', reason: 'autovacuum is switched off for it' };
  }
  const present = analyzeTrigger(table, context.snapshot);
  if (present === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const rows = rowsOf(table);
  const perHour = churn.changed_per_hour + churn.inserted_per_hour;
  if (perHour * 24 * SLOWEST_DAYS < LEAST_SHARE * rows) {
    return {
      code: 'too_few_changes',
      reason: `${count(perHour)} changed rows an hour are less than 1 % of ${count(rows)} in ${SLOWEST_DAYS} days: statistics keep`,
    };
  }
  const target = Math.min(Math.max(perHour * WANTED_HOURS, LEAST_SHARE * rows), MOST_SHARE * rows);
  const { threshold, scale_factor } = split(target, rows);
  const wanted = threshold + scale_factor * rows;
  if (present.rows < MINIMUM_FACTOR * wanted) {
    return {
      code: 'close_enough',
      reason: `it is analysed after ${count(present.rows)} changed rows; ${count(wanted)} would be proposed`,
    };
  }
  const set = {
    autovacuum_analyze_scale_factor: String(scale_factor),
    autovacuum_analyze_threshold: String(threshold),
  };
  const replayed = replay(table, churn, optionsAfter(table, set), context);
  if (replayed === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const { before, after } = replayed;
  if (before.analyzes_a_day > ENOUGH_A_DAY) {
    return {
      code: 'often_enough',
      reason: `at this rate it is analysed ${runs(before.analyzes_a_day)} times a day`,
    };
  }
  const { sure, caveat } = sureness(churn);
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_analyze',
    set,
    title: `Analyze ${table.schema}.${table.name} after ${count(wanted)} changed rows, not ${count(present.rows)}`,
    rationale:
      `${count(perHour)} rows an hour are inserted, updated or deleted in ${count(rows)}, and statistics are renewed after ${count(present.rows)} of them: until then the planner takes new values, such as today's, for values that hardly exist. ` +
      `Replayed at this rate it would be analysed ${runs(after.analyzes_a_day)} times a day instead of ${runs(before.analyzes_a_day)}.${caveat}`,
    severity: 'low',
    confidence: sure ? 0.7 : 0.5,
    evidence: [
      {
        ...measured('rows changed an hour', perHour, 'rows', churn.source),
        formula: `(n_tup_ins + n_tup_upd + n_tup_del) ${changes} × 3600 / ${Math.round(churn.seconds)} s`,
      },
      measured(
        'changed since the last analyze',
        table.n_mod_since_analyze,
        'rows',
        'pg_stat_user_tables.n_mod_since_analyze',
      ),
      measured(
        'last analyze',
        table.last_autoanalyze ?? table.last_analyze ?? 'never',
        null,
        'pg_stat_user_tables',
      ),
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed(
        'trigger after',
        wanted,
        'rows',
        `clamp(${Math.round(perHour)} rows an hour × ${WANTED_HOURS} h, 1 %, 10 % of ${Math.round(rows)} rows) = ${threshold} + ${scale_factor} × ${Math.round(rows)} rows`,
      ),
      ...replayEvidence(replayed, 'analyze'),
    ],
    notes: ['New statistics may change plans: that is their purpose, and now and then a surprise.'],
  });
}
