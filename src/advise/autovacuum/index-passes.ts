/** Vacuums that read their indexes again, because what they found dead did not fit into their memory. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';

/** Those at work at the moment of the snapshot: autovacuum's workers, or what people ran; each has a setting of its own. */
export function indexPasses({ snapshot }: Pick<RuleContext, 'snapshot'>, autovacuum: boolean): Evidence[] {
  return snapshot.activity.vacuums
    .filter((vacuum) => vacuum.is_autovacuum === autovacuum && vacuum.index_vacuum_count > 1)
    .map(({ table_oid, index_vacuum_count }) => {
      const table = snapshot.tables.find(({ oid }) => oid === table_oid);
      return measured(
        `passes over the indexes of ${table ? `${table.schema}.${table.name}` : `relation ${table_oid}`}`,
        index_vacuum_count,
        'passes',
        'pg_stat_progress_vacuum.index_vacuum_count',
      );
    });
}
