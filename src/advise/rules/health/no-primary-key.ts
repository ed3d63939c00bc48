/** Tables without a primary key. */
import type { Publication, TableRow } from '../../../domain/index.ts';
import { quoteQualified } from '../../../domain/index.ts';
import { healthRule, unseen, wasRead } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'no-primary-key',
  'A table has no primary key',
  'Tables and partitioned tables (their partitions are not told again) without a constraint of type p. Low; high where a ' +
    'publication sends their updates or deletes and the replica identity is the default: then each UPDATE and DELETE fails. ' +
    'Quiet for unlogged, foreign and temporary tables.',
  (context) => {
    const { snapshot } = context;
    if (!wasRead(context, 'constraints')) return unseen('All constraints');
    const keyed = new Set(
      snapshot.schema.constraints.filter(({ type }) => type === 'p').map(({ table_oid }) => table_oid),
    );
    return {
      found: snapshot.tables
        .filter(
          (table) =>
            ['r', 'p'].includes(table.relkind) &&
            table.relpersistence === 'p' &&
            !table.is_partition &&
            !keyed.has(table.oid),
        )
        .map((table) => {
          const name = `${table.schema}.${table.name}`;
          const publication = (snapshot.instance?.publications ?? []).find((each) => sends(each, table));
          const fails = publication !== undefined && ['d', 'n'].includes(table.replica_identity ?? '');
          const unique = snapshot.indexes.find(
            (index) =>
              index.table_oid === table.oid && index.is_unique && index.is_valid && index.predicate === null,
          );
          return {
            object: name,
            title: fails
              ? `${name} has no primary key, and its updates are published: they fail`
              : `${name} has no primary key`,
            rationale: fails
              ? `The publication ${publication.name} sends updates and deletes, which need an identity of the row: without one the server refuses both (“does not have a replica identity”).`
              : 'A row cannot be named: duplicates go unseen, logical replication of updates needs REPLICA IDENTITY FULL, and tools that work row by row (pg_repack among them) refuse the table.',
            severity: fails ? ('high' as const) : ('low' as const),
            evidence: [
              measured('constraints of type p', 0, 'constraints', 'pg_constraint'),
              measured(
                'rows',
                Math.max(table.reltuples, table.n_live_tup),
                'rows',
                'pg_class, pg_stat_user_tables',
              ),
              measured(
                'replica identity',
                table.replica_identity ?? 'not read',
                null,
                'pg_class.relreplident',
              ),
              ...(unique ? [measured('a unique index', unique.name, null, 'pg_index')] : []),
            ],
            remedy: [
              unique
                ? `Where its columns are NOT NULL and the index has columns only: ALTER TABLE ${quoteQualified(table.schema, table.name)} ADD PRIMARY KEY USING INDEX …; (a lock for a moment)`
                : 'CREATE UNIQUE INDEX CONCURRENTLY on the column(s) that name a row, then ALTER TABLE … ADD PRIMARY KEY USING INDEX …; columns that are not yet NOT NULL are scanned under the lock.',
              ...(fails
                ? [
                    `Until then: ALTER TABLE ${quoteQualified(table.schema, table.name)} REPLICA IDENTITY FULL;`,
                  ]
                : []),
            ],
          };
        }),
    };
  },
);

function sends(publication: Publication, table: TableRow): boolean {
  if (!publication.updates && !publication.deletes) return false;
  return publication.all_tables || publication.table_oids.includes(table.oid);
}
