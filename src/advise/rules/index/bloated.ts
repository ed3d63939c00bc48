/** B-trees that have grown far beyond what their rows need: rebuilt beside themselves, while reads and writes go on. */
import {
  type BloatEstimate,
  bytesWords,
  type Evidence,
  type IndexRow,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type Snapshot,
} from '../../../domain/index.ts';
import { buildTime } from '../../index-advisor/build-time.ts';
import { advisorCatalog } from '../../index-advisor/catalog.ts';
import { countedSince } from '../../index-advisor/drop.ts';
import { asCandidate } from '../../index-advisor/leaving.ts';
import {
  type BloatedIndex,
  bearsOut,
  bloatedByEstimate,
  measuredBloat,
} from '../../repairs/bloated-indexes.ts';
import { indexUse } from '../../repairs/index-use.ts';
import { measured } from '../../settings/facts.ts';

const ID = 'index/bloated';
const MB = 1024 * 1024;
const HIGH_SHARE = 0.7;
const HIGH_WASTE = 10 * 1024 * MB;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index takes much more room than its rows need',
  description:
    'Estimates from statistics what REINDEX would leave of a B-tree (docs/bloat.md shows how well) and fires from 100 MB ' +
    'of waste on that is at least 40 % of it; a B-tree under random inserts settles at about 70 % full. Where the index ' +
    'was measured (pgstatindex(), only where that was asked for) the measure decides. Quiet for invalid indexes, for ' +
    'those that are to be dropped as unused, and for those that PostgreSQL does not rebuild concurrently.',
  evaluate: (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const densities = new Map((context.btree_density ?? []).map((density) => [density.oid, density]));
    const { bloated, limits } = bloatedByEstimate(context.snapshot);
    for (const suspect of bloated) {
      const { index } = suspect;
      const reject = (code: string, reason: string) =>
        rejections.push({
          rule: ID,
          candidate: `reindex ${index.schema}.${index.name}`,
          table: quoteQualified(index.schema, index.table),
          code,
          reason,
        });
      const density = densities.get(index.oid);
      const found = density ? measuredBloat(index, density, context.snapshot.server.block_size) : null;
      if (index.is_exclusion) {
        reject(
          'exclusion_constraint',
          'it is bloated, but PostgreSQL rebuilds no exclusion constraint concurrently',
        );
      } else if (context.snapshot.server.in_recovery) {
        reject('standby', 'it is bloated, and is rebuilt on the primary');
      } else if (indexUse(index, context).word === 'unused') {
        reject('unused', 'it is bloated, but not used: index/unused looks after it');
      } else if (found && !bearsOut(found)) {
        const percent = Math.round(100 * found.wasted_share);
        reject(
          'not_bloated_when_measured',
          `statistics let suspect ${bytesWords(suspect.wasted_bytes)} of waste; measured it is ${percent} %`,
        );
      } else {
        recommendations.push(draft(suspect, found, context.snapshot));
      }
    }
    return { recommendations, rejections, limits };
  },
};

function draft(suspect: BloatedIndex, found: BloatEstimate | null, snapshot: Snapshot): RecommendationDraft {
  const { index } = suspect;
  const bloat = found ?? suspect;
  const name = `${index.schema}.${index.name}`;
  const percent = Math.round(100 * bloat.wasted_share);
  const build = rebuildTime(bloat, index, snapshot);
  const isHigh = bloat.wasted_share >= HIGH_SHARE && bloat.wasted_bytes >= HIGH_WASTE;
  const about = bloat.bound === 'at_least' ? 'At least' : 'About';
  return {
    rule: ID,
    change: {
      kind: 'index.reindex',
      schema: index.schema,
      table: index.table,
      name: index.name,
      definition: index.definition,
    },
    key: `index.reindex ${name}`,
    title: `${about} ${bytesWords(bloat.wasted_bytes)} of the index ${name} hold no entry (${bloat.level})`,
    rationale: `${about} ${percent} % of it is room that its entries do not need: scans read it and the cache holds it. A rebuild gives it back; under random inserts the index will settle at about 70 % full again. If it comes back soon, find why: long transactions, or a vacuum that comes too late.`,
    severity: isHigh ? 'high' : bloat.wasted_share >= HIGH_SHARE ? 'medium' : 'low',
    evidence_level: bloat.level,
    confidence: found ? 0.95 : 0.85,
    estimate: {
      cost_before: null,
      cost_after: null,
      size_bytes: -bloat.wasted_bytes,
      write_overhead: null,
      build_seconds: build?.seconds ?? null,
    },
    affects: [],
    evidence: [
      ...(found ? evidenceOf(found) : []),
      ...evidenceOf(suspect),
      ...(build ? [{ ...build.evidence, name: 'time to rebuild it' }] : []),
      measured(
        'scans since the statistics began',
        index.idx_scan,
        'scans',
        `pg_stat_user_indexes.idx_scan, counted since ${countedSince(snapshot).since.slice(0, 10)}`,
      ),
    ],
    risk: {
      locks: 'REINDEX INDEX CONCURRENTLY: ShareUpdateExclusive on the table; reads and writes go on.',
      restart: false,
      reload: false,
      notes: [
        `It needs room for a second copy meanwhile, about ${bytesWords(bloat.expected_bytes)}, and writes as much log.`,
        'It waits for transactions that are older than itself, and reads the table twice.',
        'There is no way back, and none is needed: the index is the same afterwards.',
      ],
    },
  };
}

/** REINDEX CONCURRENTLY builds as CREATE INDEX CONCURRENTLY does: it reads the table twice. Null: the table is not seen. */
function rebuildTime(bloat: BloatEstimate, index: IndexRow, snapshot: Snapshot) {
  const table = advisorCatalog(snapshot).tables.get(index.table_oid);
  if (!table) return null;
  const size = {
    pages: Math.ceil(bloat.expected_bytes / snapshot.server.block_size),
    tuples: Math.max(0, index.predicate === null ? table.row.reltuples : index.reltuples),
    tree_height: null,
  };
  return buildTime(
    { candidate: asCandidate(index, table), size, size_bytes: bloat.expected_bytes },
    snapshot,
  );
}

const SOURCES = {
  estimated: 'pg_stats and pg_class',
  measured: 'pgstatindex()',
};

function evidenceOf(bloat: BloatEstimate): Evidence[] {
  const { level, formula } = bloat;
  const source = SOURCES[level];
  const isMeasured = level === 'measured';
  return [
    {
      name: 'wasted',
      value: bloat.wasted_bytes,
      unit: 'bytes',
      source,
      level,
      formula: isMeasured ? formula : 'size now − size after a rebuild',
    },
    {
      name: 'share of its size',
      value: bloat.wasted_share,
      unit: 'share',
      source,
      level,
      formula: isMeasured ? 'wasted ÷ size' : formula,
    },
    measured(
      isMeasured ? 'size when it was measured' : 'size now',
      bloat.actual_bytes,
      'bytes',
      isMeasured ? source : 'pg_relation_size()',
    ),
    {
      name: 'size after a rebuild',
      value: bloat.expected_bytes,
      unit: 'bytes',
      source,
      level,
      formula: isMeasured ? 'size − wasted' : 'what a build of the same rows takes (nbtsort.c, nbtdedup.c)',
    },
  ];
}
