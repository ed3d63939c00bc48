/** What health rules are asked in tests: rows of a sound server, but for what a case states. */
import type {
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
