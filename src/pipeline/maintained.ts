/** Maintenance that somebody did since a table or an index was seen last. */
import { type Change, type Snapshot, sameLeaves, type TableRow } from '../domain/index.ts';

type Maintenance = Extract<Change, { kind: 'index.reindex' | 'vacuum' | 'analyze' }>;

/** Every kind of it: what it leaves is a newer state, which only an earlier snapshot tells. */
export const MAINTENANCE: ReadonlySet<Change['kind']> = new Set(['index.reindex', 'vacuum', 'analyze']);

/** Was this done between the two snapshots, by a person and not by autovacuum? */
export function maintained(snapshot: Snapshot, earlier: Snapshot, change: Maintenance): boolean {
  if (change.kind === 'index.reindex') return rebuilt(snapshot, earlier, change);
  const [was, is] = [tableIn(earlier, change), tableIn(snapshot, change)];
  // Another table of the name has times of its own.
  if (!was || !is || was.oid !== is.oid) return false;
  const analyzed = newer(was.last_analyze, is.last_analyze);
  if (change.kind === 'analyze') return analyzed;
  // Of a partitioned table all leaves: the whole of it, be it by one statement or one by one.
  const leaves = sameLeaves(earlier.tables, snapshot.tables, change);
  const vacuumed = leaves.every(
    ([before, after]) =>
      newer(before.last_vacuum, after.last_vacuum) &&
      (!change.freeze || younger(before.xid_age, after.xid_age)),
  );
  return leaves.length > 0 && vacuumed && (!change.analyze || analyzed);
}

const tableIn = (
  { tables }: Snapshot,
  { schema, table }: { schema: string; table: string },
): TableRow | undefined => tables.find((row) => row.schema === schema && row.name === table);

/** Both are of the target's own clock, and of what a person ran: autovacuum's runs are kept apart by the server. */
function newer(was: string | null, is: string | null): boolean {
  return is !== null && (was === null || Date.parse(is) > Date.parse(was));
}

const younger = (was: number | null, is: number | null) => was !== null && is !== null && is < was;

/**
 * REINDEX CONCURRENTLY makes another index (OID) of the same name, REINDEX another file (relfilenode) of the same index;
 * so do VACUUM FULL and CLUSTER, which rebuild it as well. Snapshots of older versions do not have the file.
 */
function rebuilt(
  snapshot: Snapshot,
  earlier: Snapshot,
  { schema, name, definition }: Extract<Change, { kind: 'index.reindex' }>,
): boolean {
  const find = ({ indexes }: Snapshot) => indexes.find((row) => row.schema === schema && row.name === name);
  const [was, is] = [find(earlier), find(snapshot)];
  if (!was || !is?.is_valid || is.definition !== definition) return false;
  if (was.oid !== is.oid) return true;
  return Boolean(was.relfilenode && is.relfilenode) && was.relfilenode !== is.relfilenode;
}
