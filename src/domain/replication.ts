/** Replication as the server saw it at the moment of a snapshot. Lags in bytes of WAL and in milliseconds. */

/** pg_stat_replication: a standby or another receiver. */
export interface ReplicationSender {
  pid: number;
  application_name: string;
  user: string | null;
  client_addr: string | null;
  state: string | null;
  sync_state: string | null;
  sent_lag_bytes: number | null;
  flush_lag_bytes: number | null;
  replay_lag_bytes: number | null;
  replay_lag_ms: number | null;
  /** age(backend_xmin): with hot_standby_feedback, what the standby holds back. */
  xmin_age: number | null;
}

/** On a standby: where its WAL comes from. */
export interface ReplicationReceiver {
  status: string | null;
  sender_host: string | null;
  slot_name: string | null;
  received_lag_bytes: number | null;
  /** Age of the last replayed commit; null: nothing replayed yet. */
  replay_age_ms: number | null;
}

/** pg_replication_slots. */
export interface ReplicationSlot {
  name: string;
  slot_type: string;
  plugin: string | null;
  database: string | null;
  active: boolean;
  temporary: boolean;
  wal_status: string | null;
  /** WAL kept for it. */
  retained_bytes: number | null;
  /** Bytes that may still be written before it may be lost; null: no limit (max_slot_wal_keep_size −1). */
  safe_wal_bytes: number | null;
  xmin_age: number | null;
  catalog_xmin_age: number | null;
  /** 17+; null before. */
  inactive_since: string | null;
  /** 17+: why it is of no more use. 16: `conflicting`. Null otherwise. */
  invalidation_reason: string | null;
}

export interface Replication {
  senders: ReplicationSender[];
  receiver: ReplicationReceiver | null;
  slots: ReplicationSlot[];
}

/** None, or nothing seen. */
export const noReplication: Replication = { senders: [], receiver: null, slots: [] };
