/** When a target is due: evenly spaced, and spread over the interval by its id, so that many targets do not meet. */
import { createHash } from 'node:crypto';

/** Longest wait for a target that fails, ms. */
const LONGEST_BACKOFF_MS = 15 * 60_000;

/** A number in 0..1 that belongs to the target. */
function shareOf(targetId: string): number {
  return createHash('sha256').update(targetId).digest().readUInt32BE(0) / 2 ** 32;
}

/**
 * The first slot of the target after a moment. Slots that passed while it was collected, or while nobody ran, are not
 * made up for.
 */
export function nextSlot(targetId: string, after: Date, intervalMs: number): Date {
  const offset = Math.floor(shareOf(targetId) * intervalMs);
  const passed = Math.floor((after.getTime() - offset) / intervalMs);
  return new Date((passed + 1) * intervalMs + offset);
}

/**
 * When to try again after so many failures in a row: twice as late each time, up to a quarter of an hour, in one of
 * the target's own slots.
 */
export function retrySlot(targetId: string, after: Date, intervalMs: number, failures: number): Date {
  const wait = Math.min(LONGEST_BACKOFF_MS, intervalMs * (2 ** Math.min(failures, 20) - 1));
  return nextSlot(targetId, new Date(after.getTime() + wait), intervalMs);
}
