/** Settings that the planner reads, as the target has them. */
import { quoteLiteral, type SettingOverride, type Snapshot } from '../../domain/index.ts';

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

/** Whether planning reads it. */
export function isPlannerSetting(name: string): boolean {
  return (
    (PLANNER_SETTINGS.has(name.toLowerCase()) || name.startsWith('enable_') || name.startsWith('geqo')) &&
    !NOT_COPIED.has(name)
  );
}

/**
 * Values as SQL, for ALTER ROLE … SET: numbers stay in the setting's own unit, which a bare number means. A list of
 * names keeps its form, for as one quoted text it would be a single schema's name.
 */
export function plannerSettings(snapshot: Snapshot): Record<string, string> {
  const settings = valuesInForce(snapshot, isPlannerSetting);
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      name === 'search_path' ? pathNames(value).map(quoteLiteral).join(', ') : quoteLiteral(value),
    ]),
  );
}

/** How near an override is to a session, nearest last (process_settings() of postinit.c): all, database, role, both. */
const nearness = ({ role, database }: SettingOverride) =>
  (role === null ? 0 : 2) + (database === null ? 0 : 1);

/**
 * What a session begins with: of a role's, where one is named, over the database's, over all sessions'. What is set for
 * other roles is not in force.
 */
function valuesInForce(
  snapshot: Snapshot,
  wanted: (name: string) => boolean,
  role: string | null = null,
): Record<string, string> {
  const settings = new Map(
    snapshot.settings.filter((row) => wanted(row.name)).map((row) => [row.name.toLowerCase(), row.setting]),
  );
  const overrides = snapshot.setting_overrides
    .filter((item) => (item.role === null || item.role === role) && wanted(item.name))
    .toSorted((a, b) => nearness(a) - nearness(b));
  for (const { name, value } of overrides) settings.set(name.toLowerCase(), value);
  return Object.fromEntries(settings);
}

/** Planner settings that sessions of a role begin with (null: of any that has none of its own), as set_config() takes them. */
export function sessionSettings(snapshot: Snapshot, role: string | null): Record<string, string> {
  const usual = valuesInForce(snapshot, isPlannerSetting);
  return role === null ? usual : { ...usual, ...roleSettings(snapshot, role) };
}

/**
 * Planner settings that a role begins with where they differ from what all sessions do; values as set_config() takes
 * them. `$user` in a search_path stands for the role's own schema: the twin plans as another role.
 */
export function roleSettings(snapshot: Snapshot, role: string): Record<string, string> {
  const usual = valuesInForce(snapshot, isPlannerSetting);
  const own = valuesInForce(snapshot, isPlannerSetting, role);
  const hasSchema = [...snapshot.tables, ...snapshot.schema.views].some((item) => item.schema === role);
  if (own.search_path !== undefined && hasSchema) {
    const names = pathNames(own.search_path).map((name) => (name === '$user' ? role : name));
    own.search_path = names.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
  }
  return Object.fromEntries(Object.entries(own).filter(([name, value]) => usual[name] !== value));
}

/** A search_path's parts without their quotes. */
function pathNames(path: string): string[] {
  return (path.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [])
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
}

/**
 * Where names in definitions are looked for: pg_catalog, for definitions were read with nothing else on the path; then
 * as the target's own sessions do; last where extensions are, whose operator classes stand unqualified in candidates.
 */
export function searchPath(snapshot: Snapshot): string {
  const own = pathNames(valuesInForce(snapshot, (name) => name === 'search_path').search_path ?? 'public');
  const extensions = Object.values(snapshot.server.extension_schemas ?? { any: 'public' });
  const names = ['pg_catalog', ...own.filter((name) => name !== '$user'), ...extensions];
  return [...new Set(names)].map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
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
  // Planning a tree of thousands of partitions locks each of them.
  max_locks_per_transaction: '1024',
  track_counts: 'off',
  track_activities: 'off',
  log_min_messages: 'fatal',
  log_statement: 'none',
  check_function_bodies: 'off',
};
