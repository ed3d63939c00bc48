/**
 * Room rule. jobs/ says when things run: one file a job with its name, schedule, deadline and the one pipeline that it
 * calls. It may import pipeline and domain. No job holds logic of its own, and none runs twice for one fire: each is
 * claimed in the store, so that several replicas may tick.
 */
import type { Config } from '../src/config.ts';
import type { Services } from '../src/pipeline/index.ts';

export interface Job {
  /** Stable: it names the runs in the store and the API. */
  name: string;
  cron: (config: Config) => string;
  /** A run that takes longer is recorded as failed; its work is told to stop at its next safe point. */
  deadlineMs: number;
  /** Whether a fire has anything to do here; without it, always. A fire that has not leaves no record. */
  isDue?: (services: Services, config: Config) => Promise<boolean>;
  /**
   * What the run did, as facts for its record. Per-target failures are facts, not errors of the run.
   * @param signal is aborted at the deadline, and when the service stops.
   */
  run: (services: Services, config: Config, signal: AbortSignal) => Promise<Record<string, unknown>>;
}
