/** Runs one piece of work for every target, some at a time, so that a slow or dead target delays nobody else. */
import { PgLuthierError, type Target } from '../src/domain/index.ts';
import type { Services } from '../src/pipeline/index.ts';

/** How many targets went well, and what the others said: by target id, a stable code. */
export interface EachTargetResult extends Record<string, unknown> {
  succeeded: number;
  failed: Record<string, string>;
  /** Not begun: the target is paused, or does not answer (the code of its last failure). */
  skipped: Record<string, string>;
}

export interface EachTargetOptions {
  concurrency: number;
  /** The job is told to stop. */
  signal: AbortSignal;
  /** A target's work that takes longer is not waited for any more, ms. */
  patienceMs: number;
  /** The work connects to the target: those that have failed to be collected are left alone. */
  connects: boolean;
}

/** Failures in a row after which a target is taken for dead. */
const DEAD_AFTER = 3;

/** At most `concurrency` at once; a failure of one is recorded and the rest go on. */
export async function eachTarget(
  services: Services,
  options: EachTargetOptions,
  work: (target: Target, signal: AbortSignal) => Promise<unknown>,
): Promise<EachTargetResult> {
  const waiting = await services.store.targets.list();
  const dead = options.connects
    ? await services.store.targetSchedule.failing(DEAD_AFTER)
    : new Map<string, string>();
  const result: EachTargetResult = { succeeded: 0, failed: {}, skipped: {} };
  const worker = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) {
      if (options.signal.aborted || services.background.signal.aborted) return;
      const skip = target.paused_at === null ? dead.get(target.id) : 'paused';
      if (skip !== undefined) {
        result.skipped[target.id] = skip;
        continue;
      }
      try {
        await inTime(options, (signal) => work(target, signal));
        result.succeeded += 1;
      } catch (error) {
        const known = error instanceof PgLuthierError;
        result.failed[target.id] = known ? error.code : 'internal_error';
        // What the end of the service cut off is no failure of the target; the next run takes it up.
        const level = options.signal.aborted ? 'info' : known ? 'warn' : 'error';
        services.logger[level]({ err: error, target_id: target.id }, 'job failed for this target');
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return result;
}

/** The work is told to stop when its time is over, and not waited for. */
async function inTime<T>(
  { signal, patienceMs }: EachTargetOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new AbortController();
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late.abort();
      reject(
        new PgLuthierError({
          code: 'target_too_slow',
          status: 504,
          message: `The work for this target took longer than ${patienceMs} ms.`,
          remedy: 'The next run tries again.',
        }),
      );
    }, patienceMs);
  });
  try {
    return await Promise.race([work(AbortSignal.any([signal, late.signal])), over]);
  } finally {
    clearTimeout(timer);
  }
}
