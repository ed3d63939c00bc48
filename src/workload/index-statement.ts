/** A `pg_get_indexdef` read by PostgreSQL's grammar: what it says of its keys that the catalog's columns do not. */
import type { IndexElem } from '@pgsql/types';
import { type IndexDefinition, type IndexRow, PgLuthierError, quoteIdentifier } from '../domain/index.ts';
import { parseSql } from './parser.ts';
import { namesOf } from './tree.ts';

interface ReadIndex {
  /** As a typed definition; expressions and predicate are the catalog's own texts. */
  definition: IndexDefinition;
  /**
   * What a typed definition cannot say, in words: NULLS NOT DISTINCT, parameters of operator classes. Empty: it says
   * all of it.
   */
  unsaid: string[];
}

/**
 * The typed definition of an index that is there.
 * @throws PgLuthierError `sql_syntax`, `index_definition_unreadable`.
 */
export async function readIndex(row: IndexRow): Promise<ReadIndex> {
  const tree = await parseSql(row.definition);
  const statement = tree.stmts?.[0]?.stmt;
  if (statement === undefined || !('IndexStmt' in statement)) {
    throw new PgLuthierError({
      code: 'index_definition_unreadable',
      status: 422,
      message: `The definition kept of index ${row.name} is no CREATE INDEX.`,
      remedy: 'Take a snapshot again.',
    });
  }
  const { indexParams = [], indexIncludingParams = [], nulls_not_distinct } = statement.IndexStmt;
  const elements = (nodes: typeof indexParams) =>
    nodes.flatMap((node): IndexElem[] => ('IndexElem' in node ? [node.IndexElem] : []));
  const keys = elements(indexParams);
  const unsaid = [
    ...(nulls_not_distinct ? ['NULLS NOT DISTINCT'] : []),
    ...(keys.some(({ opclassopts = [] }) => opclassopts.length > 0)
      ? ['parameters of an operator class']
      : []),
  ];
  return {
    unsaid,
    definition: {
      schema: row.schema,
      table: row.table,
      name: row.name,
      method: row.method,
      unique: row.is_unique,
      keys: keys.map((key, position) => ({
        column: key.name ?? null,
        expression: key.name === undefined ? (row.keys[position] ?? null) : null,
        opclass: key.opclass?.length ? namesOf(key.opclass).join('.') : null,
        collation: key.collation?.length ? namesOf(key.collation).map(quoteIdentifier).join('.') : null,
        direction: key.ordering === 'SORTBY_DESC' ? 'desc' : 'asc',
        nulls:
          key.nulls_ordering === 'SORTBY_NULLS_FIRST'
            ? 'first'
            : key.nulls_ordering === 'SORTBY_NULLS_LAST'
              ? 'last'
              : null,
      })),
      include: elements(indexIncludingParams).flatMap(({ name }) => name ?? []),
      where: row.predicate,
      options: row.reloptions,
    },
  };
}
