/** Writes a batch of settings in one go, and brings one to its end that a crash left open. */
import {
  ApplyStopped,
  applySettingBatch,
  type BatchOutcomes,
  buildPlan,
  recoverSettingBatch,
} from '../apply/index.ts';
import { PgLuthierError, type Recommendation, type RestartBatch } from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { openTarget } from '../target/index.ts';
import { drifted } from './apply-approved.ts';
import { heldInRecovery, refusalError } from './apply-gates.ts';
import { betweenStatements } from './between-statements.ts';
import { collectTarget } from './collect-target.ts';
import { inspect } from './plan-apply.ts';
import { batchHash, memoryOfBatch, restartMembers } from './restart-batch.ts';
import type { Services } from './services.ts';
import { endedBy, targetDsn } from './target-session.ts';

/** How often a running batch asks whether one of its applies is to stop, ms. */
const STOP_POLL_MS = 1_000;

export interface StartedBatch {
  batch: RestartBatch;
  applies: Apply[];
}

/**
 * All that is approved and needs a restart, as its author saw it.
 * @throws PgLuthierError `batch_empty`, `batch_changed` (409), and those of `startBatch`.
 */
export async function startRestartBatch(
  services: Services,
  targetId: string,
  expectedHash: string,
  actor: string,
): Promise<StartedBatch> {
  const members = await restartMembers(services, targetId);
  if (members.length === 0) {
    throw new PgLuthierError({
      code: 'batch_empty',
      status: 409,
      message: 'No approved change of this target needs a restart.',
      remedy: 'Approve the settings that are to be written together first.',
    });
  }
  if (batchHash(members.map(({ plan_hash }) => plan_hash)) !== expectedHash) {
    throw new PgLuthierError({
      code: 'batch_changed',
      status: 409,
      message: 'The batch has other members or other plans than the one with this hash.',
      remedy: 'Read it again and decide on what it holds now.',
    });
  }
  return startBatch(
    services,
    targetId,
    members.map((recommendation) => ({ recommendation, actor })),
    actor,
  );
}

/**
 * Checks each member and the whole, records the batch with its applies, and answers; the writing goes on in the
 * background.
 * @param members with who asked for each.
 * @throws PgLuthierError as an apply's start, with the member's name; `batch_memory_exceeded` (409) where the set does
 * not fit into the host's memory and takes more than now.
 */
export async function startBatch(
  services: Services,
  targetId: string,
  members: readonly { recommendation: Recommendation; actor: string }[],
  actor: string,
): Promise<StartedBatch> {
  const { store } = services;
  let max_per_server = 1;
  for (const { recommendation, actor: asked } of members) {
    const plan = buildPlan(recommendation.change);
    const seen = await inspect(services, targetId, recommendation, plan, asked);
    if (seen.drift.length > 0) throw await drifted(services, targetId, recommendation.id, seen.drift);
    const refused = refusalError(seen.refusals);
    if (refused) throw refused;
    max_per_server = seen.policy.max_applies_per_server;
  }
  const before = await collectTarget(services, targetId);
  const memory = memoryOfBatch(
    await store.snapshots.get(targetId, before.id),
    members.map(({ recommendation }) => recommendation),
  );
  const known = 'budget' in memory ? memory : null;
  if (known && !known.fits && known.worst_case_after > known.worst_case_before) {
    throw new PgLuthierError({
      code: 'batch_memory_exceeded',
      status: 409,
      message: `Together these settings may take ${Math.round(known.worst_case_after / 2 ** 20)} MB in the worst case; ${Math.round(known.budget / 2 ** 20)} MB of the host's memory are theirs (${known.inputs}).`,
      remedy: 'Take back the approval of one of them, or lower work_mem or max_connections first.',
      details: { memory: known },
    });
  }
  const started = await store.restartBatches.create(
    targetId,
    members.map(({ recommendation, actor: asked }) => ({
      recommendation_id: recommendation.id,
      plan: buildPlan(recommendation.change),
      actor: asked,
    })),
    {
      batch_hash: batchHash(members.map(({ recommendation }) => recommendation.plan_hash)),
      actor,
      memory: known,
      before_snapshot_id: before.id,
      max_per_server,
    },
  );
  services.background.start(
    () => runBatch(services, started),
    (error) =>
      services.logger.error({ err: error, batch_id: started.batch.id }, 'batch escaped its own recording'),
  );
  return started;
}

async function runBatch(services: Services, { batch, applies }: StartedBatch): Promise<void> {
  const { store, logger } = services;
  const stop = new AbortController();
  const asking = setInterval(() => {
    void askWhetherToStop(services, applies, stop);
  }, STOP_POLL_MS);
  try {
    const outcomes = await applySettingBatch({
      dsn: await targetDsn(services, batch.target_id),
      batch_id: batch.id,
      applies: applies.map(({ id, plan }) => ({
        apply_id: id,
        plan,
        journal: store.applies.journal(batch.target_id, id),
      })),
      openSession: (to, options) => openTarget(to, endedBy(services.background.cutOff, options)),
      ...(applies[0] ? { mayBegin: betweenStatements(services, applies[0]) } : {}),
      signal: AbortSignal.any([services.background.signal, stop.signal]),
    });
    if (outcomes) await finishBatch(services, batch.target_id, batch.id, outcomes);
  } catch (error) {
    // What was written of it is for recovery to say, which takes it back where it is not whole.
    logger.error({ err: error, batch_id: batch.id }, 'batch stopped; recovery looks into what it left');
  } finally {
    clearInterval(asking);
  }
}

/** A cancel of any of them stops all. */
async function askWhetherToStop(
  { store, logger }: Services,
  applies: readonly Apply[],
  stop: AbortController,
): Promise<void> {
  if (stop.signal.aborted) return;
  try {
    for (const { target_id, id } of applies) {
      const reason = await store.applies.stopReason(target_id, id);
      if (reason !== null) stop.abort(new ApplyStopped('cancelled', reason));
    }
  } catch (error) {
    logger.warn({ err: error }, 'could not ask whether this batch is to stop');
  }
}

/** One snapshot serves all of them. */
async function finishBatch(
  services: Services,
  targetId: string,
  batchId: string,
  outcomes: BatchOutcomes,
): Promise<void> {
  const words = [...outcomes.values()].map(({ outcome }) => outcome);
  let after: string | null = null;
  if (words.includes('applied')) {
    try {
      after = (await collectTarget(services, targetId)).id;
    } catch (error) {
      services.logger.warn({ err: error, batch_id: batchId }, 'no snapshot right after the batch');
    }
  }
  for (const [applyId, outcome] of outcomes) {
    await services.store.applies.finish(targetId, applyId, outcome, { after_snapshot_id: after });
  }
  await services.store.restartBatches.finish(
    targetId,
    batchId,
    words.includes('needs_attention') ? 'needs_attention' : words.includes('failed') ? 'failed' : 'written',
  );
}

/** The applies of one batch that were left open, all together. */
export async function recoverBatch(
  services: Services,
  batchId: string,
  applies: readonly Apply[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const [first] = applies;
  if (!first) return;
  const log = services.logger.child({ batch_id: batchId, target_id: first.target_id });
  try {
    const outcomes = await recoverSettingBatch({
      dsn: await targetDsn(services, first.target_id),
      batch_id: batchId,
      applies: applies.map(({ id, target_id, plan }) => ({
        apply_id: id,
        plan,
        journal: services.store.applies.journal(target_id, id),
      })),
      openSession: (to, options) => openTarget(to, endedBy(signal, options)),
      heldBy: heldInRecovery(services, first.target_id),
    });
    if (outcomes === null) {
      log.info('this batch still runs on the target, or what it left may not be touched now; it stays open');
      return;
    }
    await finishBatch(services, first.target_id, batchId, outcomes);
    log.info('recovered a batch that a stop had left open');
  } catch (error) {
    const code = error instanceof PgLuthierError ? error.code : 'internal_error';
    // Its connections are given up where the service ends: the next start looks into it.
    log[signal?.aborted ? 'info' : 'error']({ err: error, code }, 'could not recover this batch yet');
  }
}
