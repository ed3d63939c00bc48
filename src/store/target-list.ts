/**
 * Targets as a list outside of the store says: what is new is added, what changed is changed, what is gone is paused,
 * for its history stays, and comes back with its history if it is listed again. Targets that somebody added are not
 * touched.
 */
import { type HostOverrides, PgLuthierError } from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import { type Database, type DatabaseTransaction, newId } from './database.ts';
import { jsonText } from './json-text.ts';
import { advisoryLocks, lockExclusively } from './locks.ts';
import { seal, unseal } from './seal.ts';

export interface ListedTarget {
  name: string;
  /** A DSN, which is sealed, or a reference (`env:NAME`, `file:/path`). */
  dsn: string;
  address: string;
  database_name: string | null;
  host_overrides: HostOverrides;
  labels: Record<string, string>;
  paused: boolean;
}

/** Names. */
export interface SyncResult {
  added: string[];
  changed: string[];
  paused: string[];
  resumed: string[];
}

const GONE = 'it is not in the list of targets any more';
const LISTED_PAUSED = 'the list of targets says so';

/**
 * All or nothing.
 * @param kept names of entries that could not be read: they, and their databases (`name/…`), stay as they are.
 * @throws PgLuthierError `target_exists` when a listed name is that of a target which somebody added.
 */
export function syncTargets(
  db: Database,
  secretKey: Buffer,
  listed: readonly ListedTarget[],
  actor: string,
  kept: readonly string[],
): Promise<SyncResult> {
  return db.transaction().execute(async (transaction) => {
    // Replicas read the same list at the same time.
    await lockExclusively(transaction, advisoryLocks.targetList);
    const rows = await transaction.selectFrom('pgluthier.target').selectAll().execute();
    const byName = new Map(rows.map((row) => [row.name, row]));
    const result: SyncResult = { added: [], changed: [], paused: [], resumed: [] };
    for (const item of listed) {
      const known = byName.get(item.name);
      if (known && known.origin !== 'file') throw taken(item.name);
      if (!known) {
        await add(transaction, secretKey, item, actor);
        result.added.push(item.name);
        continue;
      }
      const id = known.target_id;
      const sameDsn = known.dsn_sealed
        ? !isReference(item.dsn) && unsealed(secretKey, known.dsn_sealed, known.dsn_key_id, id) === item.dsn
        : known.dsn_source === item.dsn;
      const same =
        sameDsn &&
        known.address === item.address &&
        known.database_name === item.database_name &&
        sameValue(known.host_overrides, item.host_overrides) &&
        sameValue(known.labels, item.labels);
      if (!same) {
        const values = { ...dsnValues(secretKey, item.dsn, id), ...otherValues(item) };
        await transaction.updateTable('pgluthier.target').set(values).where('target_id', '=', id).execute();
        // The lease of who collects it right now stays.
        await transaction
          .updateTable('pgluthier.target_schedule')
          .set({ server: serverOf(item.address) })
          .where('target_id', '=', id)
          .execute();
        await record(transaction, actor, 'target.change', id, { name: item.name, address: item.address });
        result.changed.push(item.name);
      }
      const pausedByList = known.paused_because === GONE || known.paused_because === LISTED_PAUSED;
      if (item.paused && known.paused_at === null) {
        await pause(transaction, actor, id, LISTED_PAUSED);
        result.paused.push(item.name);
      } else if (!item.paused && known.paused_at !== null && pausedByList) {
        await transaction
          .updateTable('pgluthier.target')
          .set({ paused_at: null, paused_because: null })
          .where('target_id', '=', id)
          .execute();
        await record(transaction, actor, 'target.resume', id, {});
        result.resumed.push(item.name);
      }
    }
    const names = new Set(listed.map((item) => item.name));
    for (const row of rows) {
      if (row.origin !== 'file' || row.paused_at !== null || names.has(row.name)) continue;
      if (kept.some((name) => row.name === name || row.name.startsWith(`${name}/`))) continue;
      await pause(transaction, actor, row.target_id, GONE);
      result.paused.push(row.name);
    }
    return result;
  });
}

/** host:port of an address `host:port/database`. */
export const serverOf = (address: string) => address.replace(/\/[^/]*$/, '');

const isReference = (dsn: string) => /^(env|file):/.test(dsn);

/** Key order is not part of a value. */
function sameValue(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown) =>
    JSON.stringify(Object.entries(value as Record<string, unknown>).sort(([x], [y]) => (x < y ? -1 : 1)));
  return sorted(a) === sorted(b);
}

/** Null: with another key, or damaged; then it is written anew. */
function unsealed(secretKey: Buffer, box: Buffer, keyId: string | null, id: string): string | null {
  try {
    return unseal(secretKey, { box, key_id: keyId ?? '' }, id);
  } catch (error) {
    if (error instanceof PgLuthierError) return null;
    throw error;
  }
}

function dsnValues(secretKey: Buffer, dsn: string, id: string) {
  const sealed = isReference(dsn) ? null : seal(secretKey, dsn, id);
  return {
    dsn_source: sealed ? 'sealed' : dsn,
    dsn_sealed: sealed?.box ?? null,
    dsn_key_id: sealed?.key_id ?? null,
  };
}

function otherValues(item: ListedTarget) {
  return {
    address: item.address,
    database_name: item.database_name,
    host_overrides: jsonText(item.host_overrides),
    labels: jsonText(item.labels),
  };
}

async function add(
  transaction: DatabaseTransaction,
  secretKey: Buffer,
  item: ListedTarget,
  actor: string,
): Promise<void> {
  const id = newId('tgt');
  await transaction
    .insertInto('pgluthier.target')
    .values({
      target_id: id,
      name: item.name,
      ...dsnValues(secretKey, item.dsn, id),
      ...otherValues(item),
      origin: 'file',
      created_at: new Date(),
      ...(item.paused ? { paused_at: new Date(), paused_because: LISTED_PAUSED } : {}),
    })
    .execute();
  await record(transaction, actor, 'target.add', id, { name: item.name, address: item.address });
}

async function pause(
  transaction: DatabaseTransaction,
  actor: string,
  id: string,
  because: string,
): Promise<void> {
  await transaction
    .updateTable('pgluthier.target')
    .set({ paused_at: new Date(), paused_because: because })
    .where('target_id', '=', id)
    .execute();
  await record(transaction, actor, 'target.pause', id, { because });
}

function record(
  transaction: DatabaseTransaction,
  actor: string,
  action: string,
  id: string,
  details: Record<string, unknown>,
) {
  return appendAudit(transaction, { actor, action, target_id: id, subject_id: id, details });
}

function taken(name: string): PgLuthierError {
  return new PgLuthierError({
    code: 'target_exists',
    status: 409,
    message: `The list of targets names ${name}, and somebody added a target of this name.`,
    remedy: 'Choose another name in the list, or remove that target first.',
  });
}
