/** autovacuum_freeze_max_age: forced vacuums of everything every few days, on servers that use up transactions fast. */
import type { Rule } from '../../../domain/index.ts';
import { serverParameter } from '../../autovacuum/options.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { wraparoundFacts } from '../../autovacuum/wraparound.ts';
import { computed, measured, rejected } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'autovacuum/freeze-max-age';
const NAME = 'autovacuum_freeze_max_age';
/** Whole tables read more often than once a week for nothing but their age: too often; once a month is wanted. */
const OFTEN_DAYS = 7;
const WANTED_DAYS = 30;
/** Half of what there is: the rest is for what goes wrong. */
const MOST = 1_000_000_000;
/** A shorter window is no rate for a setting that wants a restart. */
const LEAST_WINDOW_SECONDS = 3_600;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Every table is vacuumed against wraparound every few days',
  description:
    'A table that is vacuumed for nothing else is read as a whole each (autovacuum_freeze_max_age − ' +
    'vacuum_freeze_min_age) / rate. Fires where that is less than a week at the rate of transactions of a window of an ' +
    'hour and more, and proposes what makes it a month, at most a thousand million. Wants a restart. Quiet without a window.',
  evaluate: (context) => {
    const facts = wraparoundFacts('xid', context);
    const min = serverParameter(context.snapshot, 'vacuum_freeze_min_age')?.value;
    const window = context.window?.seconds ?? 0;
    if (!facts || min === undefined || facts.a_day === null || facts.a_day <= 0) {
      return { recommendations: [], rejections: [], limits: [] };
    }
    const days = (facts.forced_at - min) / facts.a_day;
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (days >= OFTEN_DAYS) {
      return reject(
        'seldom_enough',
        `at ${count(facts.a_day)} transactions a day a forced vacuum comes every ${count(days)} days`,
      );
    }
    if (window < LEAST_WINDOW_SECONDS) {
      return reject(
        'window_too_short',
        `a window of ${Math.round(window)} s is no rate for a setting that wants a restart`,
      );
    }
    const value = Math.min(MOST, Math.ceil((min + WANTED_DAYS * facts.a_day) / 50_000_000) * 50_000_000);
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `min(1,000,000,000, ${min} + ${WANTED_DAYS} days × ${Math.round(facts.a_day)} a day), to the next 50 million`,
      why: `At ${count(facts.a_day)} transactions a day every table that nothing else brings a vacuum to is read as a whole every ${Number(days.toPrecision(2))} days, only for its age.`,
      unless:
        'Fewer transactions help more: batches instead of single rows, no savepoint for each row (each takes an identifier).',
      severity: 'medium',
      confidence: 0.6,
      direction: 'raise',
      observed: true,
      evidence: [
        measured('transactions a day', facts.a_day, 'transactions', facts.source),
        computed(
          'days between forced vacuums now',
          days,
          'days',
          `(${facts.forced_at} − ${min}) / ${Math.round(facts.a_day)} a day`,
        ),
        computed(
          'days between forced vacuums after',
          (value - min) / facts.a_day,
          'days',
          `(${value} − ${min}) / ${Math.round(facts.a_day)} a day`,
        ),
      ],
      notes: ['pg_xact grows with it: 2 bits a transaction, 250 MB at a thousand million.'],
    });
  },
};
