/** Names of proposed indexes, and the text that makes two definitions the same. */
import { createHash } from 'node:crypto';
import {
  type IndexDefinition,
  type IndexRow,
  MAX_IDENTIFIER_BYTES,
  renderIndexDefinition,
} from '../../domain/index.ts';

/** The definition without its name: the same index has the same text, on every night. */
export function normalisedDefinition(definition: IndexDefinition): string {
  const rendered = renderIndexDefinition({ ...definition, name: 'x' });
  return rendered.replace(/^CREATE (UNIQUE )?INDEX x ON /, '$1');
}

/** Cuts at a character's end. */
function cut(text: string, bytes: number): string {
  let result = text;
  while (Buffer.byteLength(result) > bytes) result = result.slice(0, -1);
  return result;
}

/**
 * `table_column_column_idx` as PostgreSQL itself would name it, with a word for what is special. Where that name is
 * taken or too long, a hash of the definition makes it unique and keeps it the same on every night.
 */
export function indexName(definition: Omit<IndexDefinition, 'name'>, existing: readonly IndexRow[]): string {
  const words = definition.keys.map((key) => key.column ?? 'expr');
  const special = [
    definition.method === 'btree' ? '' : definition.method,
    definition.where === null ? '' : 'partial',
    definition.include.length > 0 ? 'incl' : '',
  ].filter(Boolean);
  const plain = [definition.table, ...words, ...special, 'idx'].join('_');
  const taken = existing.some((index) => index.name === plain);
  const needsHash =
    taken || words.includes('expr') || special.length > 0 || Buffer.byteLength(plain) > MAX_IDENTIFIER_BYTES;
  if (!needsHash) return plain;
  const hash = createHash('sha256')
    .update(normalisedDefinition({ ...definition, name: 'x' }))
    .digest('hex')
    .slice(0, 6);
  const suffix = `_${hash}_idx`;
  return cut(plain.replace(/_idx$/, ''), MAX_IDENTIFIER_BYTES - suffix.length) + suffix;
}
