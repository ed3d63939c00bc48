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
  /** What the run did, as facts for its record. Per-target failures are facts, not errors of the run. */
  run: (services: Services, config: Config) => Promise<Record<string, unknown>>;
}
