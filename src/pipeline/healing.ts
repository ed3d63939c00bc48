/** What stops the rebuild of an index that a cut-off drop left invalid: a cancel, an emergency stop, closed windows, the end. */
import { ApplyHeld, ApplyStopped, type HealingWatch } from '../apply/index.ts';
import type { Apply } from '../store/index.ts';
import { heldInRecovery, stopRefusal } from './apply-gates.ts';
import type { Services } from './services.ts';

/** How often a rebuild asks whether it is to stop, ms. */
const POLL_MS = 1_000;

/**
 * It does not begin under an emergency stop, in the mode `dry_run`, outside of the windows, or while the service ends;
 * one that runs is cancelled by a stop, by the service's end, and by a cancel of this apply that is asked for after it
 * has begun: the one before, if any, is what led to it.
 */
export function healingOf(services: Services, { target_id, id }: Apply): () => Promise<HealingWatch> {
  const { store, logger, background } = services;
  return async () => {
    const stopping = () => new ApplyHeld('the service ends; it goes on at its next start.');
    if (background.signal.aborted) throw stopping();
    const held = await heldInRecovery(services, target_id)();
    const before = await store.applies.lastCancel(target_id, id);
    const stop = new AbortController();
    const ended = () => stop.abort(stopping());
    background.signal.addEventListener('abort', ended, { once: true });
    const ask = async () => {
      const cancel = await store.applies.lastCancel(target_id, id);
      if (cancel && cancel.at !== before?.at) {
        stop.abort(new ApplyStopped('cancelled', `${cancel.actor} cancelled it.`));
      }
      const over = await store.applyStops.over(target_id);
      if (over) stop.abort(new ApplyHeld(stopRefusal(over, target_id).message));
    };
    // The store is away for a moment: the next round asks again.
    const asking = setInterval(() => {
      ask().catch((error: unknown) =>
        logger.warn({ err: error, apply_id: id }, 'could not ask whether a rebuild is to stop'),
      );
    }, POLL_MS);
    return {
      held,
      signal: stop.signal,
      end: () => {
        clearInterval(asking);
        background.signal.removeEventListener('abort', ended);
      },
    };
  };
}
