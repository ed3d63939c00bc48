import { recoverApplies, verifyAllApplied } from '../src/pipeline/index.ts';
import { eachTarget } from './each-target.ts';
import type { Job } from './job.ts';

/** Every few minutes: applies that a crash left open are recovered, applied changes are judged by what was measured. */
export const verifyJob: Job = {
  name: 'verify',
  cron: (config) => config.jobs.verify_cron,
  deadlineMs: 4 * 60_000,
  run: async (services, config, signal) => {
    const options = { concurrency: config.concurrency, signal, patienceMs: 60_000, connects: true };
    // Beside each other: a target that does not answer keeps its own apply waiting, not the others' verdicts.
    const [result] = await Promise.all([
      eachTarget(services, options, (target, ends) => verifyAllApplied(services, target.id, ends)),
      recoverApplies(services, 60_000, signal),
    ]);
    return result;
  },
};
