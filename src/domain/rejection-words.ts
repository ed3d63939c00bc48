/** What the codes of rejections mean to a person, and which of them are worth reading first. */

/**
 * What kept something from being recommended.
 *
 * - `obstacle`: it would help, or may, and something stands in its way that a person can judge or remove.
 * - `outweighed`: it was weighed, and what else is recommended or what it costs weighs more.
 * - `unknown`: too little was seen to tell.
 * - `not_needed`: all is well as it is.
 */
export const rejectionCauses = ['obstacle', 'outweighed', 'unknown', 'not_needed'] as const;
export type RejectionCause = (typeof rejectionCauses)[number];

export interface RejectionWords {
  cause: RejectionCause;
  /** Completes "not recommended: …". */
  title: string;
}

const words = (cause: RejectionCause, titles: Record<string, string>) =>
  Object.entries(titles).map(([code, title]): [string, RejectionWords] => [code, { cause, title }]);

const known: ReadonlyMap<string, RejectionWords> = new Map([
  ...words('obstacle', {
    index_size_invalid: 'no size could be reckoned, so it was not weighed (a defect of PgLuthier)',
    unreadable: 'an expression of it cannot be read',
    refused_by_postgresql: 'PostgreSQL refuses it',
    deadline: 'there was no time to weigh it',
    constant_erased: 'the constant that it needs was erased from the statement',
    dismissed: 'somebody dismissed it, and what speaks for it has not changed',
    over_budget: 'it does not fit into the budget of disk space',
    lures_limits: 'plans of other statements with a LIMIT would rest on it, whose rows may come late',
    memory_budget: 'the memory of the host does not suffice for it beside the rest',
    no_memory: 'the memory of the host does not suffice for it beside the rest',
    may_not_boot: 'the server might not start with it',
    horizon_held: 'something holds old row versions back, which must end first',
    vacuum_leaves_dead_rows: 'something holds old row versions back, which must end first',
    autovacuum_off: 'autovacuum is switched off there, which comes first',
    insert_trigger_off: 'its insert trigger is switched off or not visible',
    set_by_operator: 'somebody set it on purpose',
    deliberate: 'somebody may have set it for a reason',
    waits_for_restart: 'a change of it waits for a restart',
    statistics_stale: 'the table has to be analysed first',
    other_databases: 'it holds in other databases as well, which are not seen',
    several_values: 'the role has several values of it',
    server_first: "the server's own value has to change first",
    global_first: "the server's own value serves it, too",
    override_to_remove: "the table's own parameters are to go instead",
    standby_below_primary: 'a standby must not have less than its primary',
    statistics_only:
      'no plan reads it; only its statistics help, which CREATE STATISTICS gives without an index',
    gain_not_shown: 'a plan changes with it, but no gain could be shown',
    vacuum_running: 'a vacuum runs there now',
  }),
  ...words('outweighed', {
    alternative_of_chosen:
      'a recommended index does the same work, and this one in its place would cost more',
    dominated_by_chosen: 'by itself it would pay, but the recommended indexes do most of its work',
    out_of_reach: 'within the budget it would keep out more than it could save',
    beaten_by_smaller: 'where it helps the planner prefers one that is no larger',
    too_small_gain: 'it saves less than it costs',
    no_gain: 'no statement gets noticeably cheaper with it',
    exchanged: 'another took its place',
    writes_cost_more: 'the writes would pay more for it than reads save',
    would_cost: 'a statement would get dearer',
    weighed_by_index_missing: 'it was weighed as an index that the statements ask for',
    said_elsewhere: 'another recommendation says it',
    no_plan_change: 'no plan gets better with it',
    no_plan_changes: 'no plan changes with it',
    spills_cost_little: 'what spills costs little',
    sorts_spill: 'another setting is the place',
    roles_suffice: 'single roles get it instead',
    backs_constraint: 'a constraint rests on it',
    enforces_uniqueness: 'it enforces uniqueness',
    replica_identity: 'it is a replica identity',
    supports_foreign_key: 'it serves a foreign key',
    clustered: 'the table is clustered on it',
    duplicate: 'another index is the same, of which one goes',
    longer_unused: 'the longer index that does its work is not used itself',
    unused: 'it is not used, so that it is to go',
    used_on_replica: 'a replica uses it',
    exclusion_constraint: 'PostgreSQL does not rebuild it concurrently',
    not_bloated_when_measured: 'measured it is not bloated',
    part_of_partitioned_index: 'it is part of an index of the partitioned table',
    partitioned_index: 'it is an index of a partitioned table',
    keeps_most_rows: 'its condition keeps most of the rows',
    index_blocks_hot: 'an index on a changed column keeps updates from being HOT',
    rows_too_wide: 'its rows are too wide for it',
    comes_by_itself: 'autovacuum is about to do it',
    table_gone: 'its table is gone',
    column_gone: 'its column is gone',
    no_statement: 'no statement uses its table any more',
  }),
  ...words('unknown', {
    no_evidence: 'too little was seen to tell',
    statistics_too_young: 'the counters are too young to tell',
    statistics_young: 'the counters are too young to tell',
    index_too_young: 'it is too young to tell',
    replica_statistics_too_young: 'a replica’s counters are too young to tell',
    replicas_unseen: 'standbys are known whose counters are not',
    standby: 'a standby’s counters do not tell what the primary uses',
    not_valid: 'it may be being built',
    not_simulated: 'it could not be simulated',
    not_asked: 'the statements could not be planned',
    not_explained: 'it would not explain what is seen',
    not_derived: 'what it would show could not be derived',
    not_collected: 'it was not collected',
    not_visible: 'it is not visible to the collecting role',
    setting_not_visible: 'a setting is not visible to the collecting role',
    settings_not_visible: 'settings are not visible to the collecting role',
    value_unknown: 'its value is not known',
    host_unknown: 'the host’s RAM or CPUs are not known',
    cpus_unknown: 'the number of CPUs is not known',
    replicas_not_seen: 'replicas are not watched',
    horizon_not_seen: 'what holds the horizon is not seen',
    rate_unknown: 'the rate is not known',
    may_be_synchronised: 'it may follow the primary, which has to be looked at',
    bloat_statistics_missing: 'statistics for the estimate are missing',
    bloat_statistics_stale: 'statistics for the estimate are stale',
  }),
  ...words('not_needed', {
    covered_by_existing: 'an existing index does it already',
    exists: 'it is there already',
    as_wanted: 'it is as it should be',
    close_enough: 'it is near enough to what would be proposed',
    large_enough: 'it is large enough',
    larger_already: 'it is more already',
    limited_already: 'it is limited already',
    limit_high_already: 'it is high enough already',
    low_already: 'it is low enough already',
    short_already: 'it is short enough already',
    default_is_sound: 'nothing speaks against the default',
    room_enough: 'there is room enough',
    workers_enough: 'there are workers enough',
    nothing_spills: 'nothing spills',
    fits: 'it fits',
    none_idle: 'no session was idle in a transaction',
    few_wait: 'hardly anything waits',
    compiles_little: 'hardly anything is compiled',
    columns_suffice: 'single columns get it instead',
    no_slots: 'there are no replication slots',
    no_parent_changes: 'no referenced row was deleted',
    too_little_churn: 'too few rows die',
    too_few_changes: 'too few rows change',
    too_few_inserts: 'too few rows are inserted',
    pruning_suffices: 'pruning suffices',
    often_enough: 'it is done often enough',
    seldom_enough: 'it is seldom enough',
    one_pass: 'one pass suffices',
    not_throttled: 'nothing is throttled',
    not_available: 'this server does not have it',
    not_in_version: 'this version does not have it',
    small_table: 'the table is small',
    small_buffers: 'the buffers are small',
  }),
]);

/** Of a code without words of its own: the code, told last of what is outweighed. */
export function rejectionWords(code: string): RejectionWords {
  return known.get(code) ?? { cause: 'outweighed', title: code.replaceAll('_', ' ') };
}
