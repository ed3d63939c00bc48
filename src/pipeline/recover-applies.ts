/** At start: every apply that a stop or a crash left open is looked into and brought to an end or to a person. */
import { recoverApply } from '../apply/index.ts';
import { PgLuthierError } from '../domain/index.ts';
import { openTarget } from '../target/index.ts';
import { finishApply } from './apply-approved.ts';
import type { Services } from './services.ts';
import { targetDsn } from './target-session.ts';

/**
 * Recovers all open applies, one after the other; a target that cannot be reached leaves its apply open for the next
 * try, as does a session that still runs it.
 * @param minimumAgeMs younger ones may belong to a replica that has not got to its lock yet: they are left alone.
 */
export async function recoverApplies(services: Services, minimumAgeMs: number): Promise<void> {
  for (const apply of await services.store.applies.listOpen()) {
    if (services.now().getTime() - Date.parse(apply.created_at) < minimumAgeMs) continue;
    const log = services.logger.child({ apply_id: apply.id, target_id: apply.target_id });
    try {
      const dsn = await targetDsn(services, apply.target_id);
      const journal = services.store.applies.journal(apply.target_id, apply.id);
      const outcome = await recoverApply({
        plan: apply.plan,
        apply_id: apply.id,
        entries: await journal.entries(),
        dsn,
        openSession: openTarget,
        journal,
      });
      if (outcome === null) {
        log.info('the apply of before still runs on the target; it stays open');
        continue;
      }
      log.info({ outcome: outcome.outcome }, 'recovered an apply that a stop had left open');
      await finishApply(services, apply, outcome);
    } catch (error) {
      const code = error instanceof PgLuthierError ? error.code : 'internal_error';
      log.error({ err: error, code }, 'could not recover this apply yet');
    }
  }
}
