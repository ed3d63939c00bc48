/**
 * All settings that hardware and the kind of workload alone speak for: the baseline with what goes beside it. It knows
 * nothing of a database; what a running one shows overrides it (the rules of this area).
 */
import { type Baseline, type BaselineInput, type BaselineValue, staticBaseline } from './baseline.ts';
import { LOG_AUTOVACUUM_MS, LOG_LINE_PREFIX, LOG_STATEMENT_MS, LOG_TEMP_FILES_MB } from './log-settings.ts';
import { GB, showValue } from './units.ts';

/** What pg_settings says of a setting: the unit that a bare number means, and whether a change wants a restart. */
export interface SettingNature {
  unit: '8kB' | 'kB' | 'MB' | 'ms' | null;
  restart: boolean;
}

interface KnownNature extends SettingNature {
  /** Majors that have it; absent: all from 10 on. */
  since?: number;
  until?: number;
  /** Needs no restart from this major on. */
  reloads_from?: number;
}

/** A test compares with real servers of each major. */
const NATURES: Readonly<Record<string, KnownNature>> = {
  autovacuum_max_workers: { unit: null, restart: true, reloads_from: 18 },
  autovacuum_work_mem: { unit: 'kB', restart: false },
  checkpoint_completion_target: { unit: null, restart: false },
  default_statistics_target: { unit: null, restart: false },
  effective_cache_size: { unit: '8kB', restart: false },
  effective_io_concurrency: { unit: null, restart: false },
  huge_pages: { unit: null, restart: true },
  io_workers: { unit: null, restart: false, since: 18, until: 18 },
  jit: { unit: null, restart: false, since: 11 },
  log_autovacuum_min_duration: { unit: 'ms', restart: false },
  log_checkpoints: { unit: null, restart: false },
  log_line_prefix: { unit: null, restart: false },
  log_lock_waits: { unit: null, restart: false },
  log_min_duration_statement: { unit: 'ms', restart: false },
  log_temp_files: { unit: 'kB', restart: false },
  maintenance_io_concurrency: { unit: null, restart: false, since: 13 },
  maintenance_work_mem: { unit: 'kB', restart: false },
  max_connections: { unit: null, restart: true },
  max_parallel_maintenance_workers: { unit: null, restart: false, since: 11 },
  max_parallel_workers: { unit: null, restart: false },
  max_parallel_workers_per_gather: { unit: null, restart: false },
  max_wal_size: { unit: 'MB', restart: false },
  max_worker_processes: { unit: null, restart: true },
  min_wal_size: { unit: 'MB', restart: false },
  random_page_cost: { unit: null, restart: false },
  shared_buffers: { unit: '8kB', restart: true },
  wal_buffers: { unit: '8kB', restart: true },
  work_mem: { unit: 'kB', restart: false },
};

/** Of all that a baseline may hold, what a major has. */
export function settingNatures(major: number): Record<string, SettingNature> {
  return Object.fromEntries(
    Object.entries(NATURES).flatMap(([name, { unit, restart, since = 10, until = 99, reloads_from = 99 }]) =>
      major < since || major > until ? [] : [[name, { unit, restart: restart && major < reloads_from }]],
    ),
  );
}

/** Below so much of shared_buffers huge pages bring nothing that is worth a look; pgtune's. */
const HUGE_PAGES_FROM = 2 * GB;
/** max_parallel_maintenance_workers came with it. */
const PARALLEL_MAINTENANCE_FROM = 11;
/** jit came with 11 and is on by default from 12. */
const JIT_FROM = 12;

const formatMs = (ms: number) => showValue({ setting: String(ms), unit: 'ms', vartype: 'integer' });
const word = (text: string, formula: string): BaselineValue => ({ value: Number.NaN, text, formula });

/** The set for a host, by name, in the order of names. */
export function hostSettings(input: BaselineInput): Baseline {
  const baseline = staticBaseline(input);
  const { major, workload_type: type } = input;
  const buffers = baseline.values.shared_buffers?.value ?? 0;
  const values: Record<string, BaselineValue> = {
    ...baseline.values,
    default_statistics_target:
      type === 'dw'
        ? word('500', 'few large statements: planning may take longer to be right')
        : word('100', "PostgreSQL's default; raise it for single columns whose estimates are off"),
    log_checkpoints: word('on', 'without it nobody sees why checkpoints were asked for'),
    log_lock_waits: word('on', 'says who waited longer than deadlock_timeout, and for whom'),
    log_temp_files: word(`${LOG_TEMP_FILES_MB}MB`, 'sorts that went to disk, by statement'),
    log_autovacuum_min_duration: word(
      formatMs(LOG_AUTOVACUUM_MS),
      'vacuums that took long, with what they did',
    ),
    log_min_duration_statement: word(
      formatMs(LOG_STATEMENT_MS),
      'statements that were slow once are in no average; their texts, with constants, are in the log then',
    ),
    log_line_prefix: word(LOG_LINE_PREFIX, 'time, process, role, database and application of each line'),
  };
  if (buffers >= HUGE_PAGES_FROM) {
    values.huge_pages = word(
      'try',
      'from 2GB of shared_buffers; the server starts without where the kernel has none',
    );
  }
  if (major >= JIT_FROM && type !== 'dw') {
    values.jit = word(
      'off',
      'compiling takes longer than short statements; cost estimates decide when, and are often wrong',
    );
  }
  if (major < PARALLEL_MAINTENANCE_FROM) delete values.max_parallel_maintenance_workers;
  const sorted = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...baseline, values: Object.fromEntries(sorted) };
}
