/** Retention: whole partitions go, then what nothing refers to any more. */
import { dropContent } from './content.ts';
import type { Database } from './database.ts';
import { holdTarget } from './locks.ts';
import { dayOf, dropPartitionsBefore } from './partitions.ts';

const DAY_MS = 86_400_000;

export interface RetentionStore {
  /**
   * @param options.snapshotsOlderThanDays whole days (UTC) to keep; job runs go with them.
   * @param options.analysesOlderThanDays finished analyses with their reports; absent: all are kept.
   * @returns names of the dropped partitions, and how many parts, texts, job runs and analyses went.
   */
  drop(options: { snapshotsOlderThanDays: number; analysesOlderThanDays?: number }): Promise<{
    partitions: string[];
    parts: number;
    texts: number;
    job_runs: number;
    analyses: number;
  }>;
}

export function retentionStore(db: Database): RetentionStore {
  return {
    drop: async ({ snapshotsOlderThanDays, analysesOlderThanDays }) => {
      const firstKeptDay = dayOf(new Date(Date.now() - snapshotsOlderThanDays * DAY_MS));
      const partitions = await dropPartitionsBefore(db, firstKeptDay);
      const content = { parts: 0, texts: 0 };
      for (const { target_id } of await db.selectFrom('pgluthier.target').select('target_id').execute()) {
        const dropped = await db.transaction().execute(async (transaction) => {
          await holdTarget(transaction, target_id, 'write');
          return dropContent(transaction, target_id, firstKeptDay);
        });
        content.parts += dropped.parts;
        content.texts += dropped.texts;
      }
      await db.deleteFrom('pgluthier.roll_up').where('day', '<', firstKeptDay).execute();
      const runs = await db
        .deleteFrom('pgluthier.job_run')
        .where('started_at', '<', firstKeptDay)
        .executeTakeFirst();
      let analyses = 0;
      if (analysesOlderThanDays !== undefined) {
        const result = await db
          .deleteFrom('pgluthier.analysis')
          .where('finished_at', '<', new Date(Date.now() - analysesOlderThanDays * DAY_MS).toISOString())
          .executeTakeFirst();
        analyses = Number(result.numDeletedRows);
      }
      return { partitions, ...content, job_runs: Number(runs.numDeletedRows), analyses };
    },
  };
}
