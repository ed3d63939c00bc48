/** A snapshot without what could be personal: see docs/snapshot-file.md for what goes and what stays. */
import { createHash } from 'node:crypto';
import type { FastSnapshot, Snapshot, StatementRow } from '../domain/index.ts';
import { stripConstants } from '../workload/index.ts';
import type { SnapshotFileHeader } from './format.ts';
import { stripInstance } from './strip-instance.ts';
import { stripStatistics } from './strip-statistics.ts';

/** Settings of free text that planning or advice needs; all others' texts go. */
const KEPT_TEXT_SETTINGS = new Set([
  'DateStyle',
  'TimeZone',
  'IntervalStyle',
  'search_path',
  'default_text_search_config',
  'lc_collate',
  'lc_ctype',
  'lc_messages',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'server_version',
  'server_encoding',
  'shared_preload_libraries',
  'default_table_access_method',
  'wal_sync_method',
  'default_toast_compression',
]);
const REMOVED = '(stripped)';

export const strippedFacts: NonNullable<SnapshotFileHeader['stripped']> = {
  mode: 'literals',
  removed: [
    'values in statistics of columns, elements, ranges, expressions and CREATE STATISTICS (ranks in their place, or none)',
    'constants and comments in texts of statements; texts that cannot be parsed',
    'names of roles and applications, addresses, names of slots and prepared transactions',
    'settings of free text but for a list, overrides likewise; paths of configuration files',
    'identifier of the server; position of sequences; what the target is called',
  ],
  kept: [
    'names of schemas, tables, columns, indexes, types, databases, policies',
    'defaults, check constraints, index predicates and expressions, partition bounds',
    'definitions of views, functions, aggregates and operators, conditions of policies, labels of enums',
    'frequencies, counts, widths, sizes, times of maintenance',
  ],
};

/** The same pseudonym for the same name throughout a file. */
class Pseudonyms {
  private readonly known = new Map<string, string>();
  of<T extends string | null>(kind: string, name: T): T | string {
    if (name === null || name === '') return name;
    const key = `${kind} ${name}`;
    let given = this.known.get(key);
    if (given === undefined) {
      const taken = [...this.known.keys()].filter((each) => each.startsWith(`${kind} `)).length;
      given = `${kind}_${taken + 1}`;
      this.known.set(key, given);
    }
    return given;
  }
}

async function stripStatements(rows: StatementRow[], names: Pseudonyms): Promise<StatementRow[]> {
  const texts = new Map<string, string | null>();
  const result: StatementRow[] = [];
  for (const row of rows) {
    if (row.query !== null && !texts.has(row.query)) texts.set(row.query, await stripConstants(row.query));
    const query = row.query === null ? null : (texts.get(row.query) ?? null);
    result.push({ ...row, query, user: names.of('user', row.user) });
  }
  return result;
}

type Running = Pick<FastSnapshot, 'server' | 'statements' | 'activity' | 'replication' | 'limits'>;

/** What a full and a fast snapshot have in common. */
async function stripRunning<T extends Running>(part: T, names: Pseudonyms): Promise<T> {
  const { server, activity, replication } = part;
  const person = <R extends { user: string | null; application_name: string | null }>(row: R): R => ({
    ...row,
    user: names.of('user', row.user),
    application_name: names.of('application', row.application_name),
  });
  const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
  return {
    ...part,
    server: {
      ...server,
      system_identifier: server.system_identifier === null ? null : hash(server.system_identifier),
    },
    statements: await stripStatements(part.statements, names),
    activity: {
      ...activity,
      groups: activity.groups.map(person),
      sessions: activity.sessions.map((row) => ({
        ...person(row),
        client_addr: names.of('address', row.client_addr),
      })),
      xmin_holders: activity.xmin_holders.map((row) => ({
        ...row,
        // A standby is called by its application_name, here as among the senders.
        name:
          row.kind === 'session'
            ? row.name
            : names.of(row.kind === 'standby' ? 'application' : row.kind, row.name),
      })),
      prepared_transactions: activity.prepared_transactions.map((row) => ({
        ...row,
        gid: names.of('prepared_transaction', row.gid),
        owner: names.of('user', row.owner),
      })),
    },
    replication: {
      senders: replication.senders.map((row) => ({
        ...person(row),
        application_name: names.of('application', row.application_name),
        client_addr: names.of('address', row.client_addr),
      })),
      receiver: replication.receiver && {
        ...replication.receiver,
        sender_host: names.of('address', replication.receiver.sender_host),
        slot_name: names.of('replication_slot', replication.receiver.slot_name),
      },
      slots: replication.slots.map((row) => ({ ...row, name: names.of('replication_slot', row.name) })),
    },
    // Messages may name roles and objects; what was not seen is told by scope and code.
    limits: part.limits.map((limit) => ({
      ...limit,
      message: `${limit.code} (text stripped)`,
      remedy: null,
    })),
  };
}

/**
 * Both snapshots without constants, values of columns, and names of people and machines. Order and equality of values
 * stay within a family of types, so that plans stay near what they were.
 */
export async function stripLiterals(
  snapshot: Snapshot,
  first: FastSnapshot | null,
): Promise<{ snapshot: Snapshot; first: FastSnapshot | null }> {
  const names = new Pseudonyms();
  const { columns, schema, limits } = stripStatistics(snapshot);
  const running = await stripRunning(snapshot, names);
  const vartypes = new Map(snapshot.settings.map((row) => [row.name, row.vartype]));
  const isText = (name: string) =>
    (vartypes.get(name) ?? 'string') === 'string' && !KEPT_TEXT_SETTINGS.has(name);
  return {
    snapshot: {
      ...running,
      columns,
      schema: {
        ...schema,
        sequences: schema.sequences.map((row) => ({ ...row, last_value: null })),
        views: schema.views.map((row) =>
          row.owner === undefined ? row : { ...row, owner: names.of('user', row.owner) },
        ),
        ...(schema.policies
          ? {
              policies: schema.policies.map((row) => ({
                ...row,
                // PUBLIC is nobody.
                roles: row.roles.map((name) => (name === 'public' ? name : names.of('user', name))),
              })),
            }
          : {}),
      },
      ...(snapshot.instance
        ? { instance: stripInstance(snapshot.instance, (kind, name) => names.of(kind, name)) }
        : {}),
      tables: snapshot.tables.map((row) => ({ ...row, owner: names.of('user', row.owner) })),
      settings: snapshot.settings.map((row) =>
        isText(row.name)
          ? { ...row, setting: REMOVED, boot_val: REMOVED, reset_val: REMOVED, sourcefile: null }
          : { ...row, sourcefile: null },
      ),
      setting_overrides: snapshot.setting_overrides.map((row) => ({
        ...row,
        role: names.of('user', row.role),
        value: isText(row.name) ? REMOVED : row.value,
      })),
      limits: [...running.limits, ...limits],
    },
    first: first && (await stripRunning(first, names)),
  };
}
