/** Settings that the planner reads, as the target has them. */
import type { Snapshot } from '../../domain/index.ts';

/** By name or prefix, of src/backend/utils/misc/guc_tables.c's QUERY_TUNING groups and what else planning looks at. */
const PLANNER_SETTINGS = new Set([
  'seq_page_cost',
  'random_page_cost',
  'cpu_tuple_cost',
  'cpu_index_tuple_cost',
  'cpu_operator_cost',
  'parallel_setup_cost',
  'parallel_tuple_cost',
  'min_parallel_table_scan_size',
  'min_parallel_index_scan_size',
  'max_parallel_workers_per_gather',
  'max_parallel_workers',
  'parallel_leader_participation',
  'effective_cache_size',
  'work_mem',
  'hash_mem_multiplier',
  'constraint_exclusion',
  'cursor_tuple_fraction',
  'default_statistics_target',
  'from_collapse_limit',
  'join_collapse_limit',
  'jit_above_cost',
  'recursive_worktable_factor',
  'default_text_search_config',
  'search_path',
  'datestyle',
  'intervalstyle',
  'timezone',
  'extra_float_digits',
  'standard_conforming_strings',
  'backslash_quote',
  'array_nulls',
  'transform_null_equals',
  'lc_messages',
]);
/** Names that no other server than the target's needs to know. */
const NOT_COPIED = new Set(['lc_messages']);

function isPlannerSetting(name: string): boolean {
  return (
    (PLANNER_SETTINGS.has(name.toLowerCase()) || name.startsWith('enable_') || name.startsWith('geqo')) &&
    !NOT_COPIED.has(name)
  );
}

/** Lines of postgresql.conf: numbers stay in the setting's own unit, which a bare number means. */
export function plannerSettings(snapshot: Snapshot): Record<string, string> {
  const settings = Object.fromEntries(
    snapshot.settings.filter((row) => isPlannerSetting(row.name)).map((row) => [row.name, row.setting]),
  );
  // What is set for the whole database is what its sessions get; roles' own settings are not.
  for (const override of snapshot.setting_overrides) {
    if (override.role === null && isPlannerSetting(override.name)) settings[override.name] = override.value;
  }
  return settings;
}

/** The planner does not look at these; they keep the twin small and quiet. */
export const TWIN_SETTINGS: Record<string, string> = {
  autovacuum: 'off',
  shared_buffers: '16MB',
  max_connections: '12',
  max_wal_senders: '0',
  wal_level: 'minimal',
  allow_system_table_mods: 'on',
  max_prepared_transactions: '0',
  track_counts: 'off',
  track_activities: 'off',
  log_min_messages: 'fatal',
  log_statement: 'none',
  check_function_bodies: 'off',
};
