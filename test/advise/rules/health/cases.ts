/** What health rules are asked in tests: rows of a sound server, but for what a case states. */
import type {
  ColumnRow,
  IndexRow,
  InstanceFacts,
  ReplicationSlot,
  Rule,
  RuleContext,
  SchemaFacts,
  SequenceRow,
  SessionRow,
  SettingRow,
  Snapshot,
} from '../../../../src/domain/index.ts';
import { draftSchema, noSchema } from '../../../../src/domain/index.ts';
import { contextOf, snapshotOf, TAKEN_AT } from '../../../support/snapshot-builder.ts';

export const ago = (seconds: number) => new Date(Date.parse(TAKEN_AT) - seconds * 1000).toISOString();

export const noInstance: InstanceFacts = {
  roles: [],
  tablespaces: [],
  databases: [],
  collations: [],
  publications: [],
  subscriptions: [],
  triggers: [],
  extensions: [],
  definer_functions: [],
  file_settings: null,
};

/** A bool unless told otherwise; set in postgresql.conf. */
export function settingRow(name: string, setting: string, row: Partial<SettingRow> = {}): SettingRow {
  return {
    name,
    setting,
    unit: null,
    category: '',
    context: 'user',
    vartype: 'bool',
    source: 'configuration file',
    min_val: null,
    max_val: null,
    enumvals: null,
    boot_val: 'on',
    reset_val: setting,
    sourcefile: null,
    pending_restart: false,
    ...row,
  };
}

/** Settings added to a snapshot's, in place of those of the same name. */
export function withSettings(snapshot: Snapshot, ...rows: SettingRow[]): Snapshot {
  const names = new Set(rows.map(({ name }) => name));
  return { ...snapshot, settings: [...snapshot.settings.filter(({ name }) => !names.has(name)), ...rows] };
}

export function session(row: Partial<SessionRow> = {}): SessionRow {
  return {
    pid: 101,
    backend_type: 'client backend',
    database: 'app',
    user: 'shop',
    application_name: 'web',
    client_addr: null,
    state: 'active',
    wait_event_type: null,
    wait_event: null,
    query_id: null,
    backend_start: ago(86_400),
    xact_start: ago(1),
    query_start: ago(1),
    state_change: ago(1),
    xmin_age: null,
    xid_age: null,
    blocked_by: [],
    waits_for: null,
    ...row,
  };
}

export function slot(row: Partial<ReplicationSlot> = {}): ReplicationSlot {
  return {
    name: 'standby1',
    slot_type: 'physical',
    plugin: null,
    database: null,
    active: true,
    temporary: false,
    wal_status: 'reserved',
    retained_bytes: 16 * 1024 ** 2,
    safe_wal_bytes: null,
    xmin_age: null,
    catalog_xmin_age: null,
    inactive_since: null,
    invalidation_reason: null,
    ...row,
  };
}

export function column(row: Partial<ColumnRow> = {}): ColumnRow {
  return {
    table_oid: 16_384,
    schema: 'public',
    table: 't',
    name: 'id',
    attnum: 1,
    type: 'bigint',
    typlen: 8,
    typalign: 'd',
    typtype: 'b',
    typcategory: 'N',
    not_null: true,
    collation: null,
    generated: '',
    identity: '',
    default_expression: null,
    stattarget: null,
    stats: null,
    ...row,
  };
}

export function stats(row: Partial<NonNullable<ColumnRow['stats']>> = {}): NonNullable<ColumnRow['stats']> {
  return {
    inherited: false,
    null_frac: 0,
    avg_width: 8,
    n_distinct: -1,
    most_common_vals: null,
    most_common_freqs: null,
    histogram_bounds: null,
    correlation: 1,
    most_common_elems: null,
    most_common_elem_freqs: null,
    elem_count_histogram: null,
    ...row,
  };
}

export function index(row: Partial<IndexRow> = {}): IndexRow {
  return {
    oid: 20_000,
    table_oid: 16_384,
    schema: 'public',
    table: 't',
    name: 't_a',
    method: 'btree',
    definition: 'CREATE INDEX t_a ON public.t USING btree (a)',
    keys: ['a'],
    include: [],
    key_attnums: [2],
    opclasses: ['pg_catalog.int4_ops'],
    collations: [0],
    options: [0],
    predicate: null,
    is_unique: false,
    is_primary: false,
    is_exclusion: false,
    is_valid: true,
    is_ready: true,
    is_replica_identity: false,
    is_clustered: false,
    constraint_name: null,
    is_partition: false,
    relkind: 'i',
    relpages: 5000,
    reltuples: 1_000_000,
    main_pages: 5000,
    size_bytes: 40 * 1024 ** 2,
    reloptions: {},
    idx_scan: 0,
    idx_tup_read: 0,
    idx_tup_fetch: 0,
    last_idx_scan: null,
    ...row,
  };
}

export function sequence(row: Partial<SequenceRow> = {}): SequenceRow {
  return {
    oid: 30_000,
    schema: 'public',
    name: 't_id_seq',
    data_type: 'integer',
    start_value: '1',
    min_value: '1',
    max_value: '2147483647',
    increment_by: '1',
    cycle: false,
    last_value: '1000',
    owner_table_oid: null,
    owner_column: null,
    ...row,
  };
}

type Constraint = SchemaFacts['constraints'][number];
export function constraint(row: Partial<Constraint> = {}): Constraint {
  return {
    schema: 'public',
    table: 't',
    table_oid: 16_384,
    name: 't_pkey',
    type: 'p',
    definition: 'PRIMARY KEY (id)',
    valid: true,
    referenced_oid: null,
    columns: ['id'],
    referenced_columns: [],
    index_name: null,
    ...row,
  };
}

export function schemaWith(parts: Partial<SchemaFacts>): SchemaFacts {
  return { ...noSchema, ...parts };
}

/** What a rule makes of a snapshot; every draft has passed the schema. */
export async function evaluated(rule: Rule, snapshot: Snapshot, parts: Partial<RuleContext> = {}) {
  const result = await rule.evaluate(contextOf(snapshot, parts));
  return { ...result, recommendations: result.recommendations.map((draft) => draftSchema.parse(draft)) };
}

/** `severity key` of each finding, the key without `finding `. */
export async function told(
  rule: Rule,
  snapshot: Snapshot,
  parts: Partial<RuleContext> = {},
): Promise<string[]> {
  const { recommendations } = await evaluated(rule, snapshot, parts);
  return recommendations.map((draft) => `${draft.severity} ${draft.key.replace('finding ', '')}`);
}

export { snapshotOf };
