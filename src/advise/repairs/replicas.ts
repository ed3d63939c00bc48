/** Physical standbys that are known of, against those whose own counters are: an index may be used there alone. */
import type { RuleContext, Snapshot } from '../../domain/index.ts';

/** Receivers that answer no query. */
const NO_SERVERS: ReadonlySet<string> = new Set(['pg_receivewal', 'pg_basebackup']);

/**
 * Standbys that stream from this server, or have a slot here to come back to. A logical receiver is a sender, too: each
 * active logical slot is one. Who takes its WAL from an archive is not seen.
 */
function physicalReceivers({ replication }: Snapshot): number {
  const { senders, slots } = replication;
  const logical = slots.filter((slot) => slot.slot_type === 'logical' && slot.active).length;
  const streams = senders.filter(
    (sender) => sender.state !== 'backup' && !NO_SERVERS.has(sender.application_name),
  ).length;
  const away = slots.filter((slot) => slot.slot_type === 'physical' && !slot.active && !slot.temporary);
  return Math.max(0, streams - logical) + away.length;
}

/** How many standbys there are, those of standbys with them, whose counters nobody gave. */
export function unseenReplicas({ snapshot, replicas = [] }: RuleContext): number {
  const known = [snapshot, ...replicas.map((replica) => replica.snapshot)];
  const receivers = known.reduce((sum, each) => sum + physicalReceivers(each), 0);
  return Math.max(0, receivers - replicas.length);
}
