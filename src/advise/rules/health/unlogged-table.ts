/** Tables that a crash empties. */
import { quoteQualified } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { count } from '../../health/words.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'unlogged-table',
  'A table is unlogged',
  'Unlogged tables with rows: after a crash, and after a failover, they are empty; standbys and base backups have them empty. Info, ' +
    'low where a standby is attached. Right for what can be made anew.',
  ({ snapshot }) => ({
    found: snapshot.tables
      .filter((table) => table.relkind === 'r' && table.relpersistence === 'u')
      .flatMap((table) => {
        const rows = Math.max(0, table.reltuples, table.n_live_tup);
        if (rows === 0) return [];
        const name = `${table.schema}.${table.name}`;
        return [
          {
            object: name,
            title: `${name} is unlogged: a crash empties it`,
            rationale: `Its ${count(rows)} rows are in no WAL: recovery truncates it, no standby has them, and a base backup holds none of them.`,
            severity: snapshot.replication.senders.length > 0 ? ('low' as const) : ('info' as const),
            evidence: [
              measured('relpersistence', 'u', null, 'pg_class'),
              measured('rows', rows, 'rows', 'pg_class.reltuples, pg_stat_user_tables.n_live_tup'),
            ],
            remedy: [
              `If the rows matter: ALTER TABLE ${quoteQualified(table.schema, table.name)} SET LOGGED;  -- writes it whole to the WAL under AccessExclusiveLock`,
            ],
          },
        ];
      }),
  }),
);
