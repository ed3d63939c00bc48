/** Facts about the instance without names of people, machines and files. */
import type { InstanceFacts } from '../domain/index.ts';

/** @param pseudonym the same for the same kind and name throughout a file. */
export function stripInstance(
  facts: InstanceFacts,
  pseudonym: <T extends string | null>(kind: string, name: T) => T | string,
): InstanceFacts {
  return {
    ...facts,
    roles: facts.roles.map((row) => ({
      ...row,
      name: pseudonym('user', row.name),
      ...(row.member_of ? { member_of: row.member_of.map((name) => pseudonym('user', name)) } : {}),
    })),
    subscriptions: facts.subscriptions.map((row) => ({
      ...row,
      name: pseudonym('subscription', row.name),
      slot_name: pseudonym('replication_slot', row.slot_name),
    })),
    // Messages about a line quote it.
    file_settings:
      facts.file_settings?.map((row) => ({
        ...row,
        sourcefile: null,
        error: row.error === null ? null : '(stripped)',
      })) ?? null,
  };
}
