/** pg_stat_statements forgets statements. */
import { healthRule } from '../../health/check.ts';
import { aged, daysCounted, tooYoung } from '../../health/counted.ts';
import { computed, measured, setting } from '../../settings/facts.ts';

export const rule = healthRule(
  'statements-evicted',
  'pg_stat_statements throws out statements',
  'pg_stat_statements_info.dealloc, a day since its reset: low from 24 (each throws out at least 5 % of the entries), ' +
    'medium from 1,440. What was thrown out is missing from every analysis, this one too.',
  (context) => {
    const info = context.snapshot.statements_info;
    if (info === null || info.dealloc === 0) return {};
    const days = daysCounted(context.snapshot, info.stats_reset);
    if (days < 1 / 24) return tooYoung('evictions of pg_stat_statements');
    const a_day = info.dealloc / days;
    if (info.dealloc < 24 || a_day < 24) return {};
    const max = setting(context, 'pg_stat_statements.max');
    return {
      found: [
        aged(
          {
            object: 'pg_stat_statements',
            title: `pg_stat_statements throws out statements ${Math.round(a_day)} times a day`,
            rationale:
              'More different statements run than it has room for: the rarest go, with their counts. Mostly texts that differ in what is not replaced by $n: lists of IN of other lengths, names of temporary tables, SET with values.',
            severity: a_day >= 1440 ? 'medium' : 'low',
            evidence: [
              measured('evictions', info.dealloc, 'evictions', 'pg_stat_statements_info.dealloc'),
              computed('a day', a_day, 'evictions/day', `${info.dealloc} ÷ ${days.toFixed(2)} days`),
              ...(max
                ? [measured('pg_stat_statements.max', Number(max.setting), 'statements', 'pg_settings')]
                : []),
            ],
            remedy: [
              // 5,000 is the default; each entry takes about a kilobyte of shared memory, and the file of texts grows too.
              `ALTER SYSTEM SET pg_stat_statements.max = '${2 * Number(max?.setting ?? 5000)}'; -- and a restart`,
              'Arrays (= ANY ($1)) instead of lists of IN: one statement whatever their length.',
            ],
            needs: 'restart',
          },
          days,
          1,
        ),
      ],
    };
  },
);
