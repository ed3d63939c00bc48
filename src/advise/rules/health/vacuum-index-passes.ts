/** A vacuum that scans the indexes more than once. */
import { passesBegun } from '../../autovacuum/index-passes.ts';
import { healthRule } from '../../health/check.ts';
import { measured, setting } from '../../settings/facts.ts';
import { showValue } from '../../settings/units.ts';

export const rule = healthRule(
  'vacuum-index-passes',
  'A vacuum scans the indexes several times',
  'A second pass over the indexes (pg_stat_progress_vacuum) at the moment of a sample: the dead rows did not fit into ' +
    'maintenance_work_mem (autovacuum_work_mem) at once. Before 17 six bytes each and 1 GB at most; from 17 on far less.',
  (context) => {
    const { snapshot } = context;
    return {
      found: snapshot.activity.vacuums
        .filter((vacuum) => passesBegun(vacuum) > 1)
        .map((vacuum) => {
          const table = snapshot.tables.find(
            ({ oid, toast }) => oid === vacuum.table_oid || toast?.oid === vacuum.table_oid,
          );
          const name = table ? `${table.schema}.${table.name}` : `the relation ${vacuum.table_oid}`;
          const memory = ['autovacuum_work_mem', 'maintenance_work_mem'].flatMap((setting_name) => {
            const row = setting(context, setting_name);
            return row ? [measured(setting_name, showValue(row), null, 'pg_settings')] : [];
          });
          return {
            object: table ? name : 'unknown relation',
            yields_to: [`setting ${vacuum.is_autovacuum ? 'autovacuum_work_mem' : 'maintenance_work_mem'}`],
            title: `The vacuum of ${name} has begun its pass ${passesBegun(vacuum)} over the indexes`,
            rationale:
              'Each pass reads every index whole. With more memory, or a vacuum that comes before so many rows are dead, one is enough.',
            severity: passesBegun(vacuum) >= 5 ? 'medium' : 'low',
            evidence: [
              measured(
                'passes begun',
                passesBegun(vacuum),
                'passes',
                'pg_stat_progress_vacuum.index_vacuum_count, phase',
              ),
              measured('autovacuum', vacuum.is_autovacuum, null, 'pg_stat_activity'),
              ...memory,
            ],
            remedy: [
              'More autovacuum_work_mem (or maintenance_work_mem, which it takes at −1): see the rules of the area settings for how much fits.',
              'Vacuum this table more often: a lower autovacuum_vacuum_scale_factor of its own.',
            ],
            needs: 'reload' as const,
          };
        }),
    };
  },
);
