/**
 * pg_relation_size and its like lock each relation for a moment, and so wait behind DDL. When that takes longer than
 * lock_timeout, the sizes of this snapshot come from pg_class, which needs no lock but may be stale.
 */
import { type Reader, timedOut } from './reader.ts';
import { sqlVariant } from './variants.ts';

const measured = {
  main_size: 'pg_relation_size(c.oid)',
  total_size: 'pg_total_relation_size(c.oid)',
  toast_size: 'pg_total_relation_size(c.reltoastrelid)',
  indexes_size: 'pg_indexes_size(c.oid)',
};

const fromCatalog = {
  main_size: "(c.relpages * current_setting('block_size')::int8)",
  total_size: "(c.relpages * current_setting('block_size')::int8)",
  toast_size:
    "((SELECT t.relpages FROM pg_class AS t WHERE t.oid = c.reltoastrelid) * current_setting('block_size')::int8)",
  indexes_size:
    "((SELECT sum(i.relpages) FROM pg_index AS ix JOIN pg_class AS i ON i.oid = ix.indexrelid WHERE ix.indrelid = c.oid) * current_setting('block_size')::int8)",
};

/** Reads a noun with measured sizes, or with the catalog's where a lock is in the way; a limit says so. */
export async function readWithSizes<T>(
  reader: Reader,
  noun: string,
  read: (sql: string) => Promise<T[]>,
): Promise<T[]> {
  const version = String(reader.session.server_version_num);
  const before = reader.limits.length;
  try {
    const rows = await read(sqlVariant(noun, version, measured));
    const timeLimit = reader.limits.slice(before).find((limit) => limit.code === 'timed_out');
    if (!timeLimit) return rows;
  } catch (error) {
    if (!timedOut(error)) throw error;
  }
  reader.limits.splice(before);
  reader.limits.push({
    scope: noun,
    code: 'sizes_from_catalog',
    message: `Sizes of ${noun} are the catalog's last estimates: somebody held a lock that measuring would have waited for.`,
    remedy: null,
  });
  return read(sqlVariant(noun, version, fromCatalog));
}
