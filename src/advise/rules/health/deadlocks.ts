/** Deadlocks, by the day. */
import { healthRule, unseen } from '../../health/check.ts';
import { aged, counted, tooYoung } from '../../health/counted.ts';
import { computed, measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'deadlocks',
  'Transactions end in deadlocks',
  'pg_stat_database.deadlocks of this database, a day: low from one, medium from 24 (one an hour). Over the window where ' +
    'it has a day, otherwise since the reset; below a day of statistics it says that they are too young.',
  (context) => {
    const { database } = context.snapshot.counters;
    if (database === null) return unseen('pg_stat_database');
    const seen = counted(context, {
      total: database.deadlocks,
      in_window: context.window?.counters?.database?.deadlocks,
      stats_reset: database.stats_reset,
      source: 'pg_stat_database.deadlocks',
    });
    if (seen === null) return database.deadlocks > 0 ? tooYoung('deadlocks') : {};
    if (seen.value < 1 || seen.per_day < 1) return {};
    return {
      found: [
        aged(
          {
            object: 'database',
            title: `${Math.round(seen.per_day)} deadlock(s) a day`,
            rationale:
              'Transactions that lock the same rows in another order: the server waits deadlock_timeout and cancels one of them. The application must try again, or lock in one order.',
            severity: seen.per_day >= 24 ? 'medium' : 'low',
            evidence: [
              measured('deadlocks', seen.value, 'deadlocks', seen.source),
              computed(
                'a day',
                seen.per_day,
                'deadlocks/day',
                `${seen.value} ÷ ${seen.days.toFixed(2)} days`,
              ),
            ],
            remedy: [
              "The server's log names both statements (“deadlock detected”); log_lock_waits = on shows the waits before.",
            ],
          },
          seen.days,
          1,
        ),
      ],
    };
  },
);
