/** Keys, paths and contained documents out of the JSON documents that statistics hold. */
import { quoteLiteral } from '../domain/index.ts';
import { type Choice, even } from './choice.ts';
import type { OperatorHint } from './hint.ts';
import { familyOfType, type TypeFamily } from './type-family.ts';
import type { CatalogTable } from './usage-catalog.ts';
import { valuePool } from './value-pool.ts';

/** A JSON document's members with scalar values, over all documents that statistics hold: the most frequent first. */
function jsonMembers(
  table: CatalogTable | undefined,
  column: string,
): { key: string; value: unknown; documents: number }[] {
  const pool = valuePool(table?.columns.get(column)?.stats ?? null);
  const members = new Map<string, { key: string; value: unknown; documents: number }>();
  for (const text of [...pool.common.map((each) => each.value), ...pool.bounds]) {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      // A json value that JavaScript cannot read offers no member.
      continue;
    }
    if (typeof document !== 'object' || document === null || Array.isArray(document)) continue;
    for (const [key, value] of Object.entries(document)) {
      if (typeof value === 'object') continue;
      const known = members.get(key);
      if (known === undefined) members.set(key, { key, value, documents: 1 });
      else known.documents++;
    }
  }
  return [...members.values()].sort((a, b) => b.documents - a.documents);
}

/** typeof a JSON value that a cast to this family takes; null: any. */
function jsonTypeOf(family: TypeFamily): 'number' | 'boolean' | null {
  if (family === 'integer' || family === 'number') return 'number';
  return family === 'boolean' ? 'boolean' : null;
}

/** Literals for an operator with a JSON column on its left; `key`: the member that `->` and `->>` were given. */
export interface JsonChoices {
  choices: Choice[];
  source: string;
  key: string | null;
}

/** Chooses what stands on the right of a JSON column's operator; null for a comparison of whole documents. */
export function jsonChoices(
  hint: OperatorHint,
  table: CatalogTable | undefined,
  column: string,
): JsonChoices | null {
  const all = jsonMembers(table, column);
  // `(meta -> 'n')::int`: a member of that type.
  const wanted = hint.outer.kind === 'cast' ? jsonTypeOf(familyOfType(hint.outer.type)) : null;
  const fitting = all.filter((each) => wanted !== null && typeof each.value === wanted);
  const members = fitting.length > 0 ? fitting : all;
  const [first] = members;
  const source = first === undefined ? 'no document in pg_stats' : 'members of documents in pg_stats';
  const key = first?.key ?? 'key';
  const one = (text: string) => ({ choices: even([quoteLiteral(text)]), source, key: null });
  switch (hint.operator) {
    case '->':
    case '->>':
      return { ...one(key), key };
    case '?':
      return one(key);
    case '#>':
    case '#>>':
      if (hint.place?.array === true) return one(key);
      return one(`{"${key.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"}`);
    case '?|':
    case '?&':
      return one(`{"${key.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"}`);
    case '@?':
      return one(`$.${JSON.stringify(key)}`);
    case '@@':
      return one(`$.${JSON.stringify(key)} == ${JSON.stringify(first?.value ?? 'value')}`);
    case '@>': {
      const documents = members.slice(0, 2).map((each) => JSON.stringify({ [each.key]: each.value }));
      if (documents.length === 0) documents.push('{"key": "value"}');
      return { choices: even(documents.map(quoteLiteral)), source, key: null };
    }
    default:
      return null;
  }
}
