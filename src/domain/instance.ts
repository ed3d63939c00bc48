/** What stands around the tables: roles, databases, replication's definitions, triggers, extensions, configuration files. */

export interface RoleRow {
  oid: number;
  name: string;
  is_superuser: boolean;
  can_login: boolean;
  can_replicate: boolean;
  bypasses_rls: boolean;
  /** −1: none. */
  connection_limit: number;
  /** Null: for ever. */
  valid_until: string | null;
  /** Roles whose rights it has without SET ROLE, directly. Absent: not read. */
  member_of?: string[];
}

export interface TablespaceRow {
  oid: number;
  name: string;
  /** spcoptions: seq_page_cost, random_page_cost, effective_io_concurrency, maintenance_io_concurrency. */
  options: Record<string, string>;
  /** Of this database. */
  is_default: boolean;
}

export interface DatabaseFacts {
  oid: number;
  name: string;
  /** −1: none; −2: invalid, a DROP DATABASE was interrupted. */
  connection_limit: number;
  encoding: string;
  /** Version of its collation when it was created or refreshed, and what the library says now; null: not told (14 never). */
  collation_version: string | null;
  collation_actual_version: string | null;
}

/** A collation that an index sorts by, the database's default aside. */
export interface CollationVersion {
  oid: number;
  schema: string;
  name: string;
  /** c libc, i ICU, b builtin. */
  provider: string;
  is_deterministic: boolean;
  version: string | null;
  actual_version: string | null;
}

export interface Publication {
  oid: number;
  name: string;
  all_tables: boolean;
  inserts: boolean;
  updates: boolean;
  deletes: boolean;
  truncates: boolean;
  via_root: boolean;
  /** Tables that it names; those of schemas (15+) and of all_tables are not among them. */
  table_oids: number[];
}

export interface Subscription {
  oid: number;
  name: string;
  enabled: boolean;
  slot_name: string | null;
  publications: string[];
  /** 15+; null before. */
  apply_error_count: number | null;
}

export interface TriggerRow {
  table_oid: number;
  name: string;
  /** A foreign key's; only those that are switched off are read. */
  is_internal: boolean;
  /** O origin and local, D off, R replica, A always. */
  enabled: string;
  for_each_row: boolean;
  is_before: boolean;
  on_insert: boolean;
  on_delete: boolean;
  on_update: boolean;
  on_truncate: boolean;
}

export interface ExtensionVersion {
  name: string;
  installed_version: string;
  /** What the server's files would install. */
  default_version: string | null;
}

/** A SECURITY DEFINER function. */
export interface DefinerFunction {
  oid: number;
  schema: string;
  name: string;
  owner_is_superuser: boolean;
  sets_search_path: boolean;
  public_may_execute: boolean;
  /** pg_get_function_identity_arguments. Absent: not read. */
  identity_arguments?: string;
  /** Its body is parsed when it is made (BEGIN ATOMIC, RETURN): names in it are bound for good. Absent: not read. */
  is_parsed_early?: boolean;
}

/** pg_file_settings without values. */
export interface FileSetting {
  sourcefile: string | null;
  sourceline: number | null;
  name: string | null;
  applied: boolean;
  error: string | null;
}

/** What pg_wal takes. How much its disk has left no function of SQL tells. */
export interface WalDirectory {
  files: number;
  bytes: number;
  /** Segments that wait for the archive. */
  archive_ready: number;
}

/** Empty: none, or not seen, and a limit says so. */
export interface InstanceFacts {
  roles: RoleRow[];
  tablespaces: TablespaceRow[];
  databases: DatabaseFacts[];
  collations: CollationVersion[];
  publications: Publication[];
  subscriptions: Subscription[];
  triggers: TriggerRow[];
  extensions: ExtensionVersion[];
  definer_functions: DefinerFunction[];
  /** Null: this role may not see pg_file_settings (by default superusers only). */
  file_settings: FileSetting[] | null;
  /** Null: this role may not list it (pg_monitor may). Absent: not read. */
  wal_directory?: WalDirectory | null;
}
