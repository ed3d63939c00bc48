/**
 * More candidates out of a good set: two of its indexes on a table merged into one that serves both, an index shortened
 * to its leading keys or to its keys without what it includes (index merging: Chaudhuri and Narasayya 1999; the
 * transformations of Bruno and Chaudhuri 2005). What they do to plans is asked of the planner like for any other.
 */
import type { IndexDefinition, IndexKey } from '../../domain/index.ts';
import { type Candidate, isOrdered, makeCandidate, toKey } from './candidates/candidate.ts';

/** Keys of an index; wider ones are not worth their pages. */
const MAX_KEYS = 5;
/** Bytes of a column from which on it is no key that is only there to be read. */
const SHORT = 24;
/** Key and included columns together. */
const MAX_COLUMNS = 10;

type Shape = Pick<IndexDefinition, 'method' | 'keys' | 'include'>;

const nameOf = (key: IndexKey) => key.column ?? key.expression ?? '';

/** All that two candidates of one table could become together; none where they are of other rows or other kinds. */
export function mergedCandidates(a: Candidate, b: Candidate): Candidate[] {
  const [one, other] = [a.definition, b.definition];
  const isAlike = one.method === 'btree' && other.method === 'btree' && one.where === other.where;
  if (!isAlike || a.table.row.oid !== b.table.row.oid) return [];
  return [append(one, other), append(other, one), cover(one, other), cover(other, one)].flatMap((shape) =>
    shape
      ? [a.is_covering || b.is_covering ? { ...make(a, shape), is_covering: true as const } : make(a, shape)]
      : [],
  );
}

/** Leading parts of a candidate, and it without its included columns. */
export function shortenedCandidates(of: Candidate): Candidate[] {
  const { definition } = of;
  if (definition.method !== 'btree') return [];
  const shapes: Shape[] = [];
  if (definition.include.length > 0) shapes.push({ ...definition, include: [] });
  for (let length = definition.keys.length - 1; length > 0; length -= 1) {
    shapes.push({ ...definition, keys: definition.keys.slice(0, length), include: [] });
  }
  return shapes.map((shape) => make(of, shape));
}

/**
 * The same columns, all of them keys: an index with INCLUDE is never deduplicated (_bt_allequalimage() of nbtutils.c),
 * and keys serve orders and conditions, too. Null where nothing is included, or too much, or what is no short key.
 */
export function withIncludedAsKeys(of: Candidate): Candidate | null {
  const { method, keys, include } = of.definition;
  if (method !== 'btree' || include.length === 0 || keys.length + include.length > MAX_KEYS) return null;
  const operands = include.map((column) => ({ column, expression: null, columns: [column] }));
  const isShort = (name: string) => {
    const column = of.table.columns.get(name);
    return column !== undefined && (column.typlen > 0 || (column.stats?.avg_width ?? SHORT) < SHORT);
  };
  if (!operands.every((operand) => isOrdered(operand, of.table) && isShort(operand.column))) return null;
  const candidate = make(of, { method, keys: [...keys, ...operands.map(toKey)], include: [] });
  return { ...candidate, is_covering: true };
}

/** The keys of the one, then those of the other that it has not. */
function append(one: IndexDefinition, other: IndexDefinition): Shape | null {
  const names = new Set(one.keys.map(nameOf));
  const keys = [...one.keys, ...other.keys.filter((key) => !names.has(nameOf(key)))];
  return keys.length > MAX_KEYS
    ? null
    : within({ ...one, keys, include: [...one.include, ...other.include] });
}

/** The keys of the one; the other's are only included, for index-only scans. */
function cover(one: IndexDefinition, other: IndexDefinition): Shape | null {
  if (other.keys.some((key) => key.column === null)) return null;
  return within({
    ...one,
    include: [...one.include, ...other.keys.flatMap((key) => key.column ?? []), ...other.include],
  });
}

function within(shape: Shape): Shape | null {
  const names = new Set(shape.keys.map(nameOf));
  const include = [...new Set(shape.include)].filter((name) => !names.has(name)).sort();
  return shape.keys.length + include.length > MAX_COLUMNS ? null : { ...shape, include };
}

function make({ table, conditions }: Candidate, { method, keys, include }: Shape): Candidate {
  return makeCandidate(table, keys, { method, include, conditions });
}
