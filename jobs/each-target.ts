/** Runs one piece of work for every target, some at a time, so that a slow or dead target delays nobody else. */
import { PgLuthierError, type Target } from '../src/domain/index.ts';
import type { Services } from '../src/pipeline/index.ts';

/** How many targets went well, and what the others said: by target id, a stable code. */
export interface EachTargetResult extends Record<string, unknown> {
  succeeded: number;
  failed: Record<string, string>;
}

/** At most `concurrency` at once; a failure of one is recorded and the rest go on. */
export async function eachTarget(
  services: Services,
  concurrency: number,
  work: (target: Target) => Promise<unknown>,
): Promise<EachTargetResult> {
  const waiting = await services.store.targets.list();
  const result: EachTargetResult = { succeeded: 0, failed: {} };
  const worker = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) {
      if (services.background.signal.aborted) return;
      try {
        await work(target);
        result.succeeded += 1;
      } catch (error) {
        const known = error instanceof PgLuthierError;
        result.failed[target.id] = known ? error.code : 'internal_error';
        services.logger[known ? 'warn' : 'error'](
          { err: error, target_id: target.id },
          'job failed for this target',
        );
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return result;
}
