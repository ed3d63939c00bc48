/** Advice as an analysis would have left it, approved and applied through the service. */
import { expect } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import type { Change, Recommendation } from '../../src/domain/index.ts';
import { recommendation } from '../store/fixtures.ts';
import type { TestService } from './service.ts';

export const hashOf = (change: Change) => ({ plan_hash: buildPlan(change).plan_hash });

export function applying(service: TestService, targetId: string) {
  const base = `/v1/targets/${targetId}`;
  /** A recommendation of this change; its path. */
  async function propose(id: string, change: Change, more: Partial<Recommendation> = {}): Promise<string> {
    const { statements, rollback, plan_hash } = buildPlan(change);
    await service.services.store.recommendations.upsertFromAnalysis(
      targetId,
      'ana',
      [recommendation(id, { change, kind: change.kind, statements, rollback, plan_hash, ...more })],
      { now: new Date(), rules: [] },
    );
    return `${base}/recommendations/${id}`;
  }
  return {
    base,
    propose,
    approved: async (id: string, change: Change, more: Partial<Recommendation> = {}): Promise<string> => {
      const path = await propose(id, change, more);
      expect((await service.ask('POST', `${path}/approve`, hashOf(change))).status).toBe(200);
      return path;
    },
    /** The apply once nothing runs any more. */
    ended: async (applyId: unknown) => {
      await service.services.background.idle();
      return (await service.ask('GET', `${base}/applies/${applyId}`)).body;
    },
    policy: (body: Record<string, unknown>) => service.ask('PUT', `${base}/apply-policy`, body),
  };
}

export const index = (name: string, column = 'owner', table = 'items'): Change => ({
  kind: 'index.create',
  index: {
    schema: 'public',
    table,
    name,
    method: 'btree',
    unique: false,
    keys: [{ column, expression: null, opclass: null, collation: null, direction: 'asc', nulls: null }],
    include: [],
    where: null,
    options: {},
  },
});
