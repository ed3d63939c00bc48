/**
 * Room rule. store/ keeps what the service knows: targets, snapshots, analyses, recommendations, applies, job runs,
 * baselines of scorecards and the audit log, in PostgreSQL through Kysely; one file a noun. It may import domain only. It is the only code with
 * Kysely, decides no policy, and never talks to a target.
 */
import type { Logger } from 'pino';
import { type AnalysisStore, analysisStore } from './analyses.ts';
import { type ApplyStore, applyStore } from './applies.ts';
import {
  type ApplyPolicyStore,
  type ApplyStopStore,
  applyPolicyStore,
  applyStopStore,
} from './apply-policies.ts';
import { type ApprovalStore, approvalStore } from './approvals.ts';
import { type AuditStore, auditStore } from './audit.ts';
import { createDatabase, createPool, endDatabase } from './database.ts';
import { storeUnreachable } from './errors.ts';
import { type JobRunStore, jobRunStore } from './job-runs.ts';
import { migrate, readMigrations } from './migrate.ts';
import { type RecommendationStore, recommendationStore } from './recommendations.ts';
import { type RestartBatchStore, restartBatchStore } from './restart-batches.ts';
import { type RetentionStore, retentionStore } from './retention.ts';
import { type RollUpStore, rollUpStore } from './roll-ups.ts';
import { type ScorecardStore, scorecardStore } from './scorecards.ts';
import { checkKey } from './seal.ts';
import { type SnapshotStore, snapshotStore } from './snapshots.ts';
import { type TargetScheduleStore, targetScheduleStore } from './target-schedule.ts';
import { type TargetStore, targetStore } from './targets.ts';

export type { AnalysisHeader } from './analyses.ts';
export type { ApplyStop } from './apply-policies.ts';
export type { Apply } from './apply-row.ts';
export type { BaselineHeader } from './scorecards.ts';
export type { SnapshotHeader } from './snapshots.ts';
export type { ListedTarget, SyncResult } from './target-list.ts';
export type { Claim } from './target-schedule.ts';

export interface StoreOptions {
  dsn: string;
  /** 32 bytes: seals DSNs. */
  secretKey: Buffer;
  logger?: Logger;
  /** Connections at most; default 10. */
  poolSize?: number;
}

export interface Store {
  targets: TargetStore;
  targetSchedule: TargetScheduleStore;
  snapshots: SnapshotStore;
  analyses: AnalysisStore;
  recommendations: RecommendationStore;
  approvals: ApprovalStore;
  applies: ApplyStore;
  restartBatches: RestartBatchStore;
  applyPolicies: ApplyPolicyStore;
  applyStops: ApplyStopStore;
  jobRuns: JobRunStore;
  audit: AuditStore;
  retention: RetentionStore;
  rollUps: RollUpStore;
  scorecards: ScorecardStore;
  /**
   * Brings the schema up to date; safe when several processes start at once.
   * @returns names of the files applied now.
   * @throws PgLuthierError `migration_changed`, `store_too_new`, `store_encoding`, `store_migration_failed`.
   */
  migrate(): Promise<string[]>;
  /** @throws PgLuthierError `store_unreachable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the store and makes sure that it answers; `migrate()` is the caller's to call.
 * @throws PgLuthierError `store_unreachable`, `secret_key_invalid`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  checkKey(options.secretKey);
  const { pool, clients } = createPool(options.dsn, options.poolSize ?? 10);
  const db = createDatabase(pool);
  const ping = async () => {
    try {
      await pool.query('SELECT 1');
    } catch (error) {
      throw storeUnreachable(error);
    }
  };
  try {
    await ping();
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    targets: targetStore(db, options.secretKey),
    targetSchedule: targetScheduleStore(db),
    snapshots: snapshotStore(db),
    analyses: analysisStore(db),
    recommendations: recommendationStore(db),
    approvals: approvalStore(db),
    applies: applyStore(db),
    restartBatches: restartBatchStore(db),
    applyPolicies: applyPolicyStore(db),
    applyStops: applyStopStore(db),
    jobRuns: jobRunStore(db),
    audit: auditStore(db),
    retention: retentionStore(db),
    rollUps: rollUpStore(db),
    scorecards: scorecardStore(db),
    migrate: async () => {
      const client = await pool.connect().catch((error: unknown) => {
        throw storeUnreachable(error);
      });
      try {
        const applied = await migrate(client, await readMigrations());
        if (applied.length > 0) options.logger?.info({ migrations: applied }, 'store migrated');
        return applied;
      } finally {
        client.release();
      }
    },
    ping,
    close: () => endDatabase(db, pool, clients),
  };
}
