/** The same foreign key twice. */
import { quoteIdentifier, quoteQualified } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { type ForeignKey, writtenForeignKeys } from '../../health/foreign-keys.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'foreign-key-duplicate',
  'The same foreign key exists twice',
  'Foreign keys of one table that refer by the same columns to the same columns of the same table. Each write checks both. ' +
    'Quiet for the copies that the server makes for partitions.',
  ({ snapshot }) => {
    const groups = new Map<string, ForeignKey[]>();
    for (const key of writtenForeignKeys(snapshot)) {
      const pairs = key.columns.map((column, position) => [column, key.referenced_columns[position]]).sort();
      const identity = JSON.stringify([key.table_oid, key.referenced_oid, pairs]);
      groups.set(identity, [...(groups.get(identity) ?? []), key]);
    }
    return {
      found: [...groups.values()].flatMap((group) => {
        const [first] = group;
        if (first === undefined || group.length < 2) return [];
        const table = `${first.schema}.${first.table}`;
        const names = group.map(({ name }) => name).sort();
        const alike = new Set(group.map(({ definition }) => definition)).size === 1;
        return [
          {
            object: `${table} ${first.columns.join(',')}`,
            title: `${table} has the same foreign key ${group.length} times: ${names.join(', ')}`,
            rationale: alike
              ? 'They check the same; each costs its own look at every write.'
              : 'They check the same and differ in what they do on delete or update, or when: all of it is in force, and the strictest wins.',
            severity: 'low' as const,
            evidence: group.map((key) => measured(key.name, key.definition, null, 'pg_get_constraintdef()')),
            remedy: names
              .slice(1)
              .map(
                (name) =>
                  `If ${names[0]} is the one to keep: ALTER TABLE ${quoteQualified(first.schema, first.table)} DROP CONSTRAINT ${quoteIdentifier(name)};  -- AccessExclusiveLock on both tables, for a moment`,
              ),
          },
        ];
      }),
    };
  },
);
