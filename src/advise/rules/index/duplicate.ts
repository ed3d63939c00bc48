/** Indexes that another index makes superfluous: the same over again, or a leading part of a longer one. */
import {
  type Evidence,
  type IndexRow,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
} from '../../../domain/index.ts';
import { type DropReason, dropDraft, keyOfDrop } from '../../index-advisor/drop.ts';
import { isPrefix, keptBecause, sameness } from '../../index-advisor/existing.ts';
import { indexUse } from '../../repairs/index-use.ts';
import {
  type Loss,
  lossEvidence,
  lossWithout,
  riseText,
  TOLERATED_RISE,
  upkeepEvidence,
  upkeepOf,
} from '../../repairs/without-index.ts';

const ID = 'index/duplicate';

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index does what another one does too',
  description:
    'Duplicates agree in table, method, keys, operator classes, collations, directions, included columns and predicate. ' +
    'A leading part of a longer B-tree is proposed only where no statement gets dearer without it in the simulation, and ' +
    'not where the longer one is unused itself. What stays must be there and valid when the other is dropped. ' +
    'Quiet for indexes that back a constraint, enforce uniqueness, are a replica identity or serve a foreign key alone.',
  evaluate: async (context) => {
    const found: Found = { recommendations: [], rejections: [], going: new Map(), staying: new Map() };
    await findDuplicates(context, found);
    await findPrefixes(context, found);
    return { recommendations: found.recommendations, rejections: found.rejections, limits: [] };
  },
};

interface Found {
  recommendations: RecommendationDraft[];
  rejections: Rejection[];
  /** Proposed to go so far: the next one must be missed beside them. */
  going: Map<number, IndexRow>;
  /** Names of those that go because this one, by its OID, stays. */
  staying: Map<number, string[]>;
}

function reject(found: Found, index: IndexRow, code: string, reason: string): void {
  found.rejections.push({
    rule: ID,
    candidate: `drop ${index.schema}.${index.name}`,
    table: quoteQualified(index.schema, index.table),
    code,
    reason,
    key: keyOfDrop(index),
  });
}

async function findDuplicates(context: RuleContext, found: Found): Promise<void> {
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
        reject(found, index, held.code, `it duplicates ${keeper.name}, but ${held.reason}`);
        continue;
      }
      const loss = await lossWithout(context, index, [...found.going.values()]);
      const simulated = 'rise' in loss ? loss : null;
      // The same index at another size: what rises is what the keeper has grown too large.
      const rises = simulated !== null && simulated.rise > TOLERATED_RISE;
      await propose(context, found, index, keeper, simulated, {
        title: `${index.schema}.${index.name} duplicates ${keeper.name}`,
        rationale: `${index.name} and ${keeper.name} on ${index.schema}.${index.table} are the same index twice.`,
        severity: 'medium',
        confidence: 0.98,
        notes: rises
          ? [`${keeper.name} is larger: ${riseText(simulated)}. Rebuild ${keeper.name} first.`]
          : [],
      });
    }
  }
}

async function findPrefixes(context: RuleContext, found: Found): Promise<void> {
  const { indexes } = context.snapshot;
  for (const index of indexes) {
    if (found.going.has(index.oid)) continue;
    const longer = indexes.filter((other) => !found.going.has(other.oid) && isPrefix(index, other));
    const [first] = longer;
    if (!first) continue;
    const held = keptBecause(index, context.snapshot);
    if (held && held.code !== 'supports_foreign_key') {
      reject(found, index, held.code, `${first.name} begins with its keys, but ${held.reason}`);
      continue;
    }
    // index/unused proposes to drop that one: both drops together would leave nothing.
    const keeper = longer.find((other) => indexUse(other, context).word !== 'unused');
    if (!keeper) {
      reject(found, index, 'longer_unused', `${first.name} begins with its keys, but is not used itself`);
      continue;
    }
    const loss = await lossWithout(context, index, [...found.going.values()]);
    if ('reason' in loss) {
      const reason = `${keeper.name} begins with its keys; its loss cannot be judged: ${loss.reason}`;
      reject(found, index, 'not_simulated', reason);
    } else if (loss.rise > TOLERATED_RISE) {
      reject(found, index, 'would_cost', `${keeper.name} begins with its keys, but ${riseText(loss)}`);
    } else {
      await propose(context, found, index, keeper, loss, {
        title: `${index.schema}.${index.name} is a leading part of ${keeper.name}`,
        rationale: `${keeper.name} begins with the keys of ${index.name}; no statement of the workload gets dearer without it.`,
        severity: 'low',
        confidence: 0.8,
        // A drop is refused when what it counts on is gone.
        notes: (found.staying.get(index.oid) ?? []).map(
          (name) => `Drop ${name} first: that counts on ${index.name} being there.`,
        ),
      });
    }
  }
}

async function propose(
  context: RuleContext,
  found: Found,
  index: IndexRow,
  keeper: IndexRow,
  loss: Loss | null,
  reason: Omit<DropReason, 'rule' | 'evidence' | 'covered_by' | 'on_replicas'>,
): Promise<void> {
  const stays: Evidence = {
    name: 'the index that stays',
    value: keeper.definition,
    unit: null,
    source: 'pg_get_indexdef',
    level: 'measured',
    formula: null,
  };
  const upkeep = await upkeepOf(context, index);
  found.recommendations.push(
    dropDraft(index, context.snapshot, {
      upkeep,
      ...reason,
      rule: ID,
      evidence: [stays, ...(loss ? [lossEvidence(context, loss)] : []), ...upkeepEvidence(context, upkeep)],
      covered_by: keeper,
      // What stays does its work on replicas, too.
      on_replicas: null,
    }),
  );
  found.going.set(index.oid, index);
  found.staying.set(keeper.oid, [...(found.staying.get(keeper.oid) ?? []), index.name]);
}

const isHeld = (index: IndexRow) =>
  index.constraint_name !== null || index.is_primary || index.is_unique || index.is_replica_identity;

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}
