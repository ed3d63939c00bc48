/** Nearest-neighbour searches of pgvector without an index, where no planner here can cost one. */
import {
  amountWords,
  bytesWords,
  PgLuthierError,
  percentWords,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  renderIndexDefinition,
  type WorkloadQuery,
  weightWords,
} from '../../../domain/index.ts';
import { statementUsage, usageCatalog } from '../../../workload/index.ts';
import { CandidateSizes } from '../../index-advisor/candidate-size.ts';
import { tableOf, vectorTypeOf } from '../../index-advisor/candidates/candidate.ts';
import { type Candidate, candidatesOf } from '../../index-advisor/candidates.ts';
import { type AdvisorCatalog, advisorCatalog, rowCount } from '../../index-advisor/catalog.ts';
import { coveringIndex } from '../../index-advisor/covered.ts';
import { callsWords } from '../../index-advisor/draft-evidence.ts';
import { bytesOf } from '../../index-advisor/size-model.ts';

const ID = 'index/nearest-vector';
/** Up to this many rows an exact search is fast enough, and gives the true neighbours. */
const MIN_ROWS = 10_000;

interface Wanted {
  candidate: Candidate;
  by: WorkloadQuery[];
}

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'A nearest-neighbour search over vectors reads the whole table',
  description:
    'Fires for ORDER BY embedding <-> … LIMIT n on more than 10,000 rows without an index of that distance, where the ' +
    'planner at hand has no pgvector. An approximate index changes results (recall), so this is something to decide ' +
    'and to try, never a change that is applied. Quiet where the planner has pgvector: index/missing weighs it there.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const catalog = advisorCatalog(context.snapshot);
    if (!catalog.extensions.has('vector')) return { recommendations, rejections, limits: [] };
    const sizes = new CandidateSizes(catalog, context.snapshot, context.what_if);
    for (const { candidate, by } of await wantedOf(context, catalog)) {
      const reject = (code: string, reason: string) =>
        rejections.push({ rule: ID, candidate: candidate.key, code, reason, table: tableOf(candidate) });
      const existing = coveringIndex(candidate.definition, candidate.table.indexes);
      const rows = rowCount(candidate.table);
      if (existing) reject('covered_by_existing', `${existing.schema}.${existing.name} does this already`);
      else if (rows < MIN_ROWS)
        reject('small_table', `${Math.round(rows)} rows are searched as fast without it`);
      else {
        const size = await sizes.sizeOf(candidate.definition, candidate.table, 1);
        if (await isCosted(context, candidate, size)) {
          reject('weighed_by_index_missing', 'the planner at hand has pgvector: index/missing weighs it');
        } else recommendations.push(draft({ candidate, by }, rows, bytesOf(size), context));
      }
    }
    return { recommendations, rejections, limits: [] };
  },
};

/** Candidates for vectors with the statements that want them. */
async function wantedOf({ workload, snapshot }: RuleContext, catalog: AdvisorCatalog): Promise<Wanted[]> {
  const names = await usageCatalog(snapshot);
  const wanted = new Map<string, Wanted>();
  for (const query of workload.queries) {
    try {
      const usage = await statementUsage(query.query, names);
      for (const [key, candidate] of candidatesOf([usage], catalog)) {
        const column = candidate.table.columns.get(candidate.definition.keys[0]?.column ?? '');
        if (column === undefined || vectorTypeOf(column.type) === null) continue;
        const known = wanted.get(key);
        if (known) known.by.push(query);
        else wanted.set(key, { candidate, by: [query] });
      }
    } catch (error) {
      // index/missing names the statements that cannot be read, with the reason.
      if (!(error instanceof PgLuthierError)) throw error;
    }
  }
  return [...wanted.values()];
}

/** Whether the planner's server takes such an index. */
async function isCosted(
  { what_if: whatIf }: RuleContext,
  { definition }: Candidate,
  size: Awaited<ReturnType<CandidateSizes['sizeOf']>>,
): Promise<boolean> {
  if (whatIf === null) return false;
  const [answer] = await whatIf.addIndexes([{ definition, size }]);
  return !(answer instanceof PgLuthierError);
}

function draft(
  { candidate: { definition, key, table }, by }: Wanted,
  rows: number,
  bytes: number,
  { workload }: RuleContext,
): RecommendationDraft {
  const share = by.reduce((sum, query) => sum + query.share_of_time, 0);
  const sql = renderIndexDefinition(definition, { concurrently: true });
  const place = `${definition.schema}.${definition.table} (${definition.keys[0]?.column ?? ''})`;
  return {
    rule: ID,
    change: { kind: 'finding' },
    key: `finding nearest vector ${key}`,
    title: `Suggestion, not costed: an approximate index for the nearest-neighbour searches on ${place}`,
    rationale:
      `${by.length} statement(s) with ${percentWords(share)} of ${weightWords(workload)} compare their vector with all ${amountWords(Math.round(rows))} rows. ` +
      `An index USING ${definition.method} would answer them approximately, from about ${bytesWords(bytes)}. ` +
      'No planner with pgvector was at hand, so neither the gain nor the plan is simulated; try it on a copy and compare the neighbours found.',
    severity: share >= 0.2 ? 'medium' : 'low',
    evidence_level: 'estimated',
    confidence: 0.5,
    estimate: { cost_before: null, cost_after: null, size_bytes: bytes, write_overhead: null },
    affects: [],
    by_hand: [{ dialect: 'sql', text: `${sql};` }],
    evidence: [
      {
        name: 'rows that each search reads',
        value: Math.round(rows),
        unit: 'rows',
        source: 'pg_class.reltuples',
        level: 'measured',
        formula: null,
      },
      {
        name: 'type of the vectors',
        value: table.columns.get(definition.keys[0]?.column ?? '')?.type ?? '',
        unit: null,
        source: 'pg_attribute',
        level: 'measured',
        formula: null,
      },
      {
        name: 'size',
        value: bytes,
        unit: 'bytes',
        source: `size model for ${definition.method}, which was measured on no server`,
        level: 'estimated',
        formula: `${amountWords(Math.round(rows))} rows, each in the index with its vector and, of hnsw, its links; pgvector's source`,
      },
      ...by.slice(0, 5).map((query) => ({
        name: `statement ${query.query_id}`,
        value: `${query.query.replaceAll(/\s+/g, ' ').slice(0, 200)} (${callsWords(query.calls, { workload })}, ${percentWords(query.share_of_time)} of ${weightWords(workload)})`,
        unit: null,
        source: workload.source === 'files' ? 'workload files' : 'pg_stat_statements',
        level: 'measured' as const,
        formula: null,
      })),
    ],
    risk: {
      locks:
        'CREATE INDEX CONCURRENTLY lets reads and writes go on; it takes memory (maintenance_work_mem) and time.',
      restart: false,
      reload: false,
      notes: [
        'The build takes far longer than that of a B-tree, and how long was not measured: give it maintenance_work_mem for the whole index.',
        'Results become approximate: hnsw.ef_search (or ivfflat.probes) sets recall against speed.',
        'With a further WHERE condition fewer than LIMIT rows may come back before pgvector 0.8 (iterative scans).',
      ],
    },
  };
}
