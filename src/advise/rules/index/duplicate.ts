/** Indexes that another index makes superfluous: the same over again, or a leading part of a longer one. */
import type {
  IndexRow,
  PlannableStatement,
  RecommendationDraft,
  Rejection,
  Rule,
  RuleContext,
} from '../../../domain/index.ts';
import { sampleStatements, usageCatalog } from '../../../workload/index.ts';
import { dropDraft, keyOfDrop } from '../../index-advisor/drop.ts';
import { isPrefix, keptBecause, sameness } from '../../index-advisor/existing.ts';

const ID = 'index/duplicate';
/** A statement that gets dearer by this share without the index speaks against dropping it. */
const TOLERATED_RISE = 0.01;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index does what another one does too',
  description:
    'Duplicates agree in table, method, keys, operator classes, collations, directions, included columns and predicate. ' +
    'A leading part of a longer B-tree is proposed only where no statement gets dearer without it in the simulation. ' +
    'Quiet for indexes that back a constraint, enforce uniqueness, are a replica identity or serve a foreign key alone.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const going = new Set<number>();
    const reject = (index: IndexRow, code: string, reason: string) =>
      rejections.push({
        rule: ID,
        candidate: `drop ${index.schema}.${index.name}`,
        code,
        reason,
        key: keyOfDrop(index),
      });

    for (const alike of groupBy(context.snapshot.indexes, sameness)) {
      // An invalid index answers nothing: a valid one never goes in its favour (index/invalid looks after it).
      const group = alike.filter((index) => index.is_valid && index.is_ready);
      if (group.length < 2) continue;
      const sorted = group.toSorted(
        (a, b) => Number(isHeld(b)) - Number(isHeld(a)) || b.idx_scan - a.idx_scan || a.oid - b.oid,
      );
      const [keeper, ...others] = sorted;
      if (!keeper) continue;
      for (const index of others) {
        const held = keptBecause(index, context.snapshot);
        // The keeper serves a foreign key as well as its duplicate does.
        if (held && held.code !== 'supports_foreign_key') {
          reject(index, held.code, `it duplicates ${keeper.name}, but ${held.reason}`);
          continue;
        }
        going.add(index.oid);
        recommendations.push(
          dropDraft(index, {
            rule: ID,
            title: `${index.schema}.${index.name} duplicates ${keeper.name}`,
            rationale: `${index.name} and ${keeper.name} on ${index.schema}.${index.table} are the same index twice.`,
            severity: 'medium',
            confidence: 0.98,
            evidence: [
              {
                name: 'the index that stays',
                value: keeper.definition,
                unit: null,
                source: 'pg_get_indexdef',
                level: 'measured',
                formula: null,
              },
            ],
          }),
        );
      }
    }

    const statements = context.what_if ? await plannable(context) : [];
    for (const index of context.snapshot.indexes) {
      if (going.has(index.oid)) continue;
      const longer = context.snapshot.indexes.find(
        (other) => !going.has(other.oid) && isPrefix(index, other),
      );
      if (!longer) continue;
      const held = keptBecause(index, context.snapshot);
      if (held && held.code !== 'supports_foreign_key') {
        reject(index, held.code, `${longer.name} begins with its keys, but ${held.reason}`);
        continue;
      }
      if (!context.what_if || statements.length === 0) {
        reject(
          index,
          'not_simulated',
          `${longer.name} begins with its keys; without a simulated workload its loss cannot be judged`,
        );
        continue;
      }
      const dearer = await dearestWithout(context, index, statements);
      if (dearer > TOLERATED_RISE) {
        reject(
          index,
          'would_cost',
          `${longer.name} begins with its keys, but a statement would cost ${(100 * dearer).toFixed(1)} % more without it`,
        );
        continue;
      }
      going.add(index.oid);
      recommendations.push(
        dropDraft(index, {
          rule: ID,
          title: `${index.schema}.${index.name} is a leading part of ${longer.name}`,
          rationale: `${longer.name} begins with the keys of ${index.name}; no statement of the workload gets dearer without it.`,
          severity: 'low',
          confidence: 0.8,
          evidence: [
            {
              name: 'the index that stays',
              value: longer.definition,
              unit: null,
              source: 'pg_get_indexdef',
              level: 'measured',
              formula: null,
            },
            {
              name: 'largest rise of a plan without it',
              value: dearer,
              unit: 'share',
              source: `${context.what_if.engine} EXPLAIN`,
              level: 'simulated',
              formula: null,
            },
          ],
        }),
      );
    }
    return { recommendations, rejections, limits: [] };
  },
};

const isHeld = (index: IndexRow) =>
  index.constraint_name !== null || index.is_primary || index.is_unique || index.is_replica_identity;

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

async function plannable(context: RuleContext): Promise<PlannableStatement[]> {
  const catalog = await usageCatalog(context.snapshot);
  const all: PlannableStatement[] = [];
  for (const query of context.workload.queries) {
    all.push(...(await sampleStatements(query, context.snapshot, catalog)).samples);
  }
  return all;
}

/** Largest relative rise of a statement's plan cost when the index is hidden. */
async function dearestWithout(
  context: RuleContext,
  index: IndexRow,
  statements: PlannableStatement[],
): Promise<number> {
  const whatIf = context.what_if;
  if (!whatIf) return Number.POSITIVE_INFINITY;
  const present = await whatIf.costs({ created: [], hidden: [] }, statements);
  const hidden = await whatIf.costs({ created: [], hidden: [`${index.schema}.${index.name}`] }, statements);
  return present.reduce((worst, before, position) => {
    const after = hidden[position]?.cost ?? null;
    if (before.cost === null || after === null || before.cost === 0) return worst;
    return Math.max(worst, after / before.cost - 1);
  }, 0);
}
