/** Tables that want one vacuum now: after a bulk delete that no trigger will see, or after a load that nothing has marked. */
import type { RecommendationDraft, Rejection, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import { churnOf } from '../../autovacuum/churn.ts';
import { judgeDeadTrigger } from '../../autovacuum/dead-trigger.ts';
import { rowsOf } from '../../autovacuum/options.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { vacuumDraft } from '../../autovacuum/vacuum-draft.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/vacuum-once';
const MINIMUM_ROWS = 50_000;
/** Dead rows worth a run: of all rows, and at least so many. */
const DEAD_SHARE = 0.1;
const MINIMUM_DEAD = 10_000;
/** Its own trigger comes within a day: leave it to that. */
const SOON_HOURS = 24;
/** Never vacuumed, and so much of it not all-visible. */
const MINIMUM_LOADED = 1_000_000;
const HARDLY_VISIBLE = 0.1;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'A table wants one vacuum now',
  description:
    'Fires for tables of 50,000 rows and more with at least 10,000 dead rows, a tenth of all, whose trigger the observed ' +
    'churn will not reach within a day: what a bulk change left. And for tables of a million rows and more that no vacuum ' +
    'ever came to, of whose pages less than a tenth is all-visible, and to which inserts will not bring one within a day: ' +
    'what a load or a restore left; index-only scans read every row of them in the table. Quiet while a vacuum of the ' +
    'table runs or something holds its dead rows.',
  evaluate: (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    for (const table of context.snapshot.tables) {
      if (!['r', 'm'].includes(table.relkind) || rowsOf(table) < MINIMUM_ROWS) continue;
      const judged = judge(table, context);
      if (judged === null) continue;
      if ('change' in judged) recommendations.push(judged);
      else rejections.push({ rule: ID, candidate: `VACUUM ${table.schema}.${table.name}`, ...judged });
    }
    return { recommendations, rejections, limits: [] };
  },
};

function judge(
  table: TableRow,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  const all = table.n_live_tup + table.n_dead_tup;
  const many = table.n_dead_tup >= Math.max(MINIMUM_DEAD, DEAD_SHARE * all);
  const never = table.last_vacuum === null && table.last_autovacuum === null;
  const visible = table.relpages > 0 ? table.relallvisible / table.relpages : 0;
  const loaded = never && rowsOf(table) >= MINIMUM_LOADED && visible < HARDLY_VISIBLE;
  if (!many && !loaded) return null;
  const churn = churnOf(table, context);
  if (churn === null) return null;
  if (context.snapshot.activity.vacuums.some(({ table_oid }) => table_oid === table.oid)) {
    return { code: 'vacuum_running', reason: 'a vacuum of it runs' };
  }
  const judged = judgeDeadTrigger(table, churn, context);
  if ('code' in judged && judged.code !== 'autovacuum_off') return judged;
  if (!('code' in judged)) {
    if (judged.explained) return { code: judged.explained.code, reason: judged.explained.reason };
    const fills = (have: number, trigger: number, perHour: number) =>
      have > trigger || (perHour > 0 && (trigger - have) / perHour <= SOON_HOURS);
    const { parameters } = judged.simulated;
    const byDead = fills(table.n_dead_tup, judged.present.rows, churn.dead_per_hour);
    const byInserts =
      parameters.insert_threshold >= 0 &&
      fills(
        table.n_ins_since_vacuum,
        parameters.insert_threshold + parameters.insert_scale_factor * rowsOf(table),
        churn.inserted_per_hour,
      );
    if (byDead || byInserts) {
      return { code: 'comes_by_itself', reason: 'autovacuum is due or will be within a day' };
    }
  }
  const name = `${table.schema}.${table.name}`;
  const analyze = table.last_analyze === null && table.last_autoanalyze === null;
  const off = 'code' in judged ? ' Autovacuum is switched off for it.' : '';
  return vacuumDraft(table, {
    rule: ID,
    freeze: false,
    analyze,
    title: many
      ? `VACUUM ${name} once: ${Math.round((100 * table.n_dead_tup) / all)} % of its rows are dead, and its trigger is far`
      : `VACUUM ${name} once: nothing has ever marked its pages all-visible`,
    rationale: many
      ? `${count(table.n_dead_tup)} dead rows lie beside ${count(table.n_live_tup)} live ones and every scan reads them; at the rate of its changes autovacuum is more than a day away.${off} One vacuum makes their room free for new rows; it does not shrink the files.`
      : `It holds ${count(rowsOf(table))} rows and was never vacuumed: index-only scans look up each of them in the table, and all of it is still to be frozen.${off}`,
    severity: 'low',
    confidence: 0.7,
    evidence: [
      measured('dead rows now', table.n_dead_tup, 'rows', 'pg_stat_user_tables.n_dead_tup'),
      measured('live rows', table.n_live_tup, 'rows', 'pg_stat_user_tables.n_live_tup'),
      measured('rows left dead an hour', churn.dead_per_hour, 'rows', churn.source),
      ...('code' in judged
        ? []
        : [computed('trigger of autovacuum', judged.present.rows, 'rows', judged.present.formula)]),
      measured('pages all-visible', visible, 'share', 'pg_class.relallvisible / relpages'),
      measured(
        'last vacuum',
        table.last_vacuum ?? table.last_autovacuum ?? 'never',
        null,
        'pg_stat_user_tables',
      ),
    ],
    notes: analyze ? ['ANALYZE goes with it: it has never been analysed either.'] : [],
  });
}
