/** Insert-only tables: vacuumed early enough for index-only scans and freezing. */
import type { RecommendationDraft, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import type { Churn } from '../../autovacuum/churn.ts';
import { wantedInsertTrigger } from '../../autovacuum/derive.ts';
import { judgeTables, sureness } from '../../autovacuum/judged-tables.ts';
import { autovacuumEnabled, rowsOf } from '../../autovacuum/options.ts';
import { replay, replayEvidence } from '../../autovacuum/replay.ts';
import { count, optionsAfter, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { insertTrigger } from '../../autovacuum/trigger.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/insert-scale-factor';
/** Smaller tables are read and frozen in a moment. */
const MINIMUM_ROWS = 1_000_000;
const MINIMUM_INSERTS = 500;
/** Updates and deletes below this share of the inserts: an insert-only table. */
const INSERT_ONLY_SHARE = 0.01;
const MINIMUM_FACTOR = 2;
/** Rarer vacuums than one in this many days after the change: it grows too slowly to matter. */
const RAREST_DAYS = 30;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'An insert-only table is vacuumed rarely',
  description:
    'Fires for tables of a million rows and more, with inserts and hardly any updates or deletes (below 1 % of the ' +
    'inserts, in the window and since counting began), whose insert trigger (autovacuum_vacuum_insert_threshold + ' +
    'insert_scale_factor × rows, from 18 on of the share of pages that are not frozen) is at least twice as late as ' +
    '10,000 + 5 % (2 % from ten million rows on), with autovacuum_freeze_min_age 0: rows that never change are frozen ' +
    'the first time they are seen. Partitions that want alike are one advice.',
  evaluate: (context) =>
    judgeTables(context, {
      rule: ID,
      concerns: (table) => table.relkind === 'r' && rowsOf(table) >= MINIMUM_ROWS,
      judge: (table, churn) => (isInsertOnly(table, churn) ? judge(table, churn, context) : null),
      by_horizon: false,
    }),
};

function isInsertOnly(table: TableRow, churn: Churn): boolean {
  const all = table.n_tup_upd + table.n_tup_del;
  return (
    churn.inserted >= MINIMUM_INSERTS &&
    churn.dead < INSERT_ONLY_SHARE * churn.inserted &&
    all < INSERT_ONLY_SHARE * table.n_tup_ins
  );
}

function judge(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } {
  if (!autovacuumEnabled(table, context.snapshot)) {
    return {
      code: 'autovacuum_off',
      reason: 'autovacuum is switched off for it: no trigger is of use before that ends',
    };
  }
  const present = insertTrigger(table, context.snapshot);
  if (present === null) {
    return {
      code: 'insert_trigger_off',
      reason: 'its insert trigger is switched off or not visible: nobody but a person should change that',
    };
  }
  const wanted = wantedInsertTrigger(table);
  if (present.rows < MINIMUM_FACTOR * wanted.rows) {
    return {
      code: 'close_enough',
      reason: `autovacuum comes after ${count(present.rows)} inserted rows; ${count(wanted.rows)} would be proposed`,
    };
  }
  const set = {
    autovacuum_vacuum_insert_scale_factor: String(wanted.scale_factor),
    autovacuum_vacuum_insert_threshold: String(wanted.threshold),
    autovacuum_freeze_min_age: '0',
  };
  const replayed = replay(table, churn, optionsAfter(table, set), context);
  if (replayed === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const { before, after } = replayed;
  if (after.vacuums_a_day * RAREST_DAYS < 1) {
    return {
      code: 'too_few_inserts',
      reason: `${count(churn.inserted_per_hour)} rows an hour fill ${count(wanted.rows)} too slowly`,
    };
  }
  const { sure, caveat } = sureness(churn);
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_vacuum_insert',
    set,
    title: `Vacuum the insert-only ${table.schema}.${table.name} after ${count(wanted.rows)} new rows, not ${count(present.rows)}`,
    rationale:
      `${count(churn.inserted_per_hour)} rows an hour are inserted and hardly any change. Until a vacuum marks their pages all-visible, index-only scans visit the table for each row; and the longer it waits, the more a vacuum against wraparound has to freeze at once. ` +
      `Replayed at this rate it would come about ${runs(after.vacuums_a_day)} times a day instead of ${runs(before.vacuums_a_day)}.${caveat}`,
    severity: 'low',
    confidence: sure ? 0.7 : 0.5,
    evidence: [
      {
        ...measured('rows inserted an hour', churn.inserted_per_hour, 'rows', churn.source),
        formula: `n_tup_ins ${churn.inserted} × 3600 / ${Math.round(churn.seconds)} s`,
      },
      measured('rows updated or deleted meanwhile', churn.dead, 'rows', churn.source),
      measured('live rows', table.n_live_tup, 'rows', 'pg_stat_user_tables.n_live_tup'),
      measured(
        'inserted since the last vacuum',
        table.n_ins_since_vacuum,
        'rows',
        'pg_stat_user_tables.n_ins_since_vacuum',
      ),
      measured(
        'pages all-visible',
        table.relpages > 0 ? table.relallvisible / table.relpages : 0,
        'share',
        'pg_class.relallvisible / relpages',
      ),
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed('trigger after', wanted.rows, 'rows', wanted.formula),
      ...replayEvidence(replayed),
    ],
    notes: [
      'Freezing writes each page once more, and its WAL, soon after it was filled.',
      'If old rows are deleted in bulk later (a retention job), partitions that are dropped suit better.',
    ],
  });
}
