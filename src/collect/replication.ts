/** Replication: senders, the receiver of a standby, slots. */
import { z } from 'zod';
import type {
  Replication,
  ReplicationReceiver,
  ReplicationSender,
  ReplicationSlot,
} from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { withoutSecretValue } from './secrets.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();
const maybeText = text.nullable();
const maybe = z.number().nullable();

const senderSchema: z.ZodType<ReplicationSender> = z.object({
  pid: z.number(),
  application_name: maybeText.transform((name) => withoutSecretValue(name ?? '')),
  user: maybeText,
  client_addr: maybeText,
  state: maybeText,
  sync_state: maybeText,
  sent_lag_bytes: maybe,
  flush_lag_bytes: maybe,
  replay_lag_bytes: maybe,
  replay_lag_ms: maybe,
  xmin_age: maybe,
});

const receiverSchema: z.ZodType<ReplicationReceiver> = z.object({
  status: maybeText,
  sender_host: maybeText,
  slot_name: maybeText,
  received_lag_bytes: maybe,
  replay_age_ms: maybe,
});

const slotSchema: z.ZodType<ReplicationSlot> = z.object({
  name: text,
  slot_type: text,
  plugin: maybeText,
  database: maybeText,
  active: z.boolean(),
  temporary: z.boolean(),
  wal_status: maybeText,
  retained_bytes: maybe,
  safe_wal_bytes: maybe,
  xmin_age: maybe,
  catalog_xmin_age: maybe,
  inactive_since: maybeText,
  invalidation_reason: maybeText,
});

export async function readReplication(reader: Reader): Promise<Replication> {
  const version = String(reader.session.server_version_num);
  const read = <T>(noun: string, schema: z.ZodType<T>) =>
    readNoun(reader, noun, sqlVariant(noun, version), schema);
  return {
    senders: await read('replication-senders', senderSchema),
    receiver: (await read('replication-receiver', receiverSchema))[0] ?? null,
    slots: await read('replication-slots', slotSchema),
  };
}
