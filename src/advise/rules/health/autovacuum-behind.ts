/** Tables that autovacuum should have come to long ago. */
import { quoteQualified } from '../../../domain/index.ts';
import { holdersOf, holdsLong } from '../../autovacuum/horizon.ts';
import { autovacuumEnabled } from '../../autovacuum/options.ts';
import { deadRowTrigger } from '../../autovacuum/trigger.ts';
import { healthRule } from '../../health/check.ts';
import { count, percent } from '../../health/words.ts';
import { measured } from '../../settings/facts.ts';

const FACTOR = 2;
const FAR = 6;
const MINIMUM_DEAD = 10_000;

export const rule = healthRule(
  'autovacuum-behind',
  'Autovacuum does not get to a table',
  'Dead rows at least twice the trigger of autovacuum.c (threshold + scale factor × rows, from 18 on capped) and 10,000: ' +
    'low, medium from six times. Quiet while a vacuum of it runs, where autovacuum is off (health/autovacuum-off), and ' +
    'on a standby, which counts no dead rows. Whether another trigger were better is for the area autovacuum.',
  (context) => {
    const { snapshot } = context;
    if (snapshot.server.in_recovery) return {};
    // Nobody is behind where nobody runs: health/autovacuum-off tells of that.
    const running = new Set(snapshot.activity.vacuums.map(({ table_oid }) => table_oid));
    const holder = holdersOf(context).find((one) => holdsLong(one));
    return {
      found: snapshot.tables.flatMap((table) => {
        if (!['r', 'm'].includes(table.relkind) || running.has(table.oid)) return [];
        if (!autovacuumEnabled(table, snapshot)) return [];
        const trigger = deadRowTrigger(table, snapshot);
        if (trigger === null || table.n_dead_tup < MINIMUM_DEAD) return [];
        const times = table.n_dead_tup / Math.max(1, trigger.rows);
        if (times < FACTOR) return [];
        const name = `${table.schema}.${table.name}`;
        return [
          {
            object: name,
            title: `${name} has ${count(table.n_dead_tup)} dead rows, ${times.toFixed(1)} times what autovacuum waits for`,
            rationale: `${
              holder
                ? `The ${holder.described} holds back the horizon: vacuum comes and can remove nothing that died since. End that first.`
                : 'All workers are busy elsewhere, locks cancel it again and again, or its cost limit makes it too slow.'
            } The count begins anew when statistics are reset: it is a lower bound.`,
            severity: times >= FAR ? 'medium' : 'low',
            evidence: [
              measured('dead rows', table.n_dead_tup, 'rows', 'pg_stat_user_tables.n_dead_tup'),
              measured(
                'share of all rows',
                percent(table.n_dead_tup / (table.n_dead_tup + table.n_live_tup)),
                null,
                'pg_stat_user_tables',
              ),
              {
                name: 'autovacuum comes at',
                value: trigger.rows,
                unit: 'rows',
                source: trigger.source,
                level: 'estimated' as const,
                formula: trigger.formula,
              },
              measured(
                'last vacuum',
                [table.last_vacuum, table.last_autovacuum]
                  .filter((time) => time !== null)
                  .sort()
                  .at(-1) ?? 'never',
                null,
                'pg_stat_user_tables',
              ),
            ],
            remedy: [
              ...(holder
                ? [`End what holds the horizon, or see why it must stay: ${holder.described}.`]
                : []),
              `${holder ? 'Then ' : ''}VACUUM (VERBOSE, ANALYZE) ${quoteQualified(table.schema, table.name)};  -- its output says what could not be removed`,
              ...(holder
                ? []
                : ['If it is often so: a higher autovacuum_vacuum_cost_limit, then more workers.']),
            ],
          },
        ];
      }),
    };
  },
);
