/** Indexes that a failed CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY left behind. */
import {
  type IndexRow,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
} from '../../../domain/index.ts';
import { dropDraft } from '../../index-advisor/drop.ts';
import { sameness } from '../../index-advisor/existing.ts';

const ID = 'index/invalid';
/** Names that REINDEX CONCURRENTLY gives its new and its old indexes while it works. */
const REINDEX_NAME = /_cc(?:new|old)\d*$/;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index is invalid',
  description:
    'An index with pg_index.indisvalid = false answers no query, yet one that is ready takes every write. Proposes to ' +
    'drop it when a valid index of its table is younger: a table has one concurrent build at a time (CREATE INDEX, ' +
    '“Building Indexes Concurrently”), so its own has ended. Otherwise it may still be being built, and is only ' +
    "reported. Quiet for valid indexes; a partitioned table's invalid index wants its partitions' indexes attached.",
  evaluate: (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    for (const index of context.snapshot.indexes) {
      if (index.is_valid) continue;
      const candidate = `drop ${index.schema}.${index.name}`;
      const table = quoteQualified(index.schema, index.table);
      if (index.relkind === 'I' || index.is_partition) {
        const reason =
          'it belongs to a partitioned index, which is valid once an index of each partition is attached';
        rejections.push({ rule: ID, candidate, table, code: 'part_of_partitioned_index', reason });
      } else if (index.constraint_name !== null || index.is_replica_identity) {
        const reason =
          index.constraint_name === null
            ? 'it is the replica identity'
            : `the constraint ${index.constraint_name} needs it`;
        rejections.push({ rule: ID, candidate, table, code: 'backs_constraint', reason });
      } else {
        const younger = youngerIndex(index, context);
        recommendations.push(younger === null ? findingOf(index) : dropOf(index, younger, context));
      }
    }
    return { recommendations, rejections, limits: [] };
  },
};

/** A younger valid index of the table; null: the build of this one may still be going on. OIDs grow with time. */
function youngerIndex(index: IndexRow, { snapshot }: RuleContext): IndexRow | null {
  if (REINDEX_NAME.test(index.name)) return null;
  const younger = snapshot.indexes.find(
    (other) =>
      other.table_oid === index.table_oid &&
      other.oid > index.oid &&
      other.is_valid &&
      !REINDEX_NAME.test(other.name),
  );
  return younger ?? null;
}

function origin(index: IndexRow): string {
  return REINDEX_NAME.test(index.name) ? 'REINDEX CONCURRENTLY' : 'CREATE INDEX CONCURRENTLY';
}

function costOfKeeping(index: IndexRow): string {
  return index.is_ready
    ? 'It answers no query, but every write to the table maintains it.'
    : 'It answers no query and takes no writes; it only holds disk space and its name.';
}

function dropOf(index: IndexRow, younger: IndexRow, context: RuleContext): RecommendationDraft {
  const valid = context.snapshot.indexes.find(
    (other) => other.oid !== index.oid && other.is_valid && sameness(other) === sameness(index),
  );
  return dropDraft(index, context.snapshot, {
    rule: ID,
    title: `${index.schema}.${index.name} is invalid`,
    rationale: `${index.name} was left behind by ${origin(index)}: ${younger.name} was built on its table since, and only one such build runs at a time. ${costOfKeeping(index)}`,
    severity: index.is_ready ? 'medium' : 'low',
    confidence: 0.9,
    evidence: [
      {
        name: 'a valid index of its table that is younger',
        value: `${younger.schema}.${younger.name}`,
        unit: null,
        source: 'pg_index, OIDs in order',
        level: 'measured',
        formula: null,
      },
      {
        name: 'a valid index of the same definition',
        value: valid ? `${valid.schema}.${valid.name}` : 'none',
        unit: null,
        source: 'pg_index',
        level: 'measured',
        formula: null,
      },
      {
        name: 'takes writes',
        value: index.is_ready,
        unit: null,
        source: 'pg_index.indisready',
        level: 'measured',
        formula: null,
      },
    ],
    // Nothing reads an invalid index, on a standby neither.
    on_replicas: null,
    notes: [
      LOOK_FIRST,
      ...(valid ? [] : ['No valid index of this definition exists: if it is wanted, build it anew.']),
      ...uniqueNotes(index),
    ],
  });
}

const LOOK_FIRST =
  'Look at pg_stat_progress_create_index first: an index that is being built is invalid until its end.';

/** What else a build that was to be unique leaves: values that are there twice, and one that refuses more of them. */
function uniqueNotes(index: IndexRow): string[] {
  if (!index.is_unique) return [];
  const keys = index.keys.join(', ');
  const where = index.predicate === null ? '' : ` WHERE ${index.predicate}`;
  const table = quoteQualified(index.schema, index.table);
  return [
    `It was to be unique, and mostly fails on values that are there twice: SELECT ${keys}, count(*) FROM ${table}${where} GROUP BY ${keys} HAVING count(*) > 1; The way back fails on them as well.`,
    ...(index.is_ready
      ? ['Though invalid, it refuses rows that would be there twice: the drop ends that.']
      : []),
  ];
}

function findingOf(index: IndexRow): RecommendationDraft {
  return {
    rule: ID,
    change: { kind: 'finding' },
    key: `index.invalid ${index.schema}.${index.name}`,
    title: `${index.schema}.${index.name} is invalid`,
    rationale: `${index.name} on ${index.schema}.${index.table} is invalid: it is being built right now, or ${origin(index)} failed. ${costOfKeeping(index)} If no build of it is shown by pg_stat_progress_create_index, it can be dropped.`,
    severity: 'info',
    evidence_level: 'measured',
    confidence: 0.5,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
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
      {
        name: 'size',
        value: index.size_bytes,
        unit: 'bytes',
        source: 'pg_relation_size',
        level: 'measured',
        formula: null,
      },
    ],
    by_hand: [
      { dialect: 'sql', text: `DROP INDEX CONCURRENTLY ${quoteQualified(index.schema, index.name)};` },
    ],
    risk: {
      locks: 'none: nothing is changed',
      restart: false,
      reload: false,
      notes: [LOOK_FIRST, ...uniqueNotes(index)],
    },
  };
}
