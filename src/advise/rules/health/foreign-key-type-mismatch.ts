/** Foreign keys whose sides have other types. */
import type { Severity } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { type ForeignKey, writtenForeignKeys } from '../../health/foreign-keys.ts';
import { measured } from '../../settings/facts.ts';

const WIDTH: Record<string, number> = { smallint: 2, integer: 4, bigint: 8, numeric: 16 };

export const rule = healthRule(
  'foreign-key-type-mismatch',
  'A foreign key refers to a column of another type',
  'Columns of a foreign key of other numeric types than those referred to: medium where the referring one is smaller (it ' +
    'runs out first), low where numeric meets an integer (each check casts, and indexes of the other side are not used in ' +
    'joins), info otherwise. Lengths of varchar, and text beside varchar, are no mismatch.',
  ({ snapshot }) => {
    const types = new Map(
      snapshot.columns.map((column) => [`${column.table_oid} ${column.name}`, column.type]),
    );
    return {
      found: writtenForeignKeys(snapshot).flatMap((key) =>
        pairs(key).flatMap(([from, to]) => {
          const mine = plain(types.get(`${key.table_oid} ${from}`));
          const theirs = plain(types.get(`${key.referenced_oid} ${to}`));
          const severity = mismatch(mine, theirs);
          if (severity === null) return [];
          const column = `${key.schema}.${key.table}.${from}`;
          return [
            {
              object: `${column} ${key.name}`,
              title: `${column} is ${mine}, and what it refers to is ${theirs}`,
              rationale:
                severity === 'medium'
                  ? 'Keys there can grow beyond what this column holds; then every INSERT that refers to them fails.'
                  : 'It works, with casts between the two; the same type on both sides spares them, and surprises.',
              severity,
              evidence: [
                measured('foreign key', key.definition, null, 'pg_get_constraintdef()'),
                measured(`type of ${from}`, mine ?? null, null, 'pg_attribute'),
                measured(`type of ${to}, referred to`, theirs ?? null, null, 'pg_attribute'),
              ],
              remedy: [
                'ALTER COLUMN … TYPE rewrites the table under AccessExclusiveLock, and checks the key anew; for a large one: a new column, filled in batches, then swapped.',
              ],
            },
          ];
        }),
      ),
    };
  },
);

function pairs(key: ForeignKey): [string, string][] {
  return key.columns.flatMap((column, position): [string, string][] => {
    const other = key.referenced_columns[position];
    return other === undefined ? [] : [[column, other]];
  });
}

/** numeric(10,0) is numeric. */
function plain(type: string | undefined): string | undefined {
  return type?.startsWith('numeric(') ? 'numeric' : type;
}

function mismatch(mine: string | undefined, theirs: string | undefined): Severity | null {
  const [a, b] = [WIDTH[mine ?? ''], WIDTH[theirs ?? '']];
  if (a === undefined || b === undefined || a === b) return null;
  if (mine === 'numeric') return 'low';
  return a < b ? 'medium' : 'info';
}
