/** Job runs: who claimed which fire, and how it ended. */
import { type Database, newId } from './database.ts';
import { notFound } from './errors.ts';
import { jsonText } from './json-text.ts';

interface JobRun {
  id: string;
  job: string;
  fire_at: string;
  /** Which replica ran it. */
  instance: string;
  state: string;
  started_at: string;
  finished_at: string | null;
  details: Record<string, unknown> | null;
  error: string | null;
}

export interface JobRunStore {
  /** The run's id, or null when another replica claimed this fire. */
  claim(run: { job: string; fire_at: Date; instance: string }): Promise<string | null>;
  /** @throws PgLuthierError `job_run_not_found`. */
  finish(
    id: string,
    end: {
      state: 'succeeded' | 'failed' | 'skipped';
      details: Record<string, unknown> | null;
      error: string | null;
    },
  ): Promise<void>;
  /**
   * Runs that have not ended and began so long ago that they cannot go on any more: their replica is gone.
   * @returns how many there were.
   */
  abandon(job: string, startedBefore: Date): Promise<number>;
  /** The newest fire of a job, whatever came of it; null: it never ran. */
  last(job: string): Promise<JobRun | null>;
  /** Newest first. */
  list(options: { limit: number; job?: string | undefined }): Promise<JobRun[]>;
}

function toJobRun<T extends { job_run_id: string }>({ job_run_id, ...row }: T) {
  return { id: job_run_id, ...row };
}

export function jobRunStore(db: Database): JobRunStore {
  return {
    claim: async ({ job, fire_at, instance }) => {
      const row = await db
        .insertInto('pgluthier.job_run')
        .values({
          job_run_id: newId('run'),
          job,
          fire_at,
          instance,
          state: 'running',
          started_at: new Date(),
        })
        .onConflict((conflict) => conflict.columns(['job', 'fire_at']).doNothing())
        .returning('job_run_id')
        .executeTakeFirst();
      return row?.job_run_id ?? null;
    },
    finish: async (id, { state, details, error }) => {
      const ended = await db
        .updateTable('pgluthier.job_run')
        .set({ state, details: details && jsonText(details), error, finished_at: new Date() })
        .where('job_run_id', '=', id)
        .executeTakeFirst();
      if (ended.numUpdatedRows === 0n) throw notFound('job_run', id);
    },
    abandon: async (job, startedBefore) => {
      const abandoned = await db
        .updateTable('pgluthier.job_run')
        .set({ state: 'abandoned', error: 'the replica that ran it is gone', finished_at: new Date() })
        .where('job', '=', job)
        .where('state', '=', 'running')
        .where('started_at', '<', startedBefore.toISOString())
        .executeTakeFirst();
      return Number(abandoned.numUpdatedRows);
    },
    last: async (job) => {
      const row = await db
        .selectFrom('pgluthier.job_run')
        .selectAll()
        .where('job', '=', job)
        .orderBy('fire_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? toJobRun(row) : null;
    },
    list: async ({ limit, job }) => {
      let query = db.selectFrom('pgluthier.job_run').selectAll().orderBy('started_at', 'desc').limit(limit);
      if (job !== undefined) query = query.where('job', '=', job);
      return (await query.execute()).map((row) => toJobRun(row));
    },
  };
}
