/**
 * What holds the xmin horizon of this database's tables, and whether it explains a table's dead rows: then no trigger
 * helps, and tuning has to wait until the holder is gone. After ComputeXidHorizons() of procarray.c.
 */
import type { Limit, RuleContext, TableRow, XminHolder } from '../../domain/index.ts';
import { xidsPerSecond } from './replay.ts';

export interface Holder extends XminHolder {
  /** How long it has held the horizon, seconds; null: nobody can tell. */
  held_seconds: number | null;
  /** For people: `replication slot forgotten (2,000,000 transactions, 3 h)`. */
  described: string;
}

/** Below this nothing is called a blocker: reports and backups take a while. */
export const HOLDS_SECONDS = 15 * 60;
const HOLDS_TRANSACTIONS = 1_000_000;

/**
 * Who holds rows of tables here, oldest first. Sessions and prepared transactions of other databases hold none of
 * them, a slot's catalog_xmin only rows of catalogs, and a running VACUUM nothing at all.
 */
export function holdersOf(context: Pick<RuleContext, 'snapshot' | 'window'>): Holder[] {
  const { activity, server, taken_at } = context.snapshot;
  const vacuums = new Set(activity.vacuums.map(({ pid }) => String(pid)));
  const rate = xidsPerSecond(context);
  return activity.xmin_holders
    .filter(
      ({ kind, name, database, xmin_age }) =>
        xmin_age !== null &&
        (kind === 'replication_slot' || kind === 'standby' || database === server.database) &&
        !(kind === 'session' && vacuums.has(name)),
    )
    .map((holder) => {
      const held = heldSeconds(holder, taken_at, rate);
      const time = held === null ? '' : `, for ${duration(held)}`;
      return {
        ...holder,
        held_seconds: held,
        described: `${holder.kind.replaceAll('_', ' ')} ${holder.name} (${(holder.xmin_age ?? 0).toLocaleString('en-US')} transactions${time})`,
      };
    })
    .sort((a, b) => (b.xmin_age ?? 0) - (a.xmin_age ?? 0));
}

/**
 * A transaction may be older than what it holds (each statement takes a new snapshot), a standby is connected for
 * longer than it holds: the transactions since then, at the observed rate, bound it. Prepared ones hold from the start.
 */
function heldSeconds(
  { kind, since, xmin_age }: XminHolder,
  takenAt: string,
  rate: number | null,
): number | null {
  const bySince = since === null ? null : Math.max(0, (Date.parse(takenAt) - Date.parse(since)) / 1000);
  const byXids = rate !== null && rate > 0 ? (xmin_age ?? 0) / rate : null;
  if (kind === 'prepared_transaction') return bySince;
  if (kind === 'standby') return byXids;
  if (kind === 'replication_slot') return byXids ?? bySince;
  return bySince === null || byXids === null ? (bySince ?? byXids) : Math.min(bySince, byXids);
}

export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** Does it hold the horizon for so long that it is a problem of its own? */
export function holdsLong({ held_seconds, xmin_age }: Holder, atLeast = HOLDS_SECONDS): boolean {
  return held_seconds === null ? (xmin_age ?? 0) >= HOLDS_TRANSACTIONS : held_seconds >= atLeast;
}

export interface Explanation {
  /** Null: a vacuum left its dead rows, but what held them was not seen. */
  holder: Holder | null;
  code: 'horizon_held' | 'vacuum_leaves_dead_rows';
  reason: string;
}

/** Dead rows that a vacuum left, against those that came since, beyond which something held them. */
const LEFT_FACTOR = 3;

/**
 * Why the table's dead rows stay, whatever its trigger: a vacuum since the holder began left more than the trigger, or
 * the holder is older than the time in which the wanted trigger fills. Null: nothing of the kind.
 */
export function explainsDeadRows(
  table: Pick<TableRow, 'n_dead_tup' | 'last_vacuum' | 'last_autovacuum'>,
  facts: { trigger: number; dead_per_hour: number; interval_seconds: number; vacuumed_in_window: boolean },
  context: RuleContext,
): Explanation | null {
  const holders = holdersOf(context);
  const vacuumed = Math.max(
    ...[table.last_vacuum, table.last_autovacuum].map((at) => (at === null ? 0 : Date.parse(at))),
  );
  const rows = (count: number) => Math.round(count).toLocaleString('en-US');
  const since = Math.max(0, (Date.parse(context.snapshot.taken_at) - vacuumed) / 1000);
  const come = (facts.dead_per_hour * since) / 3600;
  const over = table.n_dead_tup > facts.trigger && table.n_dead_tup > LEFT_FACTOR * come;
  const proven = holders.find(
    (holder) => over && holder.since !== null && Date.parse(holder.since) < vacuumed,
  );
  if (proven) {
    return {
      holder: proven,
      code: 'horizon_held',
      reason: `${proven.described} holds them: the vacuum that ended ${Math.round(since)} s before the snapshot left ${rows(table.n_dead_tup)} dead rows, of which only about ${rows(come)} can have come since; end it first, then look again`,
    };
  }
  const old = holders.find((holder) => holdsLong(holder, Math.max(HOLDS_SECONDS, facts.interval_seconds)));
  if (old) {
    return {
      holder: old,
      code: 'horizon_held',
      reason: `${old.described} holds every row that died since it began, for longer than the ${duration(facts.interval_seconds)} in which vacuums would come: they would only find the same rows again; end it first, then look again`,
    };
  }
  if (over && facts.vacuumed_in_window && vacuumed > 0) {
    return {
      holder: null,
      code: 'vacuum_leaves_dead_rows',
      reason: `the vacuum that ended ${Math.round(since)} s before the snapshot left ${rows(table.n_dead_tup)} dead rows, of which only about ${rows(come)} can have come since: a long transaction, a replication slot, a standby or a prepared transaction holds them; end that first`,
    };
  }
  return null;
}

/** What holds the horizon could not be seen: every rule that depends on it says so in the same words. */
export function horizonLimits({ limits }: RuleContext['snapshot'], scope: string): Limit[] {
  const blind = limits.some(
    (limit) =>
      limit.scope === 'xmin-holders' || (limit.scope === 'activity' && limit.code === 'activity_hidden'),
  );
  if (!blind) return [];
  return [
    {
      scope,
      code: 'horizon_not_seen',
      message:
        'What holds back vacuum (long transactions, replication slots, prepared transactions, standby feedback) could not be seen; only a vacuum that left its dead rows behind was looked for.',
      remedy:
        'GRANT pg_monitor to the role, or look at backend_xmin and backend_xid in pg_stat_activity, xmin in pg_replication_slots and at pg_prepared_xacts.',
    },
  ];
}
