/** Tables and their TOAST tables that take much more room than their rows need; index/bloated looks after B-trees. */
import type { BloatEstimate, Evidence, RecommendationDraft, Rule } from '../../../domain/index.ts';
import { estimateBloat } from '../../bloat/estimate.ts';
import { pageNotes } from '../../health/finding.ts';

const ID = 'health/bloat';
const MB = 1024 * 1024;
/** Less is not worth a lock or a rebuild. */
const MINIMUM_WASTE = 100 * MB;
/** Free room in a table is used again. */
const MINIMUM_SHARE = 0.3;
const HIGH_SHARE = 0.7;
const HIGH_WASTE = 10 * 1024 * MB;

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'A table takes much more room than its rows need',
  description:
    'Estimates from statistics alone what VACUUM FULL would leave (docs/bloat.md shows how well), and fires from 100 MB of ' +
    'waste on that is at least 30 % of a table or TOAST table. Where statistics are missing or old it says so and nothing ' +
    'more. Nothing that the service does by itself. Indexes are left to index/bloated.',
  evaluate: ({ snapshot }) => {
    const { relations, limits } = estimateBloat(snapshot, { minimum_bytes: MINIMUM_WASTE });
    return {
      recommendations: relations
        .filter(
          (each) =>
            each.kind !== 'btree' && each.wasted_bytes >= MINIMUM_WASTE && each.wasted_share >= MINIMUM_SHARE,
        )
        .map((each) => draft(each)),
      rejections: [],
      // As index/bloated words them: a report shows them once.
      limits,
    };
  },
};

function draft(bloat: BloatEstimate): RecommendationDraft {
  const name = `${bloat.schema}.${bloat.name}`;
  const about = bloat.bound === 'at_least' ? 'at least' : 'about';
  const percent = Math.round(100 * bloat.wasted_share);
  const megabytes = Math.round(bloat.wasted_bytes / MB).toLocaleString('en-US');
  const what = bloat.kind === 'toast' ? 'TOAST table of' : 'table';
  const isHigh = bloat.wasted_share >= HIGH_SHARE && bloat.wasted_bytes >= HIGH_WASTE;
  return {
    rule: ID,
    change: { kind: 'finding' },
    key: `finding bloat ${bloat.kind} ${name}`,
    title: `${about === 'about' ? 'About' : 'At least'} ${megabytes} MB of the ${what} ${name} hold no live row (estimated)`,
    rationale: `By its statistics ${about} ${percent} % of it is room that its rows do not need: scans read it and the cache holds it. VACUUM makes it free for new rows of this table and seldom gives it back: find first why it grew (long transactions, autovacuum that comes too late), or it will grow again.`,
    severity: isHigh ? 'high' : bloat.wasted_share >= HIGH_SHARE ? 'medium' : 'low',
    evidence_level: 'estimated',
    confidence: bloat.bound === 'at_least' ? 0.9 : 0.85,
    estimate: {
      cost_before: null,
      cost_after: null,
      size_bytes: -bloat.wasted_bytes,
      write_overhead: null,
    },
    affects: [],
    evidence: evidenceOf(bloat),
    risk: {
      locks:
        'VACUUM FULL: AccessExclusive, nobody reads or writes meanwhile; pg_repack and pg_squeeze do it with short locks.',
      restart: false,
      reload: false,
      notes: [
        'Measure it before you act: pgstattuple_approx() of the extension pgstattuple reads what is not all visible.',
        'A rewrite needs room for a second copy meanwhile.',
        ...pageNotes(ID),
      ],
    },
  };
}

function evidenceOf(bloat: BloatEstimate): Evidence[] {
  const seen = bloat.kind === 'toast' ? 'pg_class.relpages of the TOAST table' : 'pg_relation_size()';
  return [
    {
      name: bloat.bound === 'at_least' ? 'wasted, at least' : 'wasted',
      value: bloat.wasted_bytes,
      unit: 'bytes',
      source: 'estimated from pg_stats and pg_class',
      level: 'estimated',
      formula: bloat.formula,
    },
    {
      name: 'share of its size',
      value: bloat.wasted_share,
      unit: 'share',
      source: 'estimated from pg_stats and pg_class',
      level: 'estimated',
      formula: 'wasted ÷ size now',
    },
    {
      name: 'size now',
      value: bloat.actual_bytes,
      unit: 'bytes',
      source: seen,
      level: 'measured',
      formula: null,
    },
    {
      name: 'size after a rewrite',
      value: bloat.expected_bytes,
      unit: 'bytes',
      source: 'estimated from pg_stats and pg_class',
      level: 'estimated',
      formula: bloat.formula,
    },
  ];
}
