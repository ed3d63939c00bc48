/** At start: every apply that a stop or a crash left open is looked into and brought to an end or to a person. */
import { asOwner, mayBeginAgain, preflight, recoverApply } from '../apply/index.ts';
import { PgLuthierError } from '../domain/index.ts';
import { openTarget } from '../target/index.ts';
import { finishApply, runApply } from './apply-approved.ts';
import { recoverBatch } from './apply-batch.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

/** Targets whose applies are recovered at once: some may not answer. */
const AT_ONCE = 8;

/**
 * Recovers all open applies, one after the other on a target; a target that cannot be reached leaves its apply open for
 * the next try, as does a session that still runs it.
 * @param minimumAgeMs younger ones may belong to a replica that has not got to its lock yet: they are left alone.
 * @param signal gives up connections: what was not recovered by then stays open.
 */
export async function recoverApplies(
  services: Services,
  minimumAgeMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const byTarget = new Map<string, OpenApply[]>();
  for (const apply of await services.store.applies.listOpen()) {
    if (services.now().getTime() - Date.parse(apply.created_at) < minimumAgeMs) continue;
    byTarget.set(apply.target_id, [...(byTarget.get(apply.target_id) ?? []), apply]);
  }
  const waiting = [...byTarget.values()];
  const worker = async () => {
    for (let applies = waiting.shift(); applies && !signal?.aborted; applies = waiting.shift()) {
      for (const apply of applies.filter(({ batch_id }) => batch_id === null)) {
        await recoverOne(services, apply, signal);
      }
      for (const id of new Set(applies.flatMap(({ batch_id }) => batch_id ?? []))) {
        const members = applies.filter(({ batch_id }) => batch_id === id);
        await recoverBatch(services, id, members, signal);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

type OpenApply = Awaited<ReturnType<Services['store']['applies']['listOpen']>>[number];

async function recoverOne(
  services: Services,
  apply: OpenApply,
  signal: AbortSignal | undefined,
): Promise<void> {
  const log = services.logger.child({ apply_id: apply.id, target_id: apply.target_id });
  try {
    const dsn = await targetDsn(services, apply.target_id);
    const journal = services.store.applies.journal(apply.target_id, apply.id);
    const outcome = await recoverApply({
      plan: apply.plan,
      apply_id: apply.id,
      entries: await journal.entries(),
      dsn,
      openSession: asOwner(
        (to, options) => openTarget(to, signal ? { ...options, signal } : options),
        apply.plan.change,
      ),
      journal,
    });
    if (outcome === null) {
      log.info('the apply of before still runs on the target; it stays open');
      return;
    }
    log.info({ outcome: outcome.outcome }, 'recovered an apply that a stop had left open');
    if (mayBeginAgain(apply.plan, await journal.entries(), outcome) && (await isClear(dsn, apply))) {
      services.background.start(
        () => runApply(services, apply, dsn),
        (error) => log.error({ err: error }, 'apply escaped its own recording'),
      );
      return;
    }
    await finishApply(services, apply, outcome);
  } catch (error) {
    const code = error instanceof PgLuthierError ? error.code : 'internal_error';
    log.error({ err: error, code }, 'could not recover this apply yet');
  }
}

/** Is the target still what was approved, and nobody in the way? What a start asks, a second start asks again. */
async function isClear(dsn: string, { plan }: OpenApply): Promise<boolean> {
  const { drift, blockers } = await withReadSession(dsn, 'preflight', (session) => preflight(session, plan));
  return drift.length === 0 && blockers.length === 0;
}
