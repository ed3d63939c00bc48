/** What replicas work over: a store of their own, a target in it, and advice for that. */
import { buildPlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { applyDatabase, rows } from '../apply/target.ts';
import { addTarget, type FreshStore, freshStore, recommendation } from '../store/fixtures.ts';

export interface OverOneStore {
  fresh: FreshStore;
  targetId: string;
  dsn: string;
  /** Puts advice of this change into the store, open, as an analysis would have left it. */
  advise(change: Change, name: string): Promise<{ id: string; plan_hash: string }>;
  close(): Promise<void>;
}

export async function overOneStore(): Promise<OverOneStore> {
  const fresh = await freshStore();
  const targetId = await addTarget(fresh.store);
  const { dsn, drop } = await applyDatabase();
  await rows(dsn, 'CREATE EXTENSION pg_stat_statements');
  return {
    fresh,
    targetId,
    dsn,
    advise: async (change, name) => {
      const { statements, rollback, plan_hash } = buildPlan(change);
      const id = `rec_${name}`;
      await fresh.store.recommendations.upsertFromAnalysis(
        targetId,
        'analysis',
        [
          recommendation(id, {
            kind: change.kind,
            change,
            statements,
            rollback,
            plan_hash,
            rule: `test/${name}`,
          }),
        ],
        { now: new Date(), rules: [] },
      );
      return { id, plan_hash };
    },
    close: async () => {
      await fresh.close();
      await drop();
    },
  };
}
