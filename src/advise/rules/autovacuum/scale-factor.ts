/** Per-table triggers of autovacuum from size, churn and what a vacuum of the table reads. */
import type { RecommendationDraft, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import type { Churn } from '../../autovacuum/churn.ts';
import { judgeDeadTrigger, MINIMUM_FACTOR, serverServes } from '../../autovacuum/dead-trigger.ts';
import { judgeTables, sureness } from '../../autovacuum/judged-tables.ts';
import { MINIMUM_CHANGES, MINIMUM_ROWS, manyBehind } from '../../autovacuum/many-behind.ts';
import { rowsOf } from '../../autovacuum/options.ts';
import { churnEvidence, replay, replayEvidence } from '../../autovacuum/replay.ts';
import { count, optionsAfter, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/scale-factor';
/** With fewer vacuums a day than this after the change, nothing is gained by it. */
const MINIMUM_RUNS_A_DAY = 0.5;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Autovacuum comes too late for a churned table',
  description:
    'The trigger is autovacuum_vacuum_threshold + autovacuum_vacuum_scale_factor × rows (from 18 on at most max_threshold). ' +
    'The wanted one is the number of dead rows from which a vacuum reads no more pages of the table and its indexes than ' +
    'the writes touched that made them dead (one for a HOT update or a delete, two and one an index for any other update), or the churn within one round of autovacuum or within ten times what a vacuum of the table takes, where ' +
    'that is more; at least 1 % and at most 20 % of the live rows; a tenth of it as threshold, the rest as scale factor. ' +
    'Fires for tables of 50,000 rows and more with 500 changes and more whose present trigger is at least twice as late; ' +
    'partitions that want alike are one advice. Quiet where pruning leaves nothing to vacuum, and while a transaction, a ' +
    'slot, a standby or a prepared transaction holds the dead rows: vacuums alone do not help then.',
  evaluate: (context) =>
    judgeTables(context, {
      rule: ID,
      concerns: (table) => ['r', 'm'].includes(table.relkind) && rowsOf(table) >= MINIMUM_ROWS,
      judge: (table, churn) => judge(table, churn, context),
      by_horizon: true,
    }),
};

function judge(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  if (churn.dead < MINIMUM_CHANGES) return null;
  const judged = judgeDeadTrigger(table, churn, context);
  if ('code' in judged) return judged;
  const { present, wanted, explained } = judged;
  if (explained) return { code: explained.code, reason: explained.reason };
  if (churn.left < MINIMUM_CHANGES) {
    return {
      code: 'pruning_suffices',
      reason: `of ${count(churn.dead)} rows updated or deleted pruning left ${count(churn.left)} dead: there is little for vacuum to remove`,
    };
  }
  if (present.rows < MINIMUM_FACTOR * wanted.rows) {
    return {
      code: 'close_enough',
      reason: `autovacuum comes after ${count(present.rows)} dead rows; ${count(wanted.rows)} would be proposed`,
    };
  }
  if (present.source.startsWith('the table') && serverServes(judged)) {
    return {
      code: 'override_to_remove',
      reason: `without its own parameters the server's settings give ${count(judged.of_server)}, near the ${count(wanted.rows)} that are wanted: the table's own are to go`,
    };
  }
  const many = manyBehind(context);
  const own = present.source.startsWith('the table');
  const by = many === null ? 0 : many.scale_factor * rowsOf(table);
  if (many && !own && by < MINIMUM_FACTOR * wanted.rows && wanted.rows < MINIMUM_FACTOR * by) {
    return {
      code: 'global_first',
      reason: `it is one of ${many.behind} tables that are late by the server's setting: a scale factor of ${many.scale_factor} there serves it, too`,
    };
  }
  const set = {
    autovacuum_vacuum_scale_factor: String(wanted.scale_factor),
    autovacuum_vacuum_threshold: String(wanted.threshold),
    ...(wanted.max_threshold === null
      ? {}
      : { autovacuum_vacuum_max_threshold: String(wanted.max_threshold) }),
  };
  const replayed = replay(table, churn, optionsAfter(table, set), context);
  if (replayed === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const { before, after } = replayed;
  if (after.vacuums_a_day < MINIMUM_RUNS_A_DAY) {
    return {
      code: 'too_little_churn',
      reason: `${count(churn.dead_per_hour)} dead rows an hour do not ask for an earlier vacuum`,
    };
  }
  const { sure, caveat } = sureness(churn);
  const unlike = table.toast !== null && Object.keys(table.toast_reloptions).length === 0;
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_vacuum',
    set,
    title: `Vacuum ${table.schema}.${table.name} after ${count(wanted.rows)} dead rows, not ${count(present.rows)}`,
    rationale:
      `${count(churn.dead_per_hour)} rows an hour are left dead beside ${count(table.n_live_tup)} live ones, but autovacuum waits for ${count(present.rows)} of them: scans read them all until then, and the table grows to hold them. ` +
      `Replayed at this rate it would come about ${runs(after.vacuums_a_day)} times a day instead of ${runs(before.vacuums_a_day)}, with at most ${count(after.dead_peak)} dead rows instead of ${count(before.dead_peak)}, and read ${count(after.pages_read_a_day)} pages a day instead of ${count(before.pages_read_a_day)}.${caveat}`,
    severity: table.n_dead_tup > 0.1 * table.n_live_tup ? 'medium' : 'low',
    confidence: sure ? 0.8 : 0.55,
    evidence: [
      ...churnEvidence(churn, table),
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed('trigger after', wanted.rows, 'rows', wanted.formula),
      ...replayEvidence(replayed),
      measured('autovacuums counted', churn.autovacuums, 'runs', churn.source),
      measured(
        'last autovacuum',
        table.last_autovacuum ?? 'never',
        null,
        'pg_stat_user_tables.last_autovacuum',
      ),
    ],
    notes: [
      'Each vacuum reads the pages that changed and, unless dead rows are on less than 2 % of the pages, all indexes of the table; autovacuum_vacuum_cost_limit bounds how fast.',
      churn.pruning_seen
        ? 'What pruning removed without vacuum is left out of the rate.'
        : 'HOT updates are pruned without vacuum: if most updates are HOT, less is gained.',
      'The replay takes the rate as even and changed rows as lying anywhere: bursts bring more dead rows at a time, rows that lie together less reading.',
      ...(unlike
        ? [
            'Its TOAST table has no parameters of its own and takes these over: they are rows of its own there.',
          ]
        : []),
    ],
  });
}
