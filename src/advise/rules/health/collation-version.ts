/** Collations whose library sorts another way than when the indexes were built. */
import { quoteIdentifier, quoteQualified } from '../../../domain/index.ts';
import { type Found, healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'collation-version',
  'A collation has another version than its indexes',
  "The recorded version of the database's default collation (15 and newer) or of one that an index sorts by differs from what the " +
    'library says now: after an upgrade of the operating system or a copy to another. High: indexes may be out of order, so that ' +
    'rows are not found and duplicates get in. Quiet where either version is not told (C, 14).',
  ({ snapshot }) => {
    const { instance, server } = snapshot;
    if (instance === undefined) return unseen('Collations');
    const database = instance.databases.find(({ name }) => name === server.database);
    const found: Found[] = [];
    if (database && differ(database.collation_version, database.collation_actual_version)) {
      found.push({
        object: `database ${database.name}`,
        title: `The default collation of ${database.name} was ${database.collation_version} and is ${database.collation_actual_version} now`,
        rationale: WHY,
        severity: 'high',
        evidence: versions(database.collation_version, database.collation_actual_version, 'pg_database'),
        remedy: [
          'Look first whether anything is out of order: SELECT bt_index_check(indexrelid) of amcheck, for B-trees on text.',
          `Then REINDEX (CONCURRENTLY) what sorts text, and only then: ALTER DATABASE ${quoteIdentifier(database.name)} REFRESH COLLATION VERSION;`,
        ],
      });
    }
    for (const collation of instance.collations) {
      if (!differ(collation.version, collation.actual_version)) continue;
      found.push({
        object: `collation ${collation.schema}.${collation.name}`,
        title: `The collation ${collation.schema}.${collation.name} was ${collation.version} and is ${collation.actual_version} now`,
        rationale: WHY,
        severity: 'high',
        evidence: versions(collation.version, collation.actual_version, 'pg_collation'),
        remedy: [
          `REINDEX (CONCURRENTLY) the indexes that sort by it, then: ALTER COLLATION ${quoteQualified(collation.schema, collation.name)} REFRESH VERSION;`,
        ],
      });
    }
    return { found };
  },
);

const WHY =
  'Indexes on text were built in the old order, and are searched in the new one: rows may not be found, and unique indexes may let duplicates in. Partitions by ranges of text may hold rows that belong elsewhere.';

function differ(then: string | null, now: string | null): boolean {
  return then !== null && now !== null && then !== now;
}

function versions(then: string | null, now: string | null, view: string) {
  return [
    measured(
      'version when built',
      then,
      null,
      view === 'pg_database' ? 'pg_database.datcollversion' : 'pg_collation.collversion',
    ),
    measured('version now', now, null, `${view}_collation_actual_version()`),
  ];
}
