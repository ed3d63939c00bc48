import { PgLuthierError } from '../src/domain/index.ts';
import { syncTargetList, targetListHash } from '../src/pipeline/index.ts';
import type { Job } from './job.ts';

/** Databases come and go without the list changing. */
const DISCOVER_EVERY_MS = 10 * 60_000;

const OF_THE_LIST = new Set(['target_list_unreadable', 'target_list_invalid', 'target_exists']);

/** What this process has seen last of each list, good or bad, and when. */
const seen = new Map<string, { hash: string; at: number }>();

async function changed(path: string, now: Date): Promise<boolean> {
  // What cannot be read is tried: the run says why, once.
  const hash = await targetListHash(path).catch((error: unknown) =>
    error instanceof PgLuthierError ? error.code : 'internal_error',
  );
  const last = seen.get(path);
  if (last?.hash === hash && now.getTime() - last.at < DISCOVER_EVERY_MS) return false;
  seen.set(path, { hash, at: now.getTime() });
  return true;
}

/** The list of targets, whenever it changed; and now and then the databases of its servers. */
export const targetListJob: Job = {
  name: 'target-list',
  cron: () => '*/10 * * * * *',
  deadlineMs: 5 * 60_000,
  isDue: async (services, config) =>
    config.targets_file !== null && (await changed(config.targets_file, services.now())),
  run: async (services, config, signal) => {
    if (config.targets_file === null) return {};
    try {
      return { ...(await syncTargetList(services, config.targets_file, signal)) };
    } catch (error) {
      // A list that is wrong is wrong until it changes; anything else is tried again at the next fire.
      const isOfTheList = error instanceof PgLuthierError && OF_THE_LIST.has(error.code);
      if (!isOfTheList) seen.delete(config.targets_file);
      throw error;
    }
  },
};
