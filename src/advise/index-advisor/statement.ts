/** A workload statement made ready for costing: its samples and how it uses tables. */
import {
  PgLuthierError,
  type PlannableStatement,
  type SampledParameter,
  type Snapshot,
  type StatementUsage,
  type UsagePredicate,
  type WorkloadQuery,
} from '../../domain/index.ts';
import { sampleStatements, statementUsage, type UsageCatalog } from '../../workload/index.ts';

export interface AdvisorStatement {
  query: WorkloadQuery;
  samples: PlannableStatement[];
  parameters: SampledParameter[];
  /**
   * One usage a sample, as the sample's constants show more (patterns, erased constants); `literal` only where the
   * statement itself has the constant, since a parameter's value is not part of it.
   */
  usages: StatementUsage[];
  /** OIDs of the tables that it touches. */
  tables: Set<number>;
}

/** Samples and usage, or the reason why there are none. */
export async function prepareStatement(
  query: WorkloadQuery,
  snapshot: Snapshot,
  catalog: UsageCatalog,
): Promise<AdvisorStatement | { reason: string }> {
  try {
    const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
    if (samples.length === 0) return { reason: 'no sample of its parameters could be made' };
    const original = await statementUsage(query.query, catalog);
    const written = new Set(original.predicates.flatMap((predicate) => predicate.literal ?? []));
    const usages = [original];
    for (const sample of samples) {
      const usage = await statementUsage(sample.sql, catalog);
      usages.push({
        ...usage,
        predicates: usage.predicates.map((predicate) => withoutSampled(predicate, written)),
      });
    }
    const tables = new Set(usages.flatMap((usage) => usage.relations.map((relation) => relation.table_oid)));
    if (tables.size === 0) return { reason: 'it reads no table of this database' };
    return { query, samples, parameters, usages, tables };
  } catch (error) {
    if (error instanceof PgLuthierError) return { reason: error.message };
    throw error;
  }
}

function withoutSampled(predicate: UsagePredicate, written: ReadonlySet<string>): UsagePredicate {
  return predicate.literal !== null && !written.has(predicate.literal)
    ? { ...predicate, literal: null }
    : predicate;
}
