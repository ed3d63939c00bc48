/** What a recommendation to drop an index looks like, whichever rule makes it. */
import type {
  Evidence,
  IndexDefinition,
  IndexRow,
  RecommendationDraft,
  Severity,
} from '../../domain/index.ts';
import { megabytes } from './left-out.ts';

export interface DropReason {
  rule: string;
  title: string;
  rationale: string;
  severity: Severity;
  confidence: number;
  evidence: Evidence[];
  notes?: string[];
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

/** The draft; its rollback is the definition that the catalog gave. */
export function dropDraft(index: IndexRow, reason: DropReason): RecommendationDraft {
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
    rationale: `${reason.rationale} Dropping it frees ${megabytes(index.size_bytes)} and spares every write that maintains it.`,
    severity: reason.severity,
    evidence_level: 'measured',
    confidence: reason.confidence,
    estimate: { cost_before: null, cost_after: null, size_bytes: -index.size_bytes, write_overhead: null },
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
        source: 'pg_stat_user_indexes.idx_scan',
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
