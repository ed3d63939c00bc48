/** Settings of the server and of roles, written and taken out. */
import { rows } from '../target.ts';
import type { Place, Subject } from './subjects.ts';

/** Integers without a unit, and their defaults: each apply of a round has one for itself. */
const NAMES = Object.entries({
  geqo_threshold: '12',
  from_collapse_limit: '8',
  join_collapse_limit: '8',
  default_statistics_target: '100',
  autovacuum_vacuum_threshold: '50',
  autovacuum_analyze_threshold: '50',
  autovacuum_vacuum_insert_threshold: '1000',
  vacuum_cost_limit: '200',
  vacuum_cost_page_hit: '1',
  vacuum_cost_page_dirty: '20',
  bgwriter_lru_maxpages: '100',
  max_parallel_workers_per_gather: '2',
  max_parallel_maintenance_workers: '2',
  max_parallel_workers: '8',
  vacuum_freeze_min_age: '50000000',
  vacuum_freeze_table_age: '150000000',
  vacuum_failsafe_age: '1600000000',
  vacuum_multixact_freeze_min_age: '5000000',
  vacuum_multixact_freeze_table_age: '150000000',
});

export const SETTINGS = NAMES.map(([name]) => name);
const [BEFORE, AFTER] = ['13', '14'];

function settingOf({ number }: Place): { name: string; standard: string } {
  const [name, standard] = NAMES[number] ?? [];
  if (name === undefined || standard === undefined) throw new Error('more settings than names in one round');
  return { name, standard };
}

function setting(name: string, reset: boolean): Subject {
  return {
    name,
    setup: () => '',
    entries: 3,
    change: (place) => {
      const { name: which, standard } = settingOf(place);
      return {
        kind: 'setting',
        name: which,
        value: reset ? standard : AFTER,
        current_value: BEFORE,
        context: 'user',
        ...(reset ? { reset: true as const } : {}),
      };
    },
    hold: () => [],
    effect: async (place) => {
      const { name: which, standard } = settingOf(place);
      const [row] = await rows<{ now: string; entry: string | null }>(
        place.dsn,
        `SELECT current_setting($1) AS now,
                (SELECT setting FROM pg_file_settings WHERE name = $1 AND sourcefile ~ 'auto.conf' ORDER BY seqno DESC LIMIT 1) AS entry`,
        [which],
      );
      if (row?.now === BEFORE && row.entry === BEFORE) return 'undone';
      const [now, entry] = reset ? [standard, null] : [AFTER, AFTER];
      return row?.now === now && row.entry === entry ? 'done' : 'between';
    },
  };
}

/** What the server has before the round. */
export const settingBefore = (place: Place) => {
  const { name } = settingOf(place);
  return { name, value: BEFORE };
};

/** In all databases, or in one. */
function roleSetting(name: string, reset: boolean, database: string | null = null): Subject {
  const roleOf = ({ schema, number }: Place) => `${schema} reports ${number}`;
  const within = database === null ? '' : `IN DATABASE ${database}`;
  return {
    name,
    setup: (place) =>
      `CREATE ROLE "${roleOf(place)}"; ALTER ROLE "${roleOf(place)}" ${within} SET work_mem = '5MB';
       ALTER ROLE "${roleOf(place)}" ${within} SET geqo_effort = '7';`,
    entries: 1,
    change: (place) => ({
      ...(database === null
        ? { kind: 'role.setting' as const }
        : { kind: 'role.database.setting' as const, database }),
      role: roleOf(place),
      name: 'work_mem',
      value: reset ? '4MB' : '64MB',
      current_value: '5MB',
      previous: '5MB',
      ...(reset ? { reset: true as const } : {}),
    }),
    hold: () => [],
    effect: async (place) => {
      const [row] = await rows<{ setconfig: string[] }>(
        place.dsn,
        'SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = $1',
        [roleOf(place)],
      );
      const config = row?.setconfig.toSorted().join();
      const done = reset ? 'geqo_effort=7' : 'geqo_effort=7,work_mem=64MB';
      return config === done ? 'done' : config === 'geqo_effort=7,work_mem=5MB' ? 'undone' : 'between';
    },
  };
}

/** None of NAMES, whose values in force a database's would hide. */
const DATABASE_NAMES = [
  'jit_above_cost jit_inline_above_cost jit_optimize_above_cost seq_page_cost random_page_cost cpu_tuple_cost',
  'cpu_index_tuple_cost cpu_operator_cost parallel_setup_cost parallel_tuple_cost vacuum_cost_page_miss',
  'hash_mem_multiplier min_parallel_table_scan_size min_parallel_index_scan_size effective_cache_size',
  'backend_flush_after effective_io_concurrency maintenance_io_concurrency',
].flatMap((line) => line.split(' '));

/** A parameter of its own for each place: all of a round share the database's row, as people's changes do. */
function databaseSetting(name: string, reset: boolean): Subject {
  const parameterOf = ({ number }: Place) => {
    const found = DATABASE_NAMES[number];
    if (found === undefined) throw new Error('more settings of the database than names in one round');
    return found;
  };
  return {
    name,
    setup: (place) => `ALTER DATABASE postgres SET ${parameterOf(place)} = '5';`,
    entries: 1,
    change: (place) => ({
      kind: 'database.setting',
      database: 'postgres',
      name: parameterOf(place),
      value: reset ? '8' : '6',
      current_value: '5',
      previous: '5',
      ...(reset ? { reset: true as const } : {}),
    }),
    hold: () => [],
    effect: async (place) => {
      const [row] = await rows<{ item: string }>(
        place.dsn,
        `SELECT item FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS item
         WHERE datname = 'postgres' AND setrole = 0 AND split_part(item, '=', 1) = $1`,
        [parameterOf(place)],
      );
      const value = row?.item.split('=')[1];
      return value === (reset ? undefined : '6') ? 'done' : value === '5' ? 'undone' : 'between';
    },
  };
}

export const settingSubjects: Subject[] = [
  setting('setting', false),
  setting('setting, reset', true),
  roleSetting('role.setting', false),
  roleSetting('role.setting, reset', true),
  roleSetting('role.database.setting', false, 'postgres'),
  roleSetting('role.database.setting, reset', true, 'postgres'),
  databaseSetting('database.setting', false),
  databaseSetting('database.setting, reset', true),
];
