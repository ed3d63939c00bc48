/** Constraints that were added NOT VALID and never validated. */
import { quoteIdentifier, quoteQualified } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'constraint-not-valid',
  'A constraint is not validated',
  'Check constraints, foreign keys and (18) NOT NULL with convalidated = false: new rows are checked, old ones never were. Quiet for NOT ' +
    'ENFORCED ones (18), which are not meant to be checked, and for the copies that partitions have.',
  ({ snapshot }) => {
    const tables = new Map(snapshot.tables.map((table) => [table.oid, table]));
    return {
      found: snapshot.schema.constraints
        .filter(
          (constraint) =>
            ['c', 'f', 'n'].includes(constraint.type) &&
            !constraint.valid &&
            // pg_get_constraintdef() ends in it; a check's expression ends in a parenthesis.
            !constraint.definition.endsWith(' NOT ENFORCED') &&
            !snapshot.schema.constraints.some(
              (other) =>
                other.table_oid === tables.get(constraint.table_oid)?.parent_oid &&
                other.name === constraint.name &&
                !other.valid,
            ),
        )
        .map((constraint) => {
          const table = `${constraint.schema}.${constraint.table}`;
          return {
            object: `${table} ${constraint.name}`,
            title: `The constraint ${constraint.name} of ${table} is not validated`,
            rationale:
              'Rows from before it may break it, and the planner does not rely on it. Mostly it was added NOT VALID to spare the lock, and its second step was forgotten.',
            severity: 'low' as const,
            evidence: [
              measured('definition', constraint.definition, null, 'pg_get_constraintdef()'),
              measured('validated', constraint.valid, null, 'pg_constraint.convalidated'),
            ],
            remedy: [
              `ALTER TABLE ${quoteQualified(constraint.schema, constraint.table)} VALIDATE CONSTRAINT ${quoteIdentifier(constraint.name)};  -- reads the table under ShareUpdateExclusiveLock: reads and writes go on`,
              'If it fails, the error names a row that breaks it: mend these first.',
            ],
          };
        }),
    };
  },
);
