/** Indexes that nobody has used for as long as statistics are kept. */
import type { RecommendationDraft, Rejection, Rule } from '../../../domain/index.ts';
import { dropDraft, keyOfDrop } from '../../index-advisor/drop.ts';
import { keptBecause } from '../../index-advisor/existing.ts';

const ID = 'index/unused';
/** Younger statistics have not seen a week's reports. */
const MINIMUM_AGE_DAYS = 7;
/** Smaller ones are not worth a DBA's attention. */
const MINIMUM_BYTES = 1024 * 1024;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index was never used',
  description:
    `Fires for indexes without a scan since the statistics began, when that is at least ${MINIMUM_AGE_DAYS} days ago. Never for ` +
    'indexes that back a constraint, enforce uniqueness, are a replica identity, belong to a partitioned index or serve a ' +
    'foreign key. Replicas keep statistics of their own, which are not seen here.',
  evaluate: ({ snapshot }) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const since = snapshot.server.stats_reset ?? snapshot.server.started_at;
    const age = (Date.parse(snapshot.taken_at) - Date.parse(since)) / 86_400_000;
    for (const index of snapshot.indexes) {
      if (index.idx_scan > 0 || index.size_bytes < MINIMUM_BYTES) continue;
      const candidate = `drop ${index.schema}.${index.name}`;
      const key = keyOfDrop(index);
      const held = keptBecause(index, snapshot);
      if (held) {
        rejections.push({
          rule: ID,
          candidate,
          code: held.code,
          reason: `it was not used, but ${held.reason}`,
          key,
        });
        continue;
      }
      if (snapshot.server.in_recovery) {
        const reason = "it was not used on this standby, whose counters say nothing of the primary's use";
        rejections.push({ rule: ID, candidate, code: 'standby', reason, key });
        continue;
      }
      if (age < MINIMUM_AGE_DAYS) {
        const reason = `it was not used, but the statistics are only ${age.toFixed(1)} days old; ${MINIMUM_AGE_DAYS} are asked for`;
        rejections.push({ rule: ID, candidate, code: 'statistics_too_young', reason, key });
        continue;
      }
      recommendations.push(
        dropDraft(index, {
          rule: ID,
          title: `${index.schema}.${index.name} was not used in ${Math.floor(age)} days`,
          rationale: `No scan of ${index.name} on ${index.schema}.${index.table} was counted in ${Math.floor(age)} days.`,
          severity: 'low',
          confidence: Math.min(0.9, 0.5 + age / 100),
          evidence: [
            {
              name: 'age of the statistics',
              value: age,
              unit: 'days',
              source: 'pg_stat_database.stats_reset',
              level: 'measured',
              formula: null,
            },
          ],
          notes: ['A yearly report may still need it.'],
        }),
      );
    }
    const limits =
      recommendations.length > 0
        ? [
            {
              scope: ID,
              code: 'replicas_not_seen',
              message: 'Whether replicas use these indexes is not visible from this server.',
              remedy: 'Look at pg_stat_user_indexes.idx_scan on each replica before you drop one.',
            },
          ]
        : [];
    return { recommendations, rejections, limits };
  },
};
