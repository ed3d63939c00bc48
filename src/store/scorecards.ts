/** Baselines of scorecards by name, and thresholds by target. Each change has its row in the audit log. */
import {
  PgLuthierError,
  type Scorecard,
  type ScorecardBaseline,
  type ScorecardThresholds,
} from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import { notFound } from './errors.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';

/** A baseline without its scorecard. */
export interface BaselineHeader {
  name: string;
  saved_at: string;
  actor: string;
}

export interface ScorecardStore {
  /**
   * Keeps a scorecard under a name.
   * @param options.replace takes the place of one of that name.
   * @throws PgLuthierError `target_not_found`, `baseline_exists` (409).
   */
  saveBaseline(
    targetId: string,
    name: string,
    scorecard: Scorecard,
    options: { actor: string; replace: boolean },
  ): Promise<ScorecardBaseline>;
  /** Newest first. */
  listBaselines(targetId: string): Promise<BaselineHeader[]>;
  /** @throws PgLuthierError `baseline_not_found`. */
  getBaseline(targetId: string, name: string): Promise<ScorecardBaseline>;
  /** @throws PgLuthierError `baseline_not_found`. */
  removeBaseline(targetId: string, name: string, actor: string): Promise<void>;
  /** Those that differ from the defaults; empty: none does. */
  thresholds(targetId: string): Promise<ScorecardThresholds>;
  /** In place of all that were set before. @throws PgLuthierError `target_not_found`. */
  setThresholds(targetId: string, thresholds: ScorecardThresholds, actor: string): Promise<void>;
}

export function scorecardStore(db: Database): ScorecardStore {
  return {
    saveBaseline: (targetId, name, scorecard, { actor, replace }) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        const row = { saved_at: new Date(), actor, scorecard: jsonText(scorecard) };
        const insert = transaction
          .insertInto('pgluthier.scorecard_baseline')
          .values({ target_id: targetId, name, ...row });
        const saved = await insert
          .onConflict((conflict) =>
            replace ? conflict.columns(['target_id', 'name']).doUpdateSet(row) : conflict.doNothing(),
          )
          .returning(['name', 'saved_at', 'actor', 'scorecard'])
          .executeTakeFirst();
        if (!saved) {
          throw new PgLuthierError({
            code: 'baseline_exists',
            status: 409,
            message: `There is a baseline ${name} of this target already.`,
            remedy: 'Choose another name, or say "replace": true.',
          });
        }
        await appendAudit(transaction, {
          actor,
          action: 'scorecard.save_baseline',
          target_id: targetId,
          subject_id: name,
          details: { replace, generated_at: scorecard.generated_at, overall: scorecard.overall },
        });
        return { ...saved, scorecard: saved.scorecard as Scorecard };
      }),
    listBaselines: (targetId) =>
      db
        .selectFrom('pgluthier.scorecard_baseline')
        .select(['name', 'saved_at', 'actor'])
        .where('target_id', '=', targetId)
        .orderBy('saved_at', 'desc')
        .orderBy('name')
        .execute(),
    getBaseline: async (targetId, name) => {
      const row = await db
        .selectFrom('pgluthier.scorecard_baseline')
        .select(['name', 'saved_at', 'actor', 'scorecard'])
        .where('target_id', '=', targetId)
        .where('name', '=', name)
        .executeTakeFirst();
      if (!row) throw notFound('baseline', name);
      return { ...row, scorecard: row.scorecard as Scorecard };
    },
    removeBaseline: (targetId, name, actor) =>
      db.transaction().execute(async (transaction) => {
        const removed = await transaction
          .deleteFrom('pgluthier.scorecard_baseline')
          .where('target_id', '=', targetId)
          .where('name', '=', name)
          .returning('saved_at')
          .executeTakeFirst();
        if (!removed) throw notFound('baseline', name);
        await appendAudit(transaction, {
          actor,
          action: 'scorecard.remove_baseline',
          target_id: targetId,
          subject_id: name,
          details: { saved_at: removed.saved_at },
        });
      }),
    thresholds: async (targetId) => {
      const row = await db
        .selectFrom('pgluthier.scorecard_thresholds')
        .select('thresholds')
        .where('target_id', '=', targetId)
        .executeTakeFirst();
      return (row?.thresholds ?? {}) as ScorecardThresholds;
    },
    setThresholds: (targetId, thresholds, actor) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        const row = { set_at: new Date(), actor, thresholds: jsonText(thresholds) };
        await transaction
          .insertInto('pgluthier.scorecard_thresholds')
          .values({ target_id: targetId, ...row })
          .onConflict((conflict) => conflict.column('target_id').doUpdateSet(row))
          .execute();
        await appendAudit(transaction, {
          actor,
          action: 'scorecard.set_thresholds',
          target_id: targetId,
          subject_id: targetId,
          details: { thresholds },
        });
      }),
  };
}
