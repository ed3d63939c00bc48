/** Targets' policies of applying, and the emergency stops. Every change of them is in the audit log. */
import {
  ALL_TARGETS,
  type ApplyPolicy,
  applyPolicySchema,
  defaultPolicy,
  loosenedProtections,
} from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';

export interface ApplyStop {
  /** A target's id, or `ALL_TARGETS`. */
  scope: string;
  because: string;
  stopped_at: string;
  stopped_by: string;
}

export interface ApplyPolicyStore {
  /** The default until somebody sets one. @throws PgLuthierError `target_not_found`. */
  get(targetId: string): Promise<ApplyPolicy>;
  /**
   * @param allowed looks at the policy that is replaced and throws where the actor may not; nobody changes it meanwhile.
   * @throws PgLuthierError `target_not_found`, and what `allowed` throws.
   */
  set(
    targetId: string,
    policy: ApplyPolicy,
    actor: string,
    allowed?: (before: ApplyPolicy) => void,
  ): Promise<ApplyPolicy>;
}

export interface ApplyStopStore {
  list(): Promise<ApplyStop[]>;
  /** The stop that holds for this target: of all before its own. */
  over(targetId: string): Promise<ApplyStop | null>;
  /** Stopping what is stopped changes nothing. */
  stop(scope: string, because: string, actor: string): Promise<ApplyStop>;
  /** False: there was none. */
  lift(scope: string, actor: string): Promise<boolean>;
}

export function applyPolicyStore(db: Database): ApplyPolicyStore {
  return {
    get: async (targetId) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        return policyOf(transaction, targetId);
      }),
    set: (targetId, policy, actor, allowed) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        const before = await policyOf(transaction, targetId);
        allowed?.(before);
        const values = { policy: jsonText(policy), updated_at: new Date(), updated_by: actor };
        await transaction
          .insertInto('pgluthier.apply_policy')
          .values({ target_id: targetId, ...values })
          .onConflict((conflict) => conflict.column('target_id').doUpdateSet(values))
          .execute();
        const subject = { target_id: targetId, subject_id: targetId };
        const loosened = loosenedProtections(policy, before);
        const details = { policy, replaced: before, ...(loosened.length > 0 ? { loosened } : {}) };
        await appendAudit(transaction, { actor, action: 'policy.set', ...subject, details });
        return policy;
      }),
  };
}

async function policyOf(transaction: DatabaseTransaction, targetId: string): Promise<ApplyPolicy> {
  const row = await transaction
    .selectFrom('pgluthier.apply_policy')
    .select('policy')
    .where('target_id', '=', targetId)
    .executeTakeFirst();
  // Members that came with a later version have their defaults; a value that is none is an error.
  return row ? applyPolicySchema.parse(row.policy) : defaultPolicy;
}

/** In the caller's transaction or outside of any. */
export async function stopOver(
  db: Database | DatabaseTransaction,
  targetId: string,
): Promise<ApplyStop | null> {
  const row = await db
    .selectFrom('pgluthier.apply_stop')
    .selectAll()
    .where('scope', 'in', [targetId, ALL_TARGETS])
    .orderBy('scope')
    .executeTakeFirst();
  return row ?? null;
}

export function applyStopStore(db: Database): ApplyStopStore {
  return {
    list: () => db.selectFrom('pgluthier.apply_stop').selectAll().orderBy('scope').execute(),
    over: (targetId) => stopOver(db, targetId),
    stop: (scope, because, actor) =>
      db.transaction().execute(async (transaction) => {
        if (scope !== ALL_TARGETS) await holdTarget(transaction, scope, 'read');
        const made = await transaction
          .insertInto('pgluthier.apply_stop')
          .values({ scope, because, stopped_at: new Date(), stopped_by: actor })
          .onConflict((conflict) => conflict.column('scope').doNothing())
          .returningAll()
          .executeTakeFirst();
        if (made) {
          await appendAudit(transaction, {
            actor,
            action: 'apply.stop',
            ...subjectOf(scope),
            details: { because },
          });
          return made;
        }
        return transaction
          .selectFrom('pgluthier.apply_stop')
          .selectAll()
          .where('scope', '=', scope)
          .executeTakeFirstOrThrow();
      }),
    lift: (scope, actor) =>
      db.transaction().execute(async (transaction) => {
        const lifted = await transaction
          .deleteFrom('pgluthier.apply_stop')
          .where('scope', '=', scope)
          .executeTakeFirst();
        if (lifted.numDeletedRows === 0n) return false;
        await appendAudit(transaction, {
          actor,
          action: 'apply.lift_stop',
          ...subjectOf(scope),
          details: {},
        });
        return true;
      }),
  };
}

function subjectOf(scope: string) {
  const target_id = scope === ALL_TARGETS ? null : scope;
  return { target_id, subject_id: scope };
}
