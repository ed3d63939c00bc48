/** A target and what it lets us see and do. */
import type { Limit } from './recommendation.ts';

/** A database under watch. The DSN itself stays in the store, sealed; it is never part of this object. */
export interface Target {
  id: string;
  name: string;
  /** Where the DSN comes from: `env:NAME`, `file:/path`, or `sealed` (encrypted in the store). */
  dsn_source: string;
  /** host:port/database as shown to people; no user, no password. */
  address: string;
  created_at: string;
  /** Another database than the DSN names: all databases of a server share one DSN. Null: the DSN's. */
  database_name: string | null;
  /** api: added by somebody. file: the list of targets has it, or had it. */
  origin: 'api' | 'file';
  /** For people and their dashboards. */
  labels: Record<string, string>;
  /** While it is paused nothing connects to it on a schedule. */
  paused_at: string | null;
  paused_because: string | null;
  /** Operator's word on the hardware: beats everything that is detected. Null: not given. */
  host_overrides: HostOverrides;
}

export interface HostOverrides {
  ram_bytes?: number | undefined;
  cpu_count?: number | undefined;
  disk_type?: DiskType | undefined;
}

export type DiskType = 'hdd' | 'ssd' | 'nvme' | 'san';

/** What this role, on this server, may see. Decided afresh for each session; never cached across targets. */
export interface Capabilities {
  server_version_num: number;
  /** Major version, e.g. 17. */
  major: number;
  in_recovery: boolean;
  is_superuser: boolean;
  /** Member of pg_monitor, directly or not. */
  is_monitor: boolean;
  /** Member of pg_read_all_data. */
  reads_all_data: boolean;
  /** Extension version of pg_stat_statements in this database, e.g. `1.11`; null: not created. */
  pg_stat_statements: string | null;
  /** Schema that pg_stat_statements was created in; null: not created. */
  pg_stat_statements_schema: string | null;
  /** pg_stat_statements is in shared_preload_libraries, so its view answers. */
  pg_stat_statements_loaded: boolean;
  /** May read other users' statement texts (pg_read_all_stats). */
  sees_all_statements: boolean;
  extensions: Record<string, string>;
  /** Schema that each was created in. */
  extension_schemas: Record<string, string>;
  /** HypoPG's version if created here. */
  hypopg: string | null;
  /** Recognised managed service: rds, aurora, cloudsql, azure, supabase, neon, …; null: none recognised. */
  managed_service: string | null;
  limits: Limit[];
}

/** One thing that the doctor looked at. */
export interface DiagnosisCheck {
  id: string;
  title: string;
  /** null: could not be told. */
  ok: boolean | null;
  /** `required`: nothing works without it. `advised`: advice is poorer. `apply`: only for applying changes. */
  need: 'required' | 'advised' | 'apply';
  detail: string;
  /** The SQL or the setting that mends it; null where nothing is to be done. */
  remedy: string | null;
}

/** What a role can see and do on a target. */
export interface Diagnosis {
  address: string;
  role: string;
  server_version: string;
  checks: DiagnosisCheck[];
  limits: Limit[];
}

/** Whether a diagnosis finds everything that collecting needs. */
export function isUsable(diagnosis: Diagnosis): boolean {
  return diagnosis.checks.every((check) => check.need !== 'required' || check.ok === true);
}
