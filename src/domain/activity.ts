/**
 * What ran on the server at the moment of a snapshot: a sample, not a count. Texts of running statements hold people's
 * data and are not read: `query_id` (compute_query_id) leads to the normalised text of pg_stat_statements.
 */

/** Sessions that were in the same state, counted: sampled often enough, shares of time. Our own session is not in it. */
export interface ActivityGroup {
  /** pg_stat_activity.backend_type. */
  backend_type: string;
  database: string | null;
  user: string | null;
  application_name: string | null;
  /** active, idle, idle in transaction, …; null: a background process, or not visible to us. */
  state: string | null;
  wait_event_type: string | null;
  wait_event: string | null;
  /** Statement being run by active ones; null: idle, not computed (compute_query_id), or not visible. */
  query_id: string | null;
  sessions: number;
}

/** A session worth a row of its own: it waits for a lock, blocks others, has an old transaction, or holds back vacuum. */
export interface SessionRow {
  pid: number;
  backend_type: string;
  database: string | null;
  user: string | null;
  application_name: string | null;
  client_addr: string | null;
  state: string | null;
  wait_event_type: string | null;
  wait_event: string | null;
  query_id: string | null;
  backend_start: string | null;
  xact_start: string | null;
  query_start: string | null;
  state_change: string | null;
  /** age(backend_xmin): transactions that vacuum cannot look behind because of this session. */
  xmin_age: number | null;
  /** age(backend_xid). */
  xid_age: number | null;
  /** pg_blocking_pids(): asked only of those that wait for a lock. 0 is a prepared transaction. */
  blocked_by: number[];
  /** What it waits for: lock type, mode and, for a relation of this database, its OID. Null: it does not wait. */
  waits_for: { locktype: string; mode: string; relation_oid: number | null; since: string | null } | null;
}

/** Something that keeps vacuum from removing dead rows. */
export interface XminHolder {
  kind: 'session' | 'replication_slot' | 'prepared_transaction' | 'standby';
  /** pid, slot name, gid, or the standby's application_name. */
  name: string;
  database: string | null;
  /** Age in transactions of its xmin, and of its catalog_xmin (slots only). */
  xmin_age: number | null;
  catalog_xmin_age: number | null;
  /** Start of the transaction, prepare time, or since when the slot is inactive (17+). */
  since: string | null;
}

/** pg_stat_progress_vacuum of this database. */
export interface VacuumProgress {
  pid: number;
  table_oid: number;
  phase: string;
  heap_blks_total: number;
  heap_blks_scanned: number;
  heap_blks_vacuumed: number;
  /** Above 1: the dead row identifiers did not fit into memory at once. */
  index_vacuum_count: number;
  is_autovacuum: boolean;
  /** Against wraparound: it does not give way to locks. */
  is_wraparound: boolean;
  started_at: string | null;
  /** 18+, with track_cost_delay_timing; null otherwise. */
  delay_time_ms: number | null;
}

/** pg_stat_progress_create_index of this database. */
export interface IndexBuildProgress {
  pid: number;
  table_oid: number;
  /** 0: not yet made. */
  index_oid: number;
  command: string;
  phase: string;
  lockers_total: number;
  lockers_done: number;
  blocks_total: number;
  blocks_done: number;
  tuples_total: number;
  tuples_done: number;
  started_at: string | null;
}

/** pg_prepared_xacts, of all databases. */
export interface PreparedTransaction {
  gid: string;
  database: string;
  owner: string;
  prepared_at: string;
  xid_age: number;
}

export interface Activity {
  groups: ActivityGroup[];
  sessions: SessionRow[];
  /** Oldest first. */
  xmin_holders: XminHolder[];
  vacuums: VacuumProgress[];
  index_builds: IndexBuildProgress[];
  prepared_transactions: PreparedTransaction[];
}

/** What client backends of a role did at a moment: those at work (any state but idle: a cursor holds its memory), and all. */
export type RoleSessions = [role: string, at_work: number, connected: number];

/** Roles in a sample: what a server with a role per tenant has at work at once would not be small. */
export const ROLES_IN_SAMPLE = 32;

/** One sample in figures, kept beside each snapshot so that a window's concurrency needs no snapshot read. */
export interface ActivityPoint {
  taken_at: string;
  /** Client backends of all databases (connections are the server's), and of these the active ones and so on. */
  total: number;
  active: number;
  idle: number;
  idle_in_transaction: number;
  /** Active ones of this database. */
  active_here: number;
  waiting_for_lock: number;
  /** Oldest xmin that anything holds, transactions; null: none, or not visible. */
  oldest_xmin_age: number | null;
  /** Roles that are at work, most sessions first, at most ROLES_IN_SAMPLE; absent: taken before they were counted. */
  roles?: RoleSessions[];
  /** The most at work, and the most connected, of any role at work that is not among `roles`; absent: all are. */
  roles_left_out?: [at_work: number, connected: number];
  /** Made of an hour's distributions, `taken_at` is the hour: right in percentiles, no sample that was taken. */
  rolled_up?: true;
}

/** Peaks of one role over the samples of a window. */
export interface RolePeak {
  role: string;
  /** Samples that met it at work. */
  samples: number;
  at_work_max: number;
  /** In those samples. */
  connected_max: number;
}

/** How many sessions ran at once in a window, from its samples. */
export interface Concurrency {
  samples: number;
  /** Percentiles over the samples (the smallest value that this share of the samples does not exceed). */
  active_p50: number;
  active_p95: number;
  active_max: number;
  total_p95: number;
  total_max: number;
  idle_in_transaction_p95: number;
  waiting_for_lock_max: number;
  oldest_xmin_age_max: number | null;
  /** By role; absent: no sample counted roles. */
  by_role?: {
    /** Samples that counted roles: fewer than `samples` where some are older than that. */
    samples: number;
    /** Roles that were at work in one of them. */
    peaks: RolePeak[];
    /** Bounds of a role in samples that had no room for it; absent: all had. */
    left_out?: { at_work_max: number; connected_max: number };
  };
}

/** Nothing seen, or nothing going on. */
export const noActivity: Activity = {
  groups: [],
  sessions: [],
  xmin_holders: [],
  vacuums: [],
  index_builds: [],
  prepared_transactions: [],
};

/** Code of the limit that says that other roles' sessions were hidden from us. */
export const ACTIVITY_HIDDEN = 'activity_hidden';

/**
 * A sample in figures; null where sessions could not be seen: none at all (a server always has background processes),
 * or those of other roles not, so that what is there is no count.
 */
export function activityPoint({
  taken_at,
  activity,
  server,
  limits,
}: {
  taken_at: string;
  activity: Activity;
  server: { database: string };
  limits: readonly { code: string }[];
}): ActivityPoint | null {
  if (activity.groups.length === 0 || limits.some(({ code }) => code === ACTIVITY_HIDDEN)) return null;
  const clients = activity.groups.filter((group) => group.backend_type === 'client backend');
  const count = (matches: (group: ActivityGroup) => boolean) =>
    clients.reduce((sum, group) => (matches(group) ? sum + group.sessions : sum), 0);
  const ages = activity.xmin_holders.flatMap(({ xmin_age }) => (xmin_age === null ? [] : [xmin_age]));
  return {
    taken_at,
    total: count(() => true),
    active: count(({ state }) => state === 'active'),
    idle: count(({ state }) => state === 'idle'),
    // With those whose transaction is aborted.
    idle_in_transaction: count(({ state }) => state?.startsWith('idle in transaction') === true),
    active_here: count((group) => group.state === 'active' && group.database === server.database),
    waiting_for_lock: count((group) => group.wait_event_type === 'Lock'),
    oldest_xmin_age: ages.length > 0 ? Math.max(...ages) : null,
    ...rolesAtWork(clients),
  };
}

/** Those that hold no memory of a statement; null: only just connecting. `disabled` (track_activities) may be at work. */
const isIdle = ({ state }: ActivityGroup) => state === 'idle' || state === null;

function rolesAtWork(clients: readonly ActivityGroup[]): Pick<ActivityPoint, 'roles' | 'roles_left_out'> {
  const roles = new Map<string, RoleSessions>();
  for (const group of clients) {
    if (group.user === null) continue;
    const row = roles.get(group.user) ?? [group.user, 0, 0];
    roles.set(group.user, row);
    if (!isIdle(group)) row[1] += group.sessions;
    row[2] += group.sessions;
  }
  const busiest = [...roles.values()]
    .filter(([, atWork]) => atWork > 0)
    .sort((a, b) => b[1] - a[1] || b[2] - a[2]);
  const rest = busiest.slice(ROLES_IN_SAMPLE);
  return {
    roles: busiest.slice(0, ROLES_IN_SAMPLE),
    ...(rest.length > 0
      ? { roles_left_out: [Math.max(...rest.map((row) => row[1])), Math.max(...rest.map((row) => row[2]))] }
      : {}),
  };
}
