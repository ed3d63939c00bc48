/** autovacuum_naptime: where a table fills with dead rows between two looks. */
import type { Rule } from '../../../domain/index.ts';
import { churnOf } from '../../autovacuum/churn.ts';
import { judgeDeadTrigger } from '../../autovacuum/dead-trigger.ts';
import { rowsOf, serverParameter } from '../../autovacuum/options.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { computed, measured, rejected } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'autovacuum/naptime';
const NAME = 'autovacuum_naptime';
/** Dead rows that may come between two looks, of the live ones; beyond it the table doubles in no time. */
const BETWEEN_LOOKS = 0.5;
const MINIMUM_ROWS = 1_000;
/** As frequent a look as costs next to nothing; and shorter naps than this one are left alone. */
const LEAST_SECONDS = 10;
const SHORT_SECONDS = 15;
const MINIMUM_CHANGES = 500;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Tables fill with dead rows between two looks of autovacuum',
  description:
    'Autovacuum looks at a database every autovacuum_naptime: no trigger brings it sooner. Fires where a table of 1,000 ' +
    'rows and more (a queue, a session store) gets more dead rows in one nap, what pruning removes left out, than half of ' +
    'its live ones and more than its trigger. Proposes the nap in which a fifth of it would come, 10 s at least. Quiet ' +
    'at naps of 15 s and less, and for tables whose dead rows something holds.',
  evaluate: (context) => {
    const nap = serverParameter(context.snapshot, NAME)?.value;
    if (nap === undefined) return { recommendations: [], rejections: [], limits: [] };
    const fast = context.snapshot.tables.flatMap((table) => {
      if (table.relkind !== 'r' || rowsOf(table) < MINIMUM_ROWS) return [];
      const churn = churnOf(table, context);
      if (churn === null || churn.left < MINIMUM_CHANGES) return [];
      const inNap = (churn.dead_per_hour * nap) / 3600;
      if (inNap < BETWEEN_LOOKS * table.n_live_tup) return [];
      const judged = judgeDeadTrigger(table, churn, context);
      if ('code' in judged || judged.explained || judged.present.rows > inNap) return [];
      return [{ table, churn, inNap }];
    });
    const [worst] = fast.sort((a, b) => b.inNap / b.table.n_live_tup - a.inNap / a.table.n_live_tup);
    if (!worst) return { recommendations: [], rejections: [], limits: [] };
    if (nap <= SHORT_SECONDS) {
      return rejected({ rule: ID, candidate: NAME, code: 'short_already', reason: `it is ${nap} s already` });
    }
    const share = worst.inNap / worst.table.n_live_tup;
    const value = Math.max(LEAST_SECONDS, Math.round((nap * 0.2) / share));
    const name = `${worst.table.schema}.${worst.table.name}`;
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `max(${LEAST_SECONDS} s, ${nap} s × 20 % / ${(100 * share).toFixed(0)} % of the live rows left dead in one nap)`,
      why: `Autovacuum looks every ${nap} s; in that time ${name} gets ${count(worst.inNap)} dead rows beside ${count(worst.table.n_live_tup)} live ones, so that its vacuums come late whatever its trigger is.`,
      unless:
        'With very many tables in many databases each look costs a little: 10 s are fine for hundreds of tables.',
      severity: 'low',
      confidence: 0.6,
      direction: 'lower',
      observed: true,
      evidence: fast.slice(0, 5).flatMap(({ table, churn, inNap }) => [
        {
          ...measured(
            `rows left dead an hour in ${table.schema}.${table.name}`,
            churn.dead_per_hour,
            'rows',
            churn.source,
          ),
          formula: `${churn.left} × 3600 / ${Math.round(churn.seconds)} s`,
        },
        computed(`of them in one nap`, inNap, 'rows', `× ${nap} s`),
        measured(
          `live rows of ${table.schema}.${table.name}`,
          table.n_live_tup,
          'rows',
          'pg_stat_user_tables',
        ),
      ]),
    });
  },
};
