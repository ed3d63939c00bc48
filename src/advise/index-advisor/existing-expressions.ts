/** Expressions and predicates of existing indexes, which a server newer than the parser may write as the parser cannot read. */
import { type IndexRow, type Limit, quoteQualified } from '../../domain/index.ts';
import { isReadable } from '../../workload/index.ts';
import type { AdvisorCatalog } from './catalog.ts';
import type { AdvisorStatement } from './statement.ts';

/** Expressions among its keys, and its predicate. */
export const textsOf = ({ key_attnums, keys, predicate }: IndexRow): (string | null)[] => [
  ...key_attnums.flatMap((attnum, position) => (attnum === 0 ? (keys[position] ?? []) : [])),
  predicate,
];

/** Which indexes on the workload's tables cannot be read, and what is taken for granted of them. */
export function unreadableLimit(
  rule: string,
  { tables }: Pick<AdvisorCatalog, 'tables'>,
  statements: readonly AdvisorStatement[],
): Limit[] {
  const touched = new Set(statements.flatMap((statement) => [...statement.tables]));
  const names = [...touched].flatMap((oid) =>
    (tables.get(oid)?.indexes ?? [])
      .filter((index) => !textsOf(index).every(isReadable))
      .map(({ schema, name }) => quoteQualified(schema, name)),
  );
  if (names.length === 0) return [];
  return [
    {
      scope: rule,
      code: 'index_unreadable',
      message: `PgLuthier's parser cannot read an expression or a predicate of ${names.join(', ')}: any update of the table is taken to change it, so that what new indexes cost the writes there may be told too low.`,
      remedy: 'Report it with the definition of the index and the version of the server.',
    },
  ];
}
