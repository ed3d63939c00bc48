/** Ages of transaction and multixact identifiers against the limits that count, and when they will be reached. */
import type { RuleContext, TableRow } from '../../domain/index.ts';
import { serverParameter } from './options.ts';
import { xidsPerSecond } from './replay.ts';

/**
 * The server wraps at the oldest identifier + 2³¹ − 1 and gives out no more from 3 million before (SetTransactionIdLimit,
 * 14 and newer; multixacts likewise).
 */
export const STOP_AGE = 2 ** 31 - 1 - 3_000_000;
/** Autovacuum comes at its max_age; so far beyond it, it does not get through. */
export const BEHIND_FACTOR = 1.5;
const DAY = 86_400;

export type Counter = 'xid' | 'mxid';

export interface WraparoundFacts {
  counter: Counter;
  /** For people. */
  noun: 'transactions' | 'multixacts';
  /** Autovacuum comes, whatever else, at this age. */
  forced_at: number;
  /** Vacuum drops every courtesy (cost limit, indexes) at this age. */
  failsafe_at: number;
  /** Identifiers used in a day; null: not seen in a window. */
  a_day: number | null;
  /** How the rate was seen. */
  source: string;
}

/** Null: the settings are not visible to this role. */
export function wraparoundFacts(counter: Counter, context: RuleContext): WraparoundFacts | null {
  const { snapshot, window } = context;
  const of = (name: string) => serverParameter(snapshot, name)?.value;
  const forced = of(counter === 'xid' ? 'autovacuum_freeze_max_age' : 'autovacuum_multixact_freeze_max_age');
  const failsafe = of(counter === 'xid' ? 'vacuum_failsafe_age' : 'vacuum_multixact_failsafe_age');
  if (forced === undefined || failsafe === undefined) return null;
  const mxids = window?.counters?.mxids;
  const perSecond =
    counter === 'xid'
      ? xidsPerSecond(context)
      : typeof mxids === 'number' && window && window.seconds > 0
        ? mxids / window.seconds
        : null;
  return {
    counter,
    noun: counter === 'xid' ? 'transactions' : 'multixacts',
    forced_at: forced,
    failsafe_at: failsafe,
    a_day: perSecond === null ? null : perSecond * DAY,
    source:
      counter === 'xid'
        ? `pg_snapshot_xmax over a window of ${Math.round(window?.seconds ?? 0)} s`
        : `growth of mxid_age(datminmxid) over a window of ${Math.round(window?.seconds ?? 0)} s: at least`,
  };
}

/** Days until an age is reached at the observed rate; null: no rate was seen. */
export function daysUntil(age: number, limit: number, aDay: number | null): number | null {
  if (limit <= age) return 0;
  return aDay === null || aDay <= 0 ? null : (limit - age) / aDay;
}

export interface Aged {
  table: TableRow;
  age: number;
  /** The TOAST table is the older one. */
  by_toast: boolean;
}

/** Oldest first, each with its TOAST table: VACUUM of the table goes over both. */
export function tablesByAge({ snapshot }: RuleContext, counter: WraparoundFacts['counter']): Aged[] {
  const of = (row: { xid_age: number | null; mxid_age: number | null } | null) =>
    (counter === 'xid' ? row?.xid_age : row?.mxid_age) ?? 0;
  return snapshot.tables
    .filter(({ relkind }) => ['r', 'm'].includes(relkind))
    .map((table) => ({
      table,
      age: Math.max(of(table), of(table.toast)),
      by_toast: of(table.toast) > of(table),
    }))
    .sort((a, b) => b.age - a.age);
}
