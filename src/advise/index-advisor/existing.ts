/** Facts about indexes that exist: which must stay whatever else, and which are alike. */
import type { IndexRow, Snapshot } from '../../domain/index.ts';
import { plain } from './covered.ts';

/** OIDs of none. */
const NONE: ReadonlySet<number> = new Set();

/**
 * Why an index must not be dropped for its own sake; null: nothing holds it.
 * @param going OIDs of those that are to be dropped already: they stand in for nothing.
 */
export function keptBecause(
  index: IndexRow,
  snapshot: Snapshot,
  going: ReadonlySet<number> = NONE,
): { code: string; reason: string } | null {
  if (index.constraint_name !== null) {
    return { code: 'backs_constraint', reason: `it backs the constraint ${index.constraint_name}` };
  }
  // Before uniqueness, which every replica identity enforces as well (DefineIndex() and ALTER TABLE ask for it).
  if (index.is_replica_identity) {
    return { code: 'replica_identity', reason: 'it is the replica identity of its table' };
  }
  if (index.is_primary || index.is_unique || index.is_exclusion) {
    return { code: 'enforces_uniqueness', reason: 'it enforces uniqueness' };
  }
  if (index.is_clustered) return { code: 'clustered', reason: 'the table is clustered on it' };
  if (index.is_partition)
    return { code: 'part_of_partitioned_index', reason: 'it is part of a partitioned index' };
  if (index.relkind === 'I') return { code: 'partitioned_index', reason: 'it is a partitioned index' };
  if (!index.is_valid || !index.is_ready) {
    return { code: 'not_valid', reason: 'it is not valid: it may be being built right now' };
  }
  return foreignKeyNeeding(index, snapshot, going);
}

/** A foreign key whose referencing columns lead this index: without it, deletes on the parent read the whole table. */
function foreignKeyNeeding(
  index: IndexRow,
  snapshot: Snapshot,
  going: ReadonlySet<number>,
): { code: string; reason: string } | null {
  const alternatives = snapshot.indexes.filter(
    (other) =>
      other.table_oid === index.table_oid &&
      other.oid !== index.oid &&
      other.is_valid &&
      !going.has(other.oid),
  );
  const leads = (candidate: IndexRow, columns: string[]) => {
    const first = candidate.keys.slice(0, columns.length).map(unquote);
    return columns.every((column) => first.includes(column));
  };
  const key = snapshot.schema.constraints.find(
    (constraint) =>
      constraint.type === 'f' &&
      constraint.table_oid === index.table_oid &&
      holdsReferring(index, constraint.columns) &&
      leads(index, constraint.columns) &&
      // A BRIN or GIN of the column finds the rows that refer to one parent only by reading many others.
      !alternatives.some(
        (other) =>
          (other.method === 'btree' || (other.method === 'hash' && constraint.columns.length === 1)) &&
          holdsReferring(other, constraint.columns) &&
          leads(other, constraint.columns),
      ),
  );
  return key ? { code: 'supports_foreign_key', reason: `the foreign key ${key.name} needs it` } : null;
}

/**
 * Whether an index has all rows that refer to something by these columns: all rows, or those where one of the columns is
 * not null, for a null refers to nothing, and the look-up's `column = $1` proves the predicate.
 */
export function holdsReferring({ predicate }: IndexRow, columns: readonly string[]): boolean {
  if (predicate === null) return true;
  return columns.some((column) => plain(predicate) === plain(`${column} IS NOT NULL`));
}

/** pg_get_indexdef() quotes names where that is needed. */
function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** Everything that makes two indexes the same to the planner: equal texts are duplicates. */
export function sameness(index: IndexRow): string {
  return JSON.stringify([
    index.table_oid,
    index.method,
    index.keys,
    index.opclasses,
    index.collations,
    index.options,
    index.include.toSorted(),
    index.predicate,
    index.is_exclusion,
  ]);
}

/**
 * Whether `shorter` is a leading part of `longer`: the longer one answers all that the shorter one does. The same keys
 * with columns included are longer, too.
 */
export function isPrefix(shorter: IndexRow, longer: IndexRow): boolean {
  return (
    shorter.table_oid === longer.table_oid &&
    shorter.method === 'btree' &&
    longer.method === 'btree' &&
    longer.is_valid &&
    shorter.predicate === longer.predicate &&
    (shorter.keys.length < longer.keys.length ||
      (shorter.keys.length === longer.keys.length && shorter.include.length < longer.include.length)) &&
    shorter.include.every((name) => [...longer.keys, ...longer.include].includes(name)) &&
    shorter.keys.every(
      (key, position) =>
        key === longer.keys[position] &&
        shorter.opclasses[position] === longer.opclasses[position] &&
        shorter.collations[position] === longer.collations[position] &&
        shorter.options[position] === longer.options[position],
    )
  );
}
