/** Names whose bytes are no text. */
import type { Limit } from '../domain/index.ts';

/**
 * A SQL_ASCII database takes any bytes for a name and gives them as they are; what is no UTF-8 comes with U+FFFD in its
 * place, and by such a name nothing can be asked for.
 */
export function isUndecodable({ schema, name }: { schema: string; name: string }): boolean {
  return schema.includes('\ufffd') || name.includes('\ufffd');
}

/** What a snapshot with such names has to say of itself. */
export function undecodableLimits(relations: readonly { schema: string; name: string }[]): Limit[] {
  const count = relations.filter(isUndecodable).length;
  if (count === 0) return [];
  return [
    {
      scope: 'relations',
      code: 'names_undecodable',
      message: `The names of ${count} tables, indexes and sequences hold bytes that are no UTF-8: they cannot be named in a statement, and advice on them cannot be applied.`,
      remedy: 'Rename them, from a session with the client_encoding that they were written in.',
    },
  ];
}
