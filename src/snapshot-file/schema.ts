/**
 * The shape of a snapshot as a file holds it. Fields are listed by their type; fields that a newer PgLuthier added
 * pass through, and what this one cannot do without must be there.
 */
import { z } from 'zod';
import type { FastSnapshot, Snapshot } from '../domain/index.ts';

const fieldTypes = {
  string: z.string(),
  string_or_null: z.string().nullable(),
  number: z.number(),
  number_or_null: z.number().nullable(),
  boolean: z.boolean(),
  strings: z.array(z.string()),
  numbers: z.array(z.number()),
  numbers_or_null: z.array(z.number()).nullable(),
  options: z.record(z.string(), z.string()),
} as const;

/** An object out of names of fields by type, separated by spaces; further fields by their own schemas. */
function row(fields: Partial<Record<keyof typeof fieldTypes, string>>, more: Record<string, z.ZodType> = {}) {
  const shape = Object.entries(fields).flatMap(([type, names]) =>
    names.split(' ').map((name) => [name, fieldTypes[type as keyof typeof fieldTypes]] as const),
  );
  return z.looseObject({ ...Object.fromEntries(shape), ...more });
}

const columnStats = row({
  boolean: 'inherited',
  number: 'null_frac avg_width n_distinct',
  string_or_null: 'most_common_vals histogram_bounds most_common_elems',
  number_or_null: 'correlation',
  numbers_or_null: 'most_common_freqs most_common_elem_freqs elem_count_histogram',
});

const server = row(
  {
    string: 'server_version database started_at encoding',
    number: 'server_version_num block_size',
    boolean: 'in_recovery',
    string_or_null:
      'system_identifier lc_collate lc_ctype locale_provider icu_locale stats_reset managed_service',
    number_or_null: 'database_size_bytes',
    options: 'extensions',
  },
  { extension_schemas: z.record(z.string(), z.string()).optional() },
);

const statement = row(
  {
    string: 'queryid',
    number:
      'userid dbid calls total_exec_time_ms mean_exec_time_ms stddev_exec_time_ms min_exec_time_ms max_exec_time_ms ' +
      'plans total_plan_time_ms rows shared_blks_hit shared_blks_read shared_blks_dirtied shared_blks_written ' +
      'temp_blks_read temp_blks_written wal_records wal_bytes',
    boolean: 'toplevel',
    string_or_null: 'user query stats_since',
    number_or_null: 'jit_time_ms',
  },
  // Files of before 2026-11-28 have none.
  {
    temp_blk_read_time_ms: z.number().nullable().optional(),
    temp_blk_write_time_ms: z.number().nullable().optional(),
  },
);

const tableCounters = row({
  number:
    'oid seq_scan seq_tup_read n_tup_ins n_tup_upd n_tup_del n_tup_hot_upd n_live_tup n_dead_tup ' +
    'n_mod_since_analyze n_ins_since_vacuum vacuum_count autovacuum_count analyze_count autoanalyze_count',
  number_or_null: 'idx_scan idx_tup_fetch n_tup_newpage_upd',
  string_or_null: 'last_vacuum last_autovacuum last_analyze last_autoanalyze last_seq_scan last_idx_scan',
});
const table = tableCounters.extend(
  row(
    {
      string: 'schema name relkind relpersistence owner',
      number: 'relpages reltuples relallvisible main_pages total_bytes toast_bytes indexes_bytes',
      options: 'reloptions toast_reloptions',
      number_or_null: 'parent_oid xid_age mxid_age relallfrozen',
      boolean: 'is_partition row_security',
      string_or_null: 'access_method',
    },
    { toast: row({ number: 'oid relpages reltuples n_tup_ins n_tup_del n_live_tup n_dead_tup' }).nullable() },
  ).shape,
);

const indexCounters = row({
  number: 'oid idx_scan idx_tup_read idx_tup_fetch',
  string_or_null: 'last_idx_scan',
});
const index = indexCounters.extend(
  row({
    string: 'schema table name method definition relkind',
    number: 'table_oid relpages reltuples main_pages size_bytes',
    strings: 'keys include opclasses',
    numbers: 'key_attnums collations options',
    string_or_null: 'predicate constraint_name',
    boolean:
      'is_unique is_primary is_exclusion is_valid is_ready is_replica_identity is_clustered is_partition',
    options: 'reloptions',
  }).shape,
);

const column = row(
  {
    number: 'table_oid attnum typlen',
    string: 'schema table name type typalign typtype typcategory generated identity',
    boolean: 'not_null',
    string_or_null: 'collation default_expression',
    number_or_null: 'stattarget',
  },
  { stats: columnStats.nullable() },
);

const setting = row(
  {
    string: 'name setting category context vartype source',
    string_or_null: 'unit min_val max_val boot_val reset_val sourcefile',
    boolean: 'pending_restart',
  },
  { enumvals: z.array(z.string()).nullable() },
);

const schemaFacts = z.looseObject({
  enums: z.array(row({ string: 'schema name', strings: 'labels' })),
  domains: z.array(row({ string: 'schema name base_type', boolean: 'not_null', strings: 'checks' })),
  constraints: z.array(
    row({
      string: 'schema table name type definition',
      number: 'table_oid',
      boolean: 'valid',
      number_or_null: 'referenced_oid',
      strings: 'columns referenced_columns',
      string_or_null: 'index_name',
    }),
  ),
  partition_keys: z.array(row({ number: 'table_oid', string: 'definition' })),
  partition_bounds: z.array(row({ number: 'table_oid parent_oid', string: 'definition' })),
  inherits: z.array(row({ number: 'table_oid parent_oid' })),
  views: z.array(row({ number: 'oid', string: 'schema name definition' })),
  policies: z
    .array(
      row({
        number: 'table_oid',
        string: 'name command',
        boolean: 'permissive',
        strings: 'roles',
        string_or_null: 'using_expression check_expression',
      }),
    )
    .optional(),
  functions: z.array(row({ string: 'schema name language volatility definition' })),
  definitions: z.array(row({ string: 'kind schema name definition' })).optional(),
  composite_types: z.array(
    row({ string: 'schema name' }, { attributes: z.array(row({ string: 'name type' })) }),
  ),
  range_types: z.array(row({ string: 'schema name subtype', string_or_null: 'subtype_opclass collation' })),
  sequences: z.array(
    row({ number: 'oid', string: 'schema name data_type', string_or_null: 'last_value owner_column' }),
  ),
  extended_statistics: z.array(
    row({ number: 'oid table_oid', string: 'schema name definition', strings: 'columns expressions kinds' }),
  ),
  btree_levels: z.record(z.string(), z.number()),
  expression_stats: z.array(row({ number: 'index_oid attnum' }, { stats: columnStats })).optional(),
});

const sourced = (value: z.ZodType) => z.looseObject({ value: value.nullable(), source: z.string() });
const counted = z.looseObject({});

const common = {
  format_version: z.literal(1),
  taken_at: z.iso.datetime(),
  collected_at: z.string().optional(),
  duration_ms: z.number(),
  server,
  statements: z.array(statement),
  statements_info: row({ number: 'dealloc', string_or_null: 'stats_reset' }).nullable(),
  counters: z.looseObject({
    database: counted.nullable(),
    checkpoints: counted.nullable(),
    bgwriter: counted.nullable(),
    wal: counted.nullable(),
    archiver: counted.nullable(),
    transaction_ids: counted.nullable(),
    io: z.array(counted).nullable(),
    databases: z.array(counted),
  }),
  activity: z.looseObject({
    groups: z.array(row({ string: 'backend_type', number: 'sessions', string_or_null: 'state' })),
    sessions: z.array(row({ number: 'pid', string: 'backend_type', numbers: 'blocked_by' })),
    xmin_holders: z.array(row({ string: 'kind name' })),
    vacuums: z.array(row({ number: 'pid table_oid' })),
    index_builds: z.array(row({ number: 'pid table_oid' })),
    prepared_transactions: z.array(row({ string: 'gid database owner' })),
  }),
  replication: z.looseObject({
    senders: z.array(row({ number: 'pid', string: 'application_name' })),
    receiver: counted.nullable(),
    slots: z.array(row({ string: 'name slot_type', boolean: 'active' })),
  }),
  limits: z.array(row({ string: 'scope code message', string_or_null: 'remedy' })),
};

/** Files of before 2026-11-24 have none. */
const instance = z.looseObject({
  roles: z.array(row({ number: 'oid connection_limit', string: 'name' })),
  tablespaces: z.array(row({ number: 'oid', string: 'name', options: 'options' })),
  databases: z.array(row({ number: 'oid connection_limit', string: 'name' })),
  collations: z.array(row({ number: 'oid', string: 'schema name' })),
  publications: z.array(row({ number: 'oid', string: 'name', numbers: 'table_oids' })),
  subscriptions: z.array(counted),
  triggers: z.array(counted),
  extensions: z.array(counted),
  definer_functions: z.array(counted),
  file_settings: z.array(counted).nullable(),
});

// The schemas are loose objects put together by name: TypeScript cannot follow, the tests do (each field taken away).
export const fastSchema = z.looseObject({
  ...common,
  tables: z.array(tableCounters),
  indexes: z.array(indexCounters),
}) as unknown as z.ZodType<FastSnapshot>;

export const snapshotSchema = z.looseObject({
  ...common,
  host: z.looseObject({
    ram_bytes: sourced(z.number()),
    cpu_count: sourced(z.number()),
    disk_type: sourced(z.enum(['hdd', 'ssd', 'nvme', 'san'])),
  }),
  tables: z.array(table),
  indexes: z.array(index),
  columns: z.array(column),
  settings: z.array(setting),
  setting_overrides: z.array(row({ string: 'name value', string_or_null: 'role database' })),
  schema: schemaFacts,
  full_taken_at: z.string().nullable(),
  instance: instance.optional(),
}) as unknown as z.ZodType<Snapshot>;
