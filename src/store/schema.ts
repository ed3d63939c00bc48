/** The store's tables as Kysely sees them; sql/migrations/ is what makes them. */
import type { ColumnType } from 'kysely';
import type { ActivityPoint } from '../domain/index.ts';
import type { ActivityHour } from './activity-hours.ts';

/** jsonb: read as a value, written as its text. */
type Json<T> = ColumnType<T, string, string>;
type JsonOrNull<T> = ColumnType<T | null, string | null, string | null>;
/** timestamptz: read as ISO 8601, written as a Date or text. */
type Time = ColumnType<string, Date | string, Date | string>;
type TimeOrNull = ColumnType<string | null, Date | string | null, Date | string | null>;

export interface Tables {
  'pgluthier.target': {
    target_id: string;
    name: string;
    dsn_source: string;
    dsn_sealed: Buffer | null;
    dsn_key_id: string | null;
    address: string;
    host_overrides: Json<Record<string, unknown>>;
    created_at: Time;
    database_name: string | null;
    origin: ColumnType<'api' | 'file', 'api' | 'file' | undefined, 'api' | 'file'>;
    labels: ColumnType<Record<string, string>, string | undefined, string>;
    paused_at: TimeOrNull;
    paused_because: string | null;
  };
  'pgluthier.target_schedule': {
    target_id: string;
    server: string;
    next_due_at: Time;
    lease_owner: string | null;
    lease_until: TimeOrNull;
    consecutive_failures: number;
    last_error_code: string | null;
    last_success_at: TimeOrNull;
  };
  'pgluthier.snapshot': {
    target_id: string;
    collected_at: Time;
    taken_at: TimeOrNull;
    snapshot_id: string;
    status: 'complete' | 'partial' | 'failed';
    duration_ms: number | null;
    counts: Json<Record<string, number>>;
    limits: Json<unknown[]>;
    base_snapshot_id: string | null;
    body: Buffer | null;
    cadence: ColumnType<'full' | 'fast', 'full' | 'fast' | undefined, never>;
    full_snapshot_id: string | null;
    activity: JsonOrNull<ActivityPoint>;
    activity_hours: JsonOrNull<ActivityHour[]>;
    epoch: string | null;
    dealloc: number | null;
  };
  'pgluthier.roll_up': { target_id: string; day: Date | string; level: 'hourly' | 'daily' };
  'pgluthier.snapshot_part': { target_id: string; hash: string; last_seen: Date | string; body: Buffer };
  'pgluthier.query_text': { target_id: string; hash: string; last_seen: Date | string; query: string };
  'pgluthier.analysis': {
    target_id: string;
    analysis_id: string;
    state: 'running' | 'succeeded' | 'failed';
    actor: string;
    started_at: Time;
    finished_at: TimeOrNull;
    error: JsonOrNull<{ code: string; message: string }>;
    summary: JsonOrNull<unknown>;
    report: JsonOrNull<unknown>;
  };
  'pgluthier.recommendation': {
    target_id: string;
    recommendation_id: string;
    generation: number;
    fingerprint: string;
    rule: string;
    kind: string;
    severity: string;
    state: string;
    plan_hash: string;
    body: Json<unknown>;
    dismissal: JsonOrNull<unknown>;
    snoozed_until: TimeOrNull;
    scheduled_by: string | null;
    analysis_id: string;
    first_seen: Time;
    last_seen: Time;
  };
  'pgluthier.approval': {
    target_id: string;
    recommendation_id: string;
    generation: number;
    plan_hash: string;
    actor: string;
    approved_at: Time;
    preconditions: JsonOrNull<unknown>;
  };
  'pgluthier.apply': {
    target_id: string;
    apply_id: string;
    recommendation_id: string;
    generation: number;
    state: string;
    plan: Json<unknown>;
    actor: string;
    created_at: Time;
    finished_at: TimeOrNull;
    before_snapshot_id: string;
    after_snapshot_id: string | null;
    progress: JsonOrNull<unknown>;
    outcome: JsonOrNull<unknown>;
    verdict: JsonOrNull<unknown>;
    cancel_requested_at: TimeOrNull;
    cancel_requested_by: string | null;
    batch_id: string | null;
    restarted_at: TimeOrNull;
  };
  'pgluthier.restart_batch': {
    target_id: string;
    batch_id: string;
    batch_hash: string;
    actor: string;
    created_at: Time;
    state: string;
    finished_at: TimeOrNull;
    memory: JsonOrNull<unknown>;
  };
  'pgluthier.apply_policy': {
    target_id: string;
    policy: Json<unknown>;
    updated_at: Time;
    updated_by: string;
  };
  'pgluthier.apply_stop': { scope: string; because: string; stopped_at: Time; stopped_by: string };
  'pgluthier.journal': {
    target_id: string;
    apply_id: string;
    step: number;
    purpose: string;
    sql: string;
    state: string;
    backend_pid: number | null;
    backend_start: string | null;
    started_at: Time;
    finished_at: TimeOrNull;
    sqlstate: string | null;
    message: string | null;
  };
  'pgluthier.scorecard_baseline': {
    target_id: string;
    name: string;
    saved_at: Time;
    actor: string;
    scorecard: Json<unknown>;
  };
  'pgluthier.scorecard_thresholds': {
    target_id: string;
    set_at: Time;
    actor: string;
    thresholds: Json<unknown>;
  };
  'pgluthier.job_run': {
    job_run_id: string;
    job: string;
    fire_at: Time;
    instance: string;
    state: string;
    started_at: Time;
    finished_at: TimeOrNull;
    details: JsonOrNull<Record<string, unknown>>;
    error: string | null;
  };
  'pgluthier.audit': {
    audit_id: number;
    at: Time;
    actor: string;
    action: string;
    target_id: string | null;
    subject_id: string | null;
    details: Json<Record<string, unknown>>;
    previous_hash: string;
    hash: string;
  };
}
