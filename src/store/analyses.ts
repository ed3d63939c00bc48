/** Analyses: each run with its report or its failure. */
import type { Report } from '../domain/index.ts';
import { type Database, newId, notFound } from './database.ts';

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
  start(targetId: string, actor: string): Promise<AnalysisHeader>;
  finish(targetId: string, analysisId: string, report: Report): Promise<AnalysisHeader>;
  recordFailure(targetId: string, analysisId: string, code: string, message: string): Promise<void>;
  /** Newest first. */
  list(targetId: string, options: { limit: number }): Promise<AnalysisHeader[]>;
  /** @throws PgLuthierError `analysis_not_found`. */
  get(targetId: string, analysisId: string): Promise<AnalysisHeader & { report: Report | null }>;
  /** Marks those that a stop of this service left running as failed; how many. */
  abandonRunning(): Promise<number>;
}

interface AnalysisRow {
  target_id: string;
  analysis_id: string;
  state: 'running' | 'succeeded' | 'failed';
  actor: string;
  started_at: string;
  finished_at: string | null;
  error: { code: string; message: string } | null;
  report: unknown;
}

function toAnalysis({
  analysis_id,
  report,
  ...row
}: AnalysisRow): AnalysisHeader & { report: Report | null } {
  const full = report as Report | null;
  return { id: analysis_id, ...row, summary: full?.summary ?? null, report: full };
}

function toHeader(row: AnalysisRow): AnalysisHeader {
  const { report: _, ...header } = toAnalysis(row);
  return header;
}

export function analysisStore(db: Database): AnalysisStore {
  const update = (
    targetId: string,
    analysisId: string,
    values: { state: 'succeeded' | 'failed'; report?: string; error?: string },
  ) =>
    db
      .updateTable('pgluthier.analysis')
      .set({ ...values, finished_at: new Date() })
      .where('target_id', '=', targetId)
      .where('analysis_id', '=', analysisId)
      .returningAll()
      .executeTakeFirst();
  return {
    start: async (targetId, actor) =>
      toHeader(
        await db
          .insertInto('pgluthier.analysis')
          .values({
            target_id: targetId,
            analysis_id: newId('ana'),
            state: 'running',
            actor,
            started_at: new Date(),
          })
          .returningAll()
          .executeTakeFirstOrThrow(),
      ),
    finish: async (targetId, analysisId, report) => {
      const row = await update(targetId, analysisId, { state: 'succeeded', report: JSON.stringify(report) });
      if (!row) throw notFound('analysis', analysisId);
      return toHeader(row);
    },
    recordFailure: async (targetId, analysisId, code, message) => {
      await update(targetId, analysisId, { state: 'failed', error: JSON.stringify({ code, message }) });
    },
    list: async (targetId, { limit }) => {
      const rows = await db
        .selectFrom('pgluthier.analysis')
        .selectAll()
        .where('target_id', '=', targetId)
        .orderBy('started_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toHeader);
    },
    get: async (targetId, analysisId) => {
      const row = await db
        .selectFrom('pgluthier.analysis')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('analysis_id', '=', analysisId)
        .executeTakeFirst();
      if (!row) throw notFound('analysis', analysisId);
      return toAnalysis(row);
    },
    abandonRunning: async () => {
      const error = { code: 'service_stopped', message: 'The service stopped while this analysis ran.' };
      const result = await db
        .updateTable('pgluthier.analysis')
        .set({ state: 'failed', finished_at: new Date(), error: JSON.stringify(error) })
        .where('state', '=', 'running')
        .where('started_at', '<', new Date(Date.now() - 12 * 3_600_000).toISOString())
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },
  };
}
