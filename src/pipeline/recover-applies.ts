/** At start: every apply that a stop or a crash left open is looked into and brought to an end or to a person. */
import { asOwner, mayBeginAgain, preflight, recoverApply } from '../apply/index.ts';
import { PgLuthierError } from '../domain/index.ts';
import { openTarget } from '../target/index.ts';
import { finishApply, followStops, recordProgress, runApply, yieldOf } from './apply-approved.ts';
import { recoverBatch } from './apply-batch.ts';
import { heldInRecovery, refusalsInRecovery, stopRefusal } from './apply-gates.ts';
import { healingOf } from './healing.ts';
import type { Services } from './services.ts';
import { endedBy, targetDsn, withReadSession } from './target-session.ts';

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
  const { store } = services;
  const stop = followStops(
    (error) => log.warn({ err: error }, 'could not ask for stops'),
    () => stopOverTarget(services, apply.target_id),
  );
  try {
    const dsn = await targetDsn(services, apply.target_id);
    const policy = await store.applyPolicies.get(apply.target_id);
    const journal = store.applies.journal(apply.target_id, apply.id);
    const held = await heldInRecovery(services, apply.target_id);
    const outcome = await recoverApply({
      plan: apply.plan,
      apply_id: apply.id,
      dsn,
      openSession: asOwner((to, options) => openTarget(to, endedBy(signal, options)), apply.plan.change),
      journal,
      heldBy: held,
      hold: stop.signal,
      healing: healingOf(services, apply),
      ...yieldOf(policy),
      onProgress: recordProgress(services, apply, policy),
    });
    if (outcome === null) {
      log.info('this apply still runs on the target, or what it left may not be touched now; it stays open');
      return;
    }
    log.info({ outcome: outcome.outcome }, 'recovered an apply that a stop had left open');
    if (mayBeginAgain(apply.plan, await journal.entries(), outcome)) {
      const refused = await whyNotAgain(services, dsn, apply);
      if (refused === null) {
        services.background.start(
          () => runApply(services, apply, dsn),
          (error) => log.error({ err: error }, 'apply escaped its own recording'),
        );
        return;
      }
      outcome.facts.not_begun_again = refused;
    }
    await finishApply(services, apply, outcome);
  } catch (error) {
    const code = error instanceof PgLuthierError ? error.code : 'internal_error';
    // Its connections are given up where the service ends: the next start looks into it.
    log[signal?.aborted ? 'info' : 'error']({ err: error, code }, 'could not recover this apply yet');
  } finally {
    stop.end();
  }
}

async function stopOverTarget({ store }: Services, targetId: string): Promise<string | null> {
  const stop = await store.applyStops.over(targetId);
  return stop && stopRefusal(stop, targetId).message;
}

/** Why it does not begin again: a stop or a closed window, another target than was approved, somebody in the way. What a start asks. */
async function whyNotAgain(
  services: Services,
  dsn: string,
  { plan, target_id }: OpenApply,
): Promise<{ code: string; message: string } | null> {
  const [gate] = await refusalsInRecovery(services, target_id);
  if (gate) return { code: gate.code, message: gate.message };
  const { drift, blockers } = await withReadSession(dsn, 'preflight', (session) => preflight(session, plan));
  const [first] = drift;
  if (first) return first;
  if (blockers.length === 0) return null;
  return { code: 'apply_blocked', message: `${blockers.length} session(s) would make it wait.` };
}
