/** Targets and their sealed DSNs. */
import { type HostOverrides, PgLuthierError, type Target } from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import { type Database, type DatabaseTransaction, newId } from './database.ts';
import { notFound, sqlstate, UNIQUE_VIOLATION } from './errors.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { seal, unseal } from './seal.ts';
import { type ListedTarget, type SyncResult, syncTargets } from './target-list.ts';

type DsnSource =
  | { kind: 'sealed'; dsn: string }
  | { kind: 'env'; name: string }
  | { kind: 'file'; path: string };

export interface TargetStore {
  /**
   * @param target.dsn a DSN, which is sealed, or a reference (`env:NAME`, `file:/path`), which is kept as it is.
   * @throws PgLuthierError `target_exists` when the name is taken.
   */
  add(
    target: {
      name: string;
      dsn: string;
      address: string;
      host_overrides: HostOverrides;
      database_name?: string | null;
    },
    actor: string,
  ): Promise<Target>;
  list(): Promise<Target[]>;
  /** @throws PgLuthierError `target_not_found`. */
  get(targetId: string): Promise<Target>;
  /**
   * From now on nothing connects to it on a schedule; what runs goes on. Pausing what is paused changes nothing.
   * @throws PgLuthierError `target_not_found`.
   */
  pause(targetId: string, because: string, actor: string): Promise<Target>;
  /** @throws PgLuthierError `target_not_found`. */
  resume(targetId: string, actor: string): Promise<Target>;
  /** What the list of targets says from now on: see target-list.ts. */
  sync(listed: readonly ListedTarget[], actor: string, kept: readonly string[]): Promise<SyncResult>;
  /** @throws PgLuthierError `target_not_found`, `secret_key_mismatch`, `sealed_dsn_damaged`. */
  getDsnSource(targetId: string): Promise<DsnSource>;
  /**
   * Forgets the target and all that was collected of it; the audit log keeps what was decided.
   * @throws PgLuthierError `target_not_found`; `apply_in_progress` (409): the journal of a running change must not go.
   */
  remove(targetId: string, actor: string): Promise<void>;
}

const columns = [
  'target_id',
  'name',
  'dsn_source',
  'address',
  'host_overrides',
  'created_at',
  'database_name',
  'origin',
  'labels',
  'paused_at',
  'paused_because',
] as const;

type TargetRow = Omit<Target, 'id' | 'host_overrides'> & {
  target_id: string;
  host_overrides: Record<string, unknown>;
};

function toTarget({ target_id, host_overrides, ...row }: TargetRow): Target {
  return { id: target_id, ...row, host_overrides: host_overrides as HostOverrides };
}

async function getTarget(db: Database | DatabaseTransaction, targetId: string): Promise<Target> {
  const row = await db
    .selectFrom('pgluthier.target')
    .select(columns)
    .where('target_id', '=', targetId)
    .executeTakeFirst();
  if (!row) throw notFound('target', targetId);
  return toTarget(row);
}

export function targetStore(db: Database, secretKey: Buffer): TargetStore {
  return {
    add: async (target, actor) => {
      const id = newId('tgt');
      const sealed = /^(env|file):/.test(target.dsn) ? null : seal(secretKey, target.dsn, id);
      const row = {
        target_id: id,
        name: target.name,
        dsn_source: sealed ? 'sealed' : target.dsn,
        dsn_sealed: sealed?.box ?? null,
        dsn_key_id: sealed?.key_id ?? null,
        address: target.address,
        database_name: target.database_name ?? null,
        host_overrides: jsonText(target.host_overrides),
        created_at: new Date(),
      };
      try {
        return await db.transaction().execute(async (transaction) => {
          const added = await transaction
            .insertInto('pgluthier.target')
            .values(row)
            .returning(columns)
            .executeTakeFirstOrThrow();
          await appendAudit(transaction, {
            actor,
            action: 'target.add',
            target_id: id,
            subject_id: id,
            details: { name: target.name, address: target.address },
          });
          return toTarget(added);
        });
      } catch (error) {
        if (sqlstate(error) !== UNIQUE_VIOLATION) throw error;
        throw new PgLuthierError({
          code: 'target_exists',
          status: 409,
          message: `There is a target named ${target.name} already.`,
          remedy: 'Choose another name, or remove that target first.',
        });
      }
    },
    list: async () =>
      (await db.selectFrom('pgluthier.target').select(columns).orderBy('name').execute()).map(toTarget),
    get: (targetId) => getTarget(db, targetId),
    getDsnSource: async (targetId) => {
      const row = await db
        .selectFrom('pgluthier.target')
        .select(['dsn_source', 'dsn_sealed', 'dsn_key_id'])
        .where('target_id', '=', targetId)
        .executeTakeFirst();
      if (!row) throw notFound('target', targetId);
      const { dsn_source: source, dsn_sealed: box, dsn_key_id: key_id } = row;
      if (source.startsWith('env:')) return { kind: 'env', name: source.slice('env:'.length) };
      if (source.startsWith('file:')) return { kind: 'file', path: source.slice('file:'.length) };
      if (!box || !key_id) throw new Error(`target ${targetId} has no DSN, against the table's CHECK`);
      return { kind: 'sealed', dsn: unseal(secretKey, { box, key_id }, targetId) };
    },
    pause: (targetId, because, actor) =>
      db.transaction().execute(async (transaction) => {
        const paused = await transaction
          .updateTable('pgluthier.target')
          .set({ paused_at: new Date(), paused_because: because })
          .where('target_id', '=', targetId)
          .where('paused_at', 'is', null)
          .executeTakeFirst();
        if (paused.numUpdatedRows > 0n) {
          const subject = { target_id: targetId, subject_id: targetId };
          await appendAudit(transaction, { actor, action: 'target.pause', ...subject, details: { because } });
        }
        return getTarget(transaction, targetId);
      }),
    resume: (targetId, actor) =>
      db.transaction().execute(async (transaction) => {
        const resumed = await transaction
          .updateTable('pgluthier.target')
          .set({ paused_at: null, paused_because: null })
          .where('target_id', '=', targetId)
          .where('paused_at', 'is not', null)
          .executeTakeFirst();
        if (resumed.numUpdatedRows > 0n) {
          const subject = { target_id: targetId, subject_id: targetId };
          await appendAudit(transaction, { actor, action: 'target.resume', ...subject, details: {} });
        }
        return getTarget(transaction, targetId);
      }),
    sync: (listed, actor, kept) => syncTargets(db, secretKey, listed, actor, kept),
    remove: async (targetId, actor) => {
      await db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'remove');
        const running = await transaction
          .selectFrom('pgluthier.apply')
          .select('apply_id')
          .where('target_id', '=', targetId)
          .where('state', 'in', ['queued', 'running'])
          .executeTakeFirst();
        if (running) {
          throw new PgLuthierError({
            code: 'apply_in_progress',
            status: 409,
            message: `Apply ${running.apply_id} still runs on this target.`,
            remedy: 'Wait for its end, then remove the target.',
            details: { apply_id: running.apply_id },
          });
        }
        const removed = await transaction
          .deleteFrom('pgluthier.target')
          .where('target_id', '=', targetId)
          .returning('name')
          .executeTakeFirstOrThrow();
        // Without a foreign key; nobody saves another one, for the target's row is locked.
        await transaction.deleteFrom('pgluthier.snapshot').where('target_id', '=', targetId).execute();
        await appendAudit(transaction, {
          actor,
          action: 'target.remove',
          target_id: targetId,
          subject_id: targetId,
          details: { name: removed.name },
        });
      });
    },
  };
}
