/** Targets and their sealed DSNs. */
import { type HostOverrides, PgLuthierError, type Target } from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import { type Database, newId, notFound, sqlstate, UNIQUE_VIOLATION } from './database.ts';
import { keyId, seal, unseal } from './seal.ts';

export type DsnSource =
  | { kind: 'sealed'; dsn: string }
  | { kind: 'env'; name: string }
  | { kind: 'file'; path: string };

export interface TargetStore {
  /**
   * @param target.dsn a DSN, which is sealed, or a reference (`env:NAME`, `file:/path`), which is kept as it is.
   * @throws PgLuthierError `target_exists` when the name is taken.
   */
  add(
    target: { name: string; dsn: string; address: string; host_overrides: HostOverrides },
    actor: string,
  ): Promise<Target>;
  list(): Promise<Target[]>;
  /** @throws PgLuthierError `target_not_found`. */
  get(targetId: string): Promise<Target>;
  /** @throws PgLuthierError `target_not_found`, `secret_key_mismatch`. */
  getDsnSource(targetId: string): Promise<DsnSource>;
  /** Forgets the target and all that was collected of it; the audit log keeps what was decided. */
  remove(targetId: string, actor: string): Promise<void>;
}

const columns = ['target_id', 'name', 'dsn_source', 'address', 'host_overrides', 'created_at'] as const;

interface TargetRow {
  target_id: string;
  name: string;
  dsn_source: string;
  address: string;
  host_overrides: Record<string, unknown>;
  created_at: string;
}

function toTarget({ target_id, host_overrides, ...row }: TargetRow): Target {
  return { id: target_id, ...row, host_overrides: host_overrides as HostOverrides };
}

export function targetStore(db: Database, secretKey: Buffer): TargetStore {
  return {
    add: async (target, actor) => {
      const id = newId('tgt');
      const isReference = /^(env|file):/.test(target.dsn);
      const row = {
        target_id: id,
        name: target.name,
        dsn_source: isReference ? target.dsn : 'sealed',
        dsn_sealed: isReference ? null : seal(secretKey, target.dsn, id),
        dsn_key_id: isReference ? null : keyId(secretKey),
        address: target.address,
        host_overrides: JSON.stringify(target.host_overrides),
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
    get: async (targetId) => {
      const row = await db
        .selectFrom('pgluthier.target')
        .select(columns)
        .where('target_id', '=', targetId)
        .executeTakeFirst();
      if (!row) throw notFound('target', targetId);
      return toTarget(row);
    },
    getDsnSource: async (targetId) => {
      const row = await db
        .selectFrom('pgluthier.target')
        .select(['dsn_source', 'dsn_sealed'])
        .where('target_id', '=', targetId)
        .executeTakeFirst();
      if (!row) throw notFound('target', targetId);
      const { dsn_source: source, dsn_sealed: sealed } = row;
      if (source.startsWith('env:')) return { kind: 'env', name: source.slice('env:'.length) };
      if (source.startsWith('file:')) return { kind: 'file', path: source.slice('file:'.length) };
      if (!sealed) throw new Error(`target ${targetId} has no DSN, against the table's CHECK`);
      return { kind: 'sealed', dsn: unseal(secretKey, sealed, targetId) };
    },
    remove: async (targetId, actor) => {
      await db.transaction().execute(async (transaction) => {
        const removed = await transaction
          .deleteFrom('pgluthier.target')
          .where('target_id', '=', targetId)
          .returning('name')
          .executeTakeFirst();
        if (!removed) throw notFound('target', targetId);
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
