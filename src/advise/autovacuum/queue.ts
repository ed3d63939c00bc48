/** The queue of autovacuum as it was seen: workers at work, tables that waited for one, and what explains it otherwise. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { measured, setting } from '../settings/facts.ts';
import { holdersOf, holdsLong } from './horizon.ts';
import { autovacuumEnabled, serverParameter } from './options.ts';
import { deadRowTrigger } from './trigger.ts';

/** A window of fewer rounds tells nothing: a table that is due waits for the next one in any case. */
const LEAST_ROUNDS = 2;
const NAMED = 5;

export interface Queue {
  /** Autovacuum workers at work at the moment of the snapshot, in all databases. */
  busy: number;
  /** Are all of them? */
  all_busy: boolean;
  /** Tables that were due at both ends of the window and had no vacuum in it, the latest first. Empty without a window. */
  waited: { name: string; dead: number; trigger: number }[];
}

export function queueSeen(context: Pick<RuleContext, 'snapshot' | 'window'>): Queue {
  const { snapshot } = context;
  const busy = snapshot.activity.groups
    .filter(({ backend_type }) => backend_type === 'autovacuum worker')
    .reduce((sum, { sessions }) => sum + sessions, 0);
  const workers = setting(context, 'autovacuum_max_workers')?.setting;
  return { busy, all_busy: workers !== undefined && busy >= Number(workers), waited: waitedTables(context) };
}

function waitedTables({ snapshot, window }: Pick<RuleContext, 'snapshot' | 'window'>): Queue['waited'] {
  const nap = serverParameter(snapshot, 'autovacuum_naptime')?.value;
  if (!window || nap === undefined || window.seconds < LEAST_ROUNDS * nap) return [];
  const running = new Set(snapshot.activity.vacuums.map(({ table_oid }) => table_oid));
  const deltas = new Map(window.tables.map((delta) => [delta.oid, delta]));
  return snapshot.tables
    .flatMap((table) => {
      if (!['r', 'm'].includes(table.relkind) || running.has(table.oid)) return [];
      if (!autovacuumEnabled(table, snapshot)) return [];
      const trigger = deadRowTrigger(table, snapshot);
      const delta = deltas.get(table.oid);
      // Without a change of its dead rows in a delta a vacuum came, or it was made in the window.
      const change = delta ? delta.dead_tup_change : 0;
      if (trigger === null || change === undefined) return [];
      const least = Math.min(table.n_dead_tup, table.n_dead_tup - change);
      if (least <= trigger.rows) return [];
      return [{ name: `${table.schema}.${table.name}`, dead: table.n_dead_tup, trigger: trigger.rows }];
    })
    .sort((a, b) => b.dead / b.trigger - a.dead / a.trigger);
}

export function queueEvidence({ busy, waited }: Queue, context: RuleContext): Evidence[] {
  const allowed = setting(context, 'autovacuum_max_workers')?.setting;
  return [
    measured('autovacuum workers at work', busy, 'workers', `pg_stat_activity; ${allowed} allowed`),
    ...waited.slice(0, NAMED).map(({ name, dead, trigger }) => ({
      ...measured(
        `dead rows of ${name}, due at both ends of the window without a vacuum`,
        dead,
        'rows',
        `pg_stat_user_tables over a window of ${Math.round(context.window?.seconds ?? 0)} s`,
      ),
      formula: `its trigger: ${Math.round(trigger)} rows`,
    })),
  ];
}

/**
 * What keeps workers and limit busy for nothing: behind a held horizon the same tables stay due, and each round reads them
 * again. Null: nothing holds it for long.
 */
export function busyForNothing(context: RuleContext): { code: string; reason: string } | null {
  const holder = holdersOf(context).find((one) => holdsLong(one));
  if (!holder) return null;
  return {
    code: 'horizon_held',
    reason: `${holder.described} holds what died since it began: autovacuum comes to the same tables in each round and can remove nothing, which takes workers and cost limit; end it first, then look again`,
  };
}
