/** Indexes that nobody has used for long, here or on a standby. */
import {
  type IndexRow,
  type Limit,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
} from '../../../domain/index.ts';
import { dropDraft, keyOfDrop } from '../../index-advisor/drop.ts';
import { sameness } from '../../index-advisor/existing.ts';
import { type IndexUse, indexUse, MINIMUM_AGE_DAYS, NOT_LATELY_DAYS } from '../../repairs/index-use.ts';
import { unseenReplicas } from '../../repairs/replicas.ts';
import {
  lossEvidence,
  lossWithout,
  riseText,
  TOLERATED_RISE,
  upkeepEvidence,
  upkeepOf,
} from '../../repairs/without-index.ts';

const ID = 'index/unused';
/** Smaller ones are not worth a DBA's attention. */
const MINIMUM_BYTES = 1024 * 1024;
/** What a planner that was not asked takes from the confidence, and what replicas that cannot be seen do. */
const NOT_SIMULATED = 0.9;
const HIDDEN_REPLICAS = 0.7;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index is not used',
  description:
    `Fires for indexes without a scan since the statistics began, at least ${MINIMUM_AGE_DAYS} days ago, or (16 and newer) without ` +
    `one for ${NOT_LATELY_DAYS} days, on the primary and on every standby that is known of; a standby whose counters are not ` +
    'known speaks against it. Never for indexes that back a constraint, enforce uniqueness, are a replica identity, ' +
    'belong to a partitioned index or serve a foreign key; not where a plan of the workload gets dearer without it in the ' +
    'simulation. An exact duplicate is left to index/duplicate.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const { indexes } = context.snapshot;
    /** To be dropped so far: what one of them stood in for, the next one is needed for. */
    const going = new Map<number, IndexRow>();
    const alike = new Map<string, number>();
    for (const index of indexes.filter((each) => each.is_valid)) {
      alike.set(sameness(index), (alike.get(sameness(index)) ?? 0) + 1);
    }
    for (const index of indexes) {
      if (index.size_bytes < MINIMUM_BYTES) continue;
      const use = indexUse(index, context, new Set(going.keys()));
      if (use.word === 'used') continue;
      const reject = (code: string, reason: string) =>
        rejections.push({
          rule: ID,
          candidate: `drop ${index.schema}.${index.name}`,
          table: quoteQualified(index.schema, index.table),
          code,
          reason,
          key: keyOfDrop(index),
        });
      if (use.word === 'kept') reject(use.code, use.reason);
      else if ((alike.get(sameness(index)) ?? 0) > 1) {
        reject(
          'duplicate',
          'it was not used, and another index is the same: index/duplicate says which of the two goes',
        );
      } else {
        const loss = await lossWithout(context, index, [...going.values()]);
        if ('rise' in loss && loss.rise > TOLERATED_RISE) {
          reject('would_cost', `it was not used, but ${riseText(loss)}`);
          continue;
        }
        going.set(index.oid, index);
        recommendations.push(await draft(index, use, loss, context));
      }
    }
    return { recommendations, rejections, limits: limitsOf(context, recommendations, rejections) };
  },
};

async function draft(
  index: IndexRow,
  use: Extract<IndexUse, { word: 'unused' }>,
  loss: Awaited<ReturnType<typeof lossWithout>>,
  context: RuleContext,
): Promise<RecommendationDraft> {
  const days = Math.floor(use.days);
  const simulated = 'rise' in loss;
  const { replicas = [] } = context;
  const where = replicas.length > 0 ? `, nor on ${replicas.map(({ name }) => name).join(', ')}` : '';
  const hidden = hidesReplicas(context);
  const upkeep = await upkeepOf(context, index);
  return dropDraft(index, context.snapshot, {
    upkeep,
    rule: ID,
    title: `${index.schema}.${index.name} was not used in ${days} days`,
    rationale:
      `No scan of ${index.name} on ${index.schema}.${index.table} was counted in ${days} days${where}.` +
      (use.once ? ' It was used before that.' : '') +
      (simulated ? ' No plan of the workload gets dearer without it.' : ''),
    severity: 'low',
    confidence: use.confidence * (simulated ? 1 : NOT_SIMULATED) * (hidden ? HIDDEN_REPLICAS : 1),
    evidence: [
      ...use.evidence,
      ...(simulated ? [lossEvidence(context, loss)] : []),
      ...upkeepEvidence(context, upkeep),
    ],
    on_replicas:
      replicas.length > 0 && !hidden
        ? null
        : 'Standbys that do not stream from this server are not seen: check idx_scan there first.',
    notes: [
      use.days < 365
        ? 'What runs once a quarter or once a year may still need it: the counters have not seen a whole year.'
        : 'The counters have seen a whole year.',
      ...(context.earliest
        ? []
        : ['PostgreSQL does not say when an index was made: a younger one had less time to be used.']),
      ...(simulated ? [] : [`It was not simulated: ${loss.reason}.`]),
    ],
  });
}

/** Readers of Aurora share the primary's storage and are no receivers of its log. */
function hidesReplicas({ snapshot }: RuleContext): boolean {
  return snapshot.server.managed_service === 'aurora';
}

function limitsOf(
  context: RuleContext,
  recommendations: readonly RecommendationDraft[],
  rejections: readonly Rejection[],
): Limit[] {
  const limits: Limit[] = [];
  const unseen = unseenReplicas(context);
  if (rejections.some(({ code }) => code === 'replicas_unseen')) {
    limits.push({
      scope: ID,
      code: 'replicas_unseen',
      message: `${unseen} standby(s) of this server are known whose counters are not: no index is called unused.`,
      remedy: 'Add each standby as a target of its own, or give it to pgluthier analyze with --replica.',
    });
  }
  if (recommendations.length > 0 && (!context.replicas?.length || hidesReplicas(context))) {
    limits.push({
      scope: ID,
      code: 'replicas_not_seen',
      message: hidesReplicas(context)
        ? 'Readers of an Aurora cluster do not show on its writer: whether they use these indexes is not visible.'
        : 'No standby streams from this server now; whether others, fed by its archive, use these indexes is not visible.',
      remedy: 'Look at pg_stat_user_indexes.idx_scan on each replica before you drop one.',
    });
  }
  return limits;
}
