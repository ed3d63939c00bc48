/** CREATE INDEX out of its typed definition: the one place that writes it. */
import type { IndexDefinition, IndexKey } from './change.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from './identifier.ts';

/** `("lower"(email) text_pattern_ops DESC NULLS LAST)`'s inside. */
function renderKey(key: IndexKey): string {
  if ((key.column === null) === (key.expression === null)) {
    throw new Error('an index key is either a column or an expression');
  }
  const parts = [key.column === null ? `(${key.expression})` : quoteIdentifier(key.column)];
  if (key.collation !== null) parts.push(`COLLATE ${key.collation}`);
  if (key.opclass !== null) parts.push(key.opclass.split('.').map(quoteIdentifier).join('.'));
  if (key.direction === 'desc') parts.push('DESC');
  // The default of each direction is left out, as pg_get_indexdef() does.
  if (key.nulls === 'first' && key.direction === 'asc') parts.push('NULLS FIRST');
  if (key.nulls === 'last' && key.direction === 'desc') parts.push('NULLS LAST');
  return parts.join(' ');
}

/**
 * The statement, without a semicolon.
 * @param options.concurrently CREATE INDEX CONCURRENTLY.
 * @param options.only ON ONLY: a partitioned table's index without its partitions'.
 */
export function renderIndexDefinition(
  index: IndexDefinition,
  options: { concurrently?: boolean; only?: boolean } = {},
): string {
  const storage = Object.entries(index.options)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, value]) => `${quoteIdentifier(name)} = ${/^[\w.]+$/.test(value) ? value : quoteLiteral(value)}`,
    );
  return [
    `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX`,
    options.concurrently ? 'CONCURRENTLY' : '',
    quoteIdentifier(index.name),
    options.only ? 'ON ONLY' : 'ON',
    quoteQualified(index.schema, index.table),
    `USING ${quoteIdentifier(index.method)} (${index.keys.map(renderKey).join(', ')})`,
    index.include.length > 0 ? `INCLUDE (${index.include.map(quoteIdentifier).join(', ')})` : '',
    storage.length > 0 ? `WITH (${storage.join(', ')})` : '',
    index.where === null ? '' : `WHERE ${index.where}`,
  ]
    .filter(Boolean)
    .join(' ');
}
