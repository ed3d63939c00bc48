/** What a recommendation to drop an index looks like, whichever rule makes it. */
import {
  bytesWords,
  type Evidence,
  type IndexDefinition,
  type IndexRow,
  type RecommendationDraft,
  type Severity,
  type Snapshot,
} from '../../domain/index.ts';
import type { WriteCost } from './write-cost.ts';

export interface DropReason {
  rule: string;
  title: string;
  rationale: string;
  severity: Severity;
  confidence: number;
  evidence: Evidence[];
  notes?: string[];
  /** What the writes of the workload no longer pay; absent: it is not known. */
  upkeep?: WriteCost | null;
  /** New indexes that do its work: it goes only once one of them is there. */
  replaced_by?: IndexDefinition[];
  /** An existing index that does its work: it goes only while that is there. */
  covered_by?: IndexRow;
  /** What is to be said of its use on replicas; null: nothing. Absent: that it is not seen. */
  on_replicas?: string | null;
}

/** The identity of a drop in the advice of every night. */
export const keyOfDrop = ({ schema, name }: Pick<IndexRow, 'schema' | 'name'>) =>
  `index.drop ${schema}.${name}`;

/** When the counters of an index began: the server's start, where they were never reset. */
export function countedSince({ server }: Pick<Snapshot, 'server'>): { since: string; source: string } {
  return server.stats_reset === null
    ? { since: server.started_at, source: 'pg_postmaster_start_time()' }
    : { since: server.stats_reset, source: 'pg_stat_database.stats_reset' };
}

/** What the drop gives back. */
function gainWords(index: IndexRow): string {
  const frees = index.size_bytes > 0 ? ` frees ${bytesWords(index.size_bytes)}` : '';
  // One that is not ready takes no writes (pg_index.indisready).
  const spares = index.is_ready ? ' spares every write that maintains it' : '';
  const gives = [frees, spares].filter(Boolean).join(' and');
  return gives === '' ? '' : ` Dropping it${gives}.`;
}

/** The draft; its rollback is the definition that the catalog gave. */
export function dropDraft(
  index: IndexRow,
  snapshot: Pick<Snapshot, 'server'>,
  reason: DropReason,
): RecommendationDraft {
  const { since } = countedSince(snapshot);
  const onReplicas =
    reason.on_replicas === undefined
      ? 'Usage on replicas is not seen from here: check idx_scan there first.'
      : reason.on_replicas;
  const size: Evidence = {
    name: 'size',
    value: index.size_bytes,
    unit: 'bytes',
    source: 'pg_relation_size',
    level: 'measured',
    formula: null,
  };
  return {
    rule: reason.rule,
    change: {
      kind: 'index.drop',
      schema: index.schema,
      table: index.table,
      name: index.name,
      definition: index.definition,
      ...(reason.replaced_by ? { replaced_by: reason.replaced_by } : {}),
      ...(reason.covered_by ? { covered_by: referenceTo(reason.covered_by) } : {}),
    },
    key: keyOfDrop(index),
    title: reason.title,
    rationale: reason.rationale + gainWords(index),
    severity: reason.severity,
    evidence_level: 'measured',
    confidence: reason.confidence,
    estimate: {
      cost_before: null,
      cost_after: null,
      size_bytes: -index.size_bytes,
      write_overhead: reason.upkeep ? -reason.upkeep.cost : null,
    },
    affects: [],
    evidence: [
      {
        name: 'definition',
        value: index.definition,
        unit: null,
        source: 'pg_get_indexdef',
        level: 'measured',
        formula: null,
      },
      size,
      {
        name: 'scans since the statistics began',
        value: index.idx_scan,
        unit: 'scans',
        source: `pg_stat_user_indexes.idx_scan, counted since ${since.slice(0, 10)}`,
        level: 'measured',
        formula: null,
      },
      ...reason.evidence,
    ],
    risk: {
      locks: 'DROP INDEX CONCURRENTLY: ShareUpdateExclusive on the table; reads and writes go on.',
      restart: false,
      reload: false,
      notes: [...(onReplicas === null ? [] : [onReplicas]), ...(reason.notes ?? [])],
    },
  };
}

const referenceTo = ({ schema, name, definition }: IndexRow) => ({ schema, name, definition });
