/** Analyses: each run with its report or its failure. */
import type { Report } from '../domain/index.ts';
import { type Database, newId } from './database.ts';
import { notFound } from './errors.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';

export interface AnalysisHeader {
  id: string;
  target_id: string;
  state: 'running' | 'succeeded' | 'failed';
  actor: string;
  started_at: string;
  finished_at: string | null;
  error: { code: string; message: string } | null;
  summary: Report['summary'] | null;
}

export interface AnalysisStore {
  /** The row that the run's end goes into. */
  start(targetId: string, actor: string): Promise<AnalysisHeader>;
  /** Half surrogates and NULs in the report are kept as U+FFFD. @throws PgLuthierError `analysis_not_found`. */
  finish(targetId: string, analysisId: string, report: Report): Promise<AnalysisHeader>;
  /** @throws PgLuthierError `analysis_not_found`. */
  recordFailure(targetId: string, analysisId: string, code: string, message: string): Promise<void>;
  /** Newest first; `before` (ISO time) goes on where a page ended. */
  list(targetId: string, options: { limit: number; before?: string }): Promise<AnalysisHeader[]>;
  /** @throws PgLuthierError `analysis_not_found`. */
  get(targetId: string, analysisId: string): Promise<AnalysisHeader & { report: Report | null }>;
  /** Marks those that have been running for 12 hours, which a stop of their service left behind, as failed; how many. */
  abandonRunning(): Promise<number>;
}

const headerColumns = [
  'analysis_id',
  'target_id',
  'state',
  'actor',
  'started_at',
  'finished_at',
  'error',
  'summary',
] as const;

function toHeader<T extends { analysis_id: string; summary: unknown }>({ analysis_id, summary, ...row }: T) {
  return { id: analysis_id, ...row, summary: summary as Report['summary'] | null };
}

export function analysisStore(db: Database): AnalysisStore {
  const update = (
    targetId: string,
    analysisId: string,
    values: { state: 'succeeded' | 'failed'; summary?: string; report?: string; error?: string },
  ) =>
    db
      .updateTable('pgluthier.analysis')
      .set({ ...values, finished_at: new Date() })
      .where('target_id', '=', targetId)
      .where('analysis_id', '=', analysisId)
      .returning(headerColumns)
      .executeTakeFirst();
  return {
    start: async (targetId, actor) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        const row = await transaction
          .insertInto('pgluthier.analysis')
          .values({
            target_id: targetId,
            analysis_id: newId('ana'),
            state: 'running',
            actor,
            started_at: new Date(),
          })
          .returning(headerColumns)
          .executeTakeFirstOrThrow();
        return toHeader(row);
      }),
    finish: async (targetId, analysisId, report) => {
      const row = await update(targetId, analysisId, {
        state: 'succeeded',
        summary: jsonText(report.summary),
        report: jsonText(report),
      });
      if (!row) throw notFound('analysis', analysisId);
      return toHeader(row);
    },
    recordFailure: async (targetId, analysisId, code, message) => {
      const row = await update(targetId, analysisId, { state: 'failed', error: jsonText({ code, message }) });
      if (!row) throw notFound('analysis', analysisId);
    },
    list: async (targetId, { limit, before }) => {
      let query = db
        .selectFrom('pgluthier.analysis')
        .select(headerColumns)
        .where('target_id', '=', targetId)
        .orderBy('started_at', 'desc')
        .limit(limit);
      if (before !== undefined) query = query.where('started_at', '<', before);
      return (await query.execute()).map((row) => toHeader(row));
    },
    get: async (targetId, analysisId) => {
      const row = await db
        .selectFrom('pgluthier.analysis')
        .select([...headerColumns, 'report'])
        .where('target_id', '=', targetId)
        .where('analysis_id', '=', analysisId)
        .executeTakeFirst();
      if (!row) throw notFound('analysis', analysisId);
      return { ...toHeader(row), report: row.report as Report | null };
    },
    abandonRunning: async () => {
      const error = { code: 'service_stopped', message: 'The service stopped while this analysis ran.' };
      const result = await db
        .updateTable('pgluthier.analysis')
        .set({ state: 'failed', finished_at: new Date(), error: jsonText(error) })
        .where('state', '=', 'running')
        .where('started_at', '<', new Date(Date.now() - 12 * 3_600_000).toISOString())
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },
  };
}
