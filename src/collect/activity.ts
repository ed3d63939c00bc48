/** What runs now. Texts of running statements are people's data and are never read. */
import { z } from 'zod';
import {
  ACTIVITY_HIDDEN,
  type Activity,
  type ActivityGroup,
  type Capabilities,
  type IndexBuildProgress,
  type PreparedTransaction,
  quoteIdentifier,
  type SessionRow,
  type VacuumProgress,
  type XminHolder,
} from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { withoutSecretValue } from './secrets.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();
const maybeText = text.nullable();
const number = z.number();
const maybe = number.nullable();
/** A name that the client chose. */
const label = maybeText.transform(withoutSecretValue);

const groupSchema: z.ZodType<ActivityGroup> = z.object({
  backend_type: text,
  database: maybeText,
  user: maybeText,
  application_name: label,
  state: maybeText,
  wait_event_type: maybeText,
  wait_event: maybeText,
  query_id: maybeText,
  sessions: number,
});

const sessionSchema = z.object({
  pid: number,
  backend_type: maybeText.transform((type) => type ?? ''),
  database: maybeText,
  user: maybeText,
  application_name: label,
  client_addr: maybeText,
  state: maybeText,
  wait_event_type: maybeText,
  wait_event: maybeText,
  query_id: maybeText,
  backend_start: maybeText,
  xact_start: maybeText,
  query_start: maybeText,
  state_change: maybeText,
  xmin_age: maybe,
  xid_age: maybe,
  blocked_by: z.array(number),
  locktype: maybeText,
  mode: maybeText,
  relation_oid: maybe,
  waits_since: maybeText,
  in_all: number,
});

const holderSchema: z.ZodType<XminHolder> = z.object({
  kind: z.enum(['session', 'replication_slot', 'prepared_transaction', 'standby']),
  name: text.transform(withoutSecretValue),
  database: maybeText,
  xmin_age: maybe,
  catalog_xmin_age: maybe,
  since: maybeText,
});

const vacuumSchema: z.ZodType<VacuumProgress> = z.object({
  pid: number,
  table_oid: number,
  phase: text,
  heap_blks_total: number,
  heap_blks_scanned: number,
  heap_blks_vacuumed: number,
  index_vacuum_count: number,
  is_autovacuum: z.boolean(),
  is_wraparound: z.boolean(),
  started_at: maybeText,
  delay_time_ms: maybe,
});

const buildSchema: z.ZodType<IndexBuildProgress> = z.object({
  pid: number,
  table_oid: number,
  index_oid: number,
  command: text,
  phase: text,
  lockers_total: number,
  lockers_done: number,
  blocks_total: number,
  blocks_done: number,
  tuples_total: number,
  tuples_done: number,
  started_at: maybeText,
});

const preparedSchema: z.ZodType<PreparedTransaction> = z.object({
  gid: text.transform(withoutSecretValue),
  database: text,
  owner: text,
  prepared_at: text,
  xid_age: number,
});

/** One sample. Without pg_read_all_stats other roles' states are hidden, which a limit says. */
export async function readActivity(reader: Reader, capabilities: Capabilities): Promise<Activity> {
  if (!capabilities.sees_all_statements) {
    reader.limits.push({
      scope: 'activity',
      code: ACTIVITY_HIDDEN,
      message: "This role does not see what other roles' sessions do: who runs, waits and blocks is unknown.",
      remedy: `GRANT pg_monitor TO ${quoteIdentifier(reader.session.role)};`,
    });
  }
  const version = String(reader.session.server_version_num);
  const read = <T>(noun: string, schema: z.ZodType<T>) =>
    readNoun(reader, noun, sqlVariant(noun, version), schema);
  return {
    groups: await read('activity-groups', groupSchema),
    sessions: toSessions(reader, await read('sessions', sessionSchema)),
    xmin_holders: await read('xmin-holders', holderSchema),
    vacuums: await read('vacuums', vacuumSchema),
    index_builds: await read('index-builds', buildSchema),
    prepared_transactions: await read('prepared-transactions', preparedSchema),
  };
}

function toSessions(reader: Reader, rows: z.infer<typeof sessionSchema>[]): SessionRow[] {
  const inAll = rows[0]?.in_all ?? 0;
  if (inAll > rows.length) {
    reader.limits.push({
      scope: 'activity',
      code: 'sessions_left_out',
      message: `${inAll} sessions wait, block or hold an old transaction; the first ${rows.length} are kept.`,
      remedy: null,
    });
  }
  return rows.map(({ locktype, mode, relation_oid, waits_since, in_all: _, ...session }) => ({
    ...session,
    waits_for:
      locktype === null || mode === null ? null : { locktype, mode, relation_oid, since: waits_since },
  }));
}
