/** A workload statement made ready for costing: its samples and how it uses tables. */
import {
  type NotAnalysed,
  PgLuthierError,
  type PlannableStatement,
  type SampledParameter,
  type Snapshot,
  type StatementUsage,
  type UsagePredicate,
  type WorkloadQuery,
} from '../../domain/index.ts';
import { sampleStatements, statementUsage, type UsageCatalog } from '../../workload/index.ts';
import { withoutGuesses } from './erased-expressions.ts';
import { isGenetic } from './genetic.ts';

export interface AdvisorStatement {
  query: WorkloadQuery;
  samples: PlannableStatement[];
  parameters: SampledParameter[];
  /**
   * One usage a sample, as the sample's constants show more (patterns, erased constants); `literal` only where the
   * statement itself has the constant, since a parameter's value is not part of it.
   */
  usages: StatementUsage[];
  /** Expressions of it whose constants were erased from its text: no index can be made for them. */
  erased: string[];
  /** OIDs of the tables that it touches: those that it names, their partitions and children. */
  tables: Set<number>;
  /** PostgreSQL plans it by genetic search: what its plan costs must be asked of each set. Absent: it does not. */
  is_genetic?: true;
  /** What the blocks that its calls read say of the samples. Absent: nothing. */
  reads?: ObservedReads;
}

/** Blocks that calls read, against those that the samples' plans of today would. */
export interface ObservedReads {
  /** shared_blks_hit + shared_blks_read a call. */
  observed: number;
  /** Share of the samples that read the whole table, before and by the blocks; pages of that. Absent: not contradicted. */
  whole?: { before: number; share: number; pages: number };
  /** Share of calls that a LIMIT did not end early, and blocks expected a call if it had. Absent: not contradicted. */
  read_on?: { share: number; expected: number };
}

/** Samples and usage, or the reason why there are none. */
export async function prepareStatement(
  query: WorkloadQuery,
  snapshot: Snapshot,
  catalog: UsageCatalog,
): Promise<AdvisorStatement | Omit<NotAnalysed, 'query_id'>> {
  try {
    const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
    if (samples.length === 0) {
      return { code: 'no_sample', reason: 'no sample of its parameters could be made' };
    }
    const original = await statementUsage(query.query, catalog);
    const written = new Set(original.predicates.flatMap((predicate) => predicate.literal ?? []));
    const usages = [original];
    const erased = new Set<string>();
    for (const sample of samples) {
      const of = withoutGuesses(
        await statementUsage(sample.sql, catalog),
        { text: query.query, written: original },
        parameters,
      );
      for (const text of of.erased) erased.add(text);
      const { usage } = of;
      usages.push({
        ...usage,
        predicates: usage.predicates.map((predicate) => withoutSampled(predicate, written)),
      });
    }
    const named = new Set(usages.flatMap((usage) => usage.relations.map((relation) => relation.table_oid)));
    const tables = withDescendants(named, snapshot);
    if (tables.size === 0) return { code: 'no_table', reason: 'it reads no table of this database' };
    return {
      query,
      samples,
      parameters,
      usages,
      erased: [...erased],
      tables,
      ...(isGenetic(snapshot, original) ? { is_genetic: true } : {}),
    };
  } catch (error) {
    if (error instanceof PgLuthierError) return { code: 'unreadable', reason: error.message };
    throw error;
  }
}

function withoutSampled(predicate: UsagePredicate, written: ReadonlySet<string>): UsagePredicate {
  return predicate.literal !== null && !written.has(predicate.literal)
    ? { ...predicate, literal: null }
    : predicate;
}

/** Partitions and children by their parent, worked out once a snapshot. */
const families = new WeakMap<Snapshot, Map<number, number[]>>();

function childrenIn(snapshot: Snapshot): Map<number, number[]> {
  const known = families.get(snapshot);
  if (known) return known;
  const children = new Map<number, number[]>();
  for (const { oid, parent_oid } of snapshot.tables) {
    if (parent_oid !== null) children.set(parent_oid, [...(children.get(parent_oid) ?? []), oid]);
  }
  families.set(snapshot, children);
  return children;
}

/** Who reads or writes a table does so to all below it. */
function withDescendants(named: ReadonlySet<number>, snapshot: Snapshot): Set<number> {
  const children = childrenIn(snapshot);
  const all = new Set(named);
  // A set's iteration reaches what is added meanwhile.
  for (const oid of all) for (const child of children.get(oid) ?? []) all.add(child);
  return all;
}
