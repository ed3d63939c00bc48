/** At start: every apply that a stop or a crash left open is looked into and brought to an end or to a person. */
import {
  ApplyStopped,
  asOwner,
  isBuiltInParts,
  mayBeginAgain,
  preflight,
  recoverApply,
} from '../apply/index.ts';
import { type ApplyOutcome, PgLuthierError, WINDOW_CLOSED } from '../domain/index.ts';
import { openTarget } from '../target/index.ts';
import { finishApply, followStops, recordProgress, runApply, yieldOf } from './apply-approved.ts';
import { recoverBatch } from './apply-batch.ts';
import { heldInRecovery, stopRefusal } from './apply-gates.ts';
import { betweenStatements } from './between-statements.ts';
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
    const cancel = await cancelOf(services, apply);
    const held = heldInRecovery(services, apply.target_id);
    const outcome = await recoverApply({
      plan: apply.plan,
      apply_id: apply.id,
      dsn,
      openSession: asOwner((to, options) => openTarget(to, endedBy(signal, options)), apply.plan.change),
      journal,
      heldBy: held,
      cancel: cancel.signal,
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
      await finishApply(services, apply, notBegunAgain(apply, outcome, refused));
      return;
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

/** A tree that is built in part waits for the next window, where nothing but that holds it; else its outcome says why. */
function notBegunAgain({ plan }: OpenApply, outcome: ApplyOutcome, refused: Refused): ApplyOutcome {
  const facts = { ...outcome.facts, not_begun_again: refused };
  return isBuiltInParts(plan.change) && refused.code === WINDOW_CLOSED
    ? {
        outcome: 'failed',
        code: WINDOW_CLOSED,
        message: `${refused.message} It goes on in the next window.`,
        facts,
      }
    : { ...outcome, facts };
}

/** Who cancelled it while nobody ran it; recovery then completes nothing of it. */
async function cancelOf({ store }: Services, { target_id, id }: OpenApply): Promise<AbortController> {
  const cancel = new AbortController();
  const asked = await store.applies.lastCancel(target_id, id);
  if (asked) cancel.abort(new ApplyStopped('cancelled', `${asked.actor} cancelled it.`));
  return cancel;
}

async function stopOverTarget({ store }: Services, targetId: string): Promise<string | null> {
  const stop = await store.applyStops.over(targetId);
  return stop && stopRefusal(stop, targetId).message;
}

interface Refused {
  code: string;
  message: string;
}

/** Why it does not begin again: what holds any statement, another target than was approved, somebody in the way. */
async function whyNotAgain(services: Services, dsn: string, apply: OpenApply): Promise<Refused | null> {
  const stop = await services.store.applyStops.over(apply.target_id);
  if (stop) return { code: 'apply_stopped', message: stopRefusal(stop, apply.target_id).message };
  const refusal = await betweenStatements(services, apply)(null);
  if (refusal) return { code: refusal.code, message: refusal.message };
  const { drift, blockers } = await withReadSession(dsn, 'preflight', (session) =>
    preflight(session, apply.plan),
  );
  const [first] = drift;
  if (first) return first;
  if (blockers.length === 0) return null;
  return { code: 'apply_blocked', message: `${blockers.length} session(s) would make it wait.` };
}
