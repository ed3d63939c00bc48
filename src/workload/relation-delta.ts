/** Deltas of tables' and indexes' counters, by OID. */
import type { IndexDelta, IndexRow, Limit, Snapshot, TableDelta, TableRow } from '../domain/index.ts';
import { type Continuity, databaseFell } from './continuity.ts';

const TABLE_COUNTERS = [
  'seq_scan',
  'seq_tup_read',
  'idx_scan',
  'n_tup_ins',
  'n_tup_upd',
  'n_tup_del',
  'n_tup_hot_upd',
  'autovacuum_count',
  'autoanalyze_count',
  'n_tup_newpage_upd',
  'vacuum_count',
] as const satisfies readonly (keyof TableRow & keyof TableDelta)[];

const INDEX_COUNTERS = [
  'idx_scan',
  'idx_tup_read',
  'idx_tup_fetch',
] as const satisfies readonly (keyof IndexRow & keyof IndexDelta)[];

/**
 * Tells a reset of the whole database from one of single relations. Both move pg_stat_database.stats_reset (since
 * 15 also pg_stat_reset_single_table_counters does), but only pg_stat_reset() and a crash set the database's own
 * counters back. `everything`: count all relations from zero. Otherwise a relation counts from zero only where its
 * counters fell; one that was reset and has overtaken its earlier counters in the same window gives a lower bound.
 */
export function relationsWereReset(
  from: Snapshot,
  to: Snapshot,
  { crashed, replaced }: Pick<Continuity, 'crashed' | 'replaced'>,
): { everything: boolean; limits: Limit[] } {
  if (replaced) return { everything: false, limits: [] };
  const stamp = (snapshot: Snapshot) =>
    snapshot.counters.database?.stats_reset ?? snapshot.server.stats_reset ?? null;
  const everything = crashed || databaseFell(from, to);
  if (stamp(from) === stamp(to) && !everything) return { everything, limits: [] };
  return {
    everything,
    limits: [
      {
        scope: 'tables',
        code: 'relation_statistics_reset',
        message: everything
          ? "The database's statistics were reset within the window: tables and indexes count from the reset on."
          : 'Statistics of some relations were reset within the window: their counts are lower bounds.',
        remedy: null,
      },
    ],
  };
}

type Counters<K extends string> = Partial<Record<K, number | null>>;

/** Differences of `keys`; counted from zero where any of them fell. Null where nothing moved. */
function difference<K extends string>(
  before: Counters<K> | undefined,
  after: Counters<K>,
  keys: readonly K[],
  fromZero: boolean,
): Record<K, number> | null {
  const fell = keys.some((key) => (after[key] ?? 0) < (before?.[key] ?? 0));
  const base = before === undefined || fell || fromZero ? undefined : before;
  const pairs = keys.map((key) => [key, (after[key] ?? 0) - (base?.[key] ?? 0)] as const);
  if (pairs.every(([, value]) => value === 0)) return null;
  return Object.fromEntries(pairs) as Record<K, number>;
}

function diffByOid<K extends string>(
  from: readonly ({ oid: number } & Counters<K>)[],
  to: readonly ({ oid: number } & Counters<K>)[],
  keys: readonly K[],
  everything: boolean,
): ({ oid: number } & Record<K, number>)[] {
  const earlier = new Map(from.map((row) => [row.oid, row]));
  const deltas: ({ oid: number } & Record<K, number>)[] = [];
  for (const row of to) {
    const change = difference(earlier.get(row.oid), row, keys, everything);
    if (change !== null) deltas.push({ oid: row.oid, ...change });
  }
  return deltas;
}

/** Tables with activity in the window. A table that the earlier snapshot lacks was created since: it counts from zero. */
export function diffTables(
  from: readonly TableRow[],
  to: readonly TableRow[],
  everything: boolean,
): TableDelta[] {
  const before = new Map(from.map((row) => [row.oid, row]));
  const after = new Map(to.map((row) => [row.oid, row]));
  return diffByOid(from, to, TABLE_COUNTERS, everything).map((delta) => {
    const [earlier, later] = [before.get(delta.oid), after.get(delta.oid)];
    const vacuumed = delta.autovacuum_count > 0 || delta.vacuum_count > 0;
    if (!earlier || !later || vacuumed || everything) return delta;
    return { ...delta, dead_tup_change: later.n_dead_tup - earlier.n_dead_tup };
  });
}

/** Indexes with activity in the window, likewise. */
export function diffIndexes(
  from: readonly IndexRow[],
  to: readonly IndexRow[],
  everything: boolean,
): IndexDelta[] {
  return diffByOid(from, to, INDEX_COUNTERS, everything);
}
