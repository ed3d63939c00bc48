/** Each target when it is due: counters each minute, everything now and then. */
import type { Config } from '../src/config.ts';
import { collectTarget, type Services } from '../src/pipeline/index.ts';
import { Dispatcher } from './dispatcher.ts';

/** How often the dispatcher looks for what is due; a slot is met to within this. */
export const snapshotTickCron = '*/2 * * * * *';

/** A target that takes longer leaves the quick lane, ms. */
const PATIENCE_MS = 5_000;
/** Parts of the interval: no further noun is begun, and all is ended, before the target is due again. */
const LAST_NOUN = 0.75;
const END = 0.9;

export function snapshotDispatcher(services: Services, config: Config, owner: string): Dispatcher {
  const intervalMs = config.jobs.snapshot_seconds * 1000;
  return new Dispatcher(
    services,
    {
      owner,
      intervalMs,
      quick: config.concurrency,
      patienceMs: Math.min(PATIENCE_MS, intervalMs / 4),
      deadlineMs: END * intervalMs,
    },
    (targetId, signal) =>
      collectTarget(services, targetId, {
        cadence: 'auto',
        fullEveryMinutes: config.jobs.full_snapshot_minutes,
        deadlineMs: LAST_NOUN * intervalMs,
        signal,
      }),
  );
}
