/** Retention: whole partitions go, then what nothing refers to any more. */
import { sql } from 'kysely';
import type { Database } from './database.ts';

export interface RetentionStore {
  /** @returns names of the dropped partitions, and how many parts, texts and job runs went with them. */
  drop(options: {
    snapshotsOlderThanDays: number;
  }): Promise<{ partitions: string[]; parts: number; texts: number; job_runs: number }>;
}

export function retentionStore(db: Database): RetentionStore {
  return {
    drop: async ({ snapshotsOlderThanDays }) => {
      const cutoff = new Date(Date.now() - snapshotsOlderThanDays * 86_400_000);
      const oldest = `snapshot_${cutoff.toISOString().slice(0, 10).replaceAll('-', '')}`;
      const { rows } = await sql<{ name: string }>`
        SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'pgluthier.snapshot'::regclass AND c.relname < ${oldest} ORDER BY 1`.execute(db);
      const partitions = rows.map((row) => row.name);
      for (const name of partitions) await db.schema.dropTable(`pgluthier.${name}`).ifExists().execute();

      // A snapshot being saved holds its parts by a row lock of its own insert only: parts younger than the statement
      // cannot be seen here, older ones that it refers to are found through its row or survive in the next run.
      const parts = await sql`
        DELETE FROM pgluthier.snapshot_part p WHERE NOT EXISTS (
          SELECT 1 FROM pgluthier.snapshot s, jsonb_each_text(s.parts) AS used (noun, hash)
          WHERE s.target_id = p.target_id AND used.hash = p.part_hash)`.execute(db);
      const texts = await db
        .deleteFrom('pgluthier.query_text')
        .where('last_seen', '<', cutoff.toISOString().slice(0, 10))
        .executeTakeFirst();
      const runs = await db
        .deleteFrom('pgluthier.job_run')
        .where('started_at', '<', cutoff.toISOString())
        .executeTakeFirst();
      return {
        partitions,
        parts: Number(parts.numAffectedRows ?? 0n),
        texts: Number(texts.numDeletedRows),
        job_runs: Number(runs.numDeletedRows),
      };
    },
  };
}
