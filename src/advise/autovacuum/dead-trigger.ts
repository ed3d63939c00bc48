/** A table's dead-row trigger as it is and as it should be: what several rules judge it by. */
import type { RuleContext, TableRow } from '../../domain/index.ts';
import type { Churn } from './churn.ts';
import { type WantedTrigger, wantedTrigger } from './derive.ts';
import { type Explanation, explainsDeadRows } from './horizon.ts';
import { autovacuumEnabled, rowsOf } from './options.ts';
import { type ServerParameters, serverParameters, tableParameters } from './parameters.ts';
import { simulatedTable } from './replay.ts';
import type { SimulatedTable } from './simulated.ts';
import { deadRowTrigger, type Trigger } from './trigger.ts';
import { triggersOf } from './triggers-of.ts';

/** Storage parameters that make the dead-row trigger. */
export const DEAD_ROW_OPTIONS = [
  'autovacuum_vacuum_threshold',
  'autovacuum_vacuum_scale_factor',
  'autovacuum_vacuum_max_threshold',
] as const;

/** The proposed trigger must come at least so many times earlier. */
export const MINIMUM_FACTOR = 2;

export interface DeadTrigger {
  simulated: SimulatedTable;
  server: ServerParameters;
  present: Trigger;
  wanted: WantedTrigger;
  /** Without the table's own parameters. */
  of_server: number;
  /** Why its dead rows stay, whatever the trigger is; null: nothing of the kind. */
  explained: Explanation | null;
}

/** Or a stable code and the reason why there is nothing to judge. */
export function judgeDeadTrigger(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): DeadTrigger | { code: string; reason: string } {
  const { snapshot } = context;
  if (!autovacuumEnabled(table, snapshot)) {
    return {
      code: 'autovacuum_off',
      reason: 'autovacuum is switched off for it: no trigger is of use before that ends',
    };
  }
  const present = deadRowTrigger(table, snapshot);
  const simulated = simulatedTable(table, churn, table.reloptions, context);
  const server = serverParameters(snapshot);
  const bare = Object.fromEntries(
    Object.entries(table.reloptions).filter(
      ([name]) => !(DEAD_ROW_OPTIONS as readonly string[]).includes(name),
    ),
  );
  const parameters = tableParameters(bare, snapshot);
  if (present === null || simulated === null || server === null || parameters === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const wanted = wantedTrigger(table, simulated, server);
  return {
    simulated,
    server,
    present,
    wanted,
    of_server: triggersOf(parameters, rowsOf(table), 0).dead,
    explained: explainsDeadRows(
      table,
      {
        trigger: present.rows,
        dead_per_hour: churn.dead_per_hour,
        interval_seconds: wanted.interval_seconds,
        vacuumed_in_window: churn.from === 'window' && churn.autovacuums > 0,
      },
      context,
    ),
  };
}

/** Would the server's own settings serve as well as what is wanted? Then an override is to go, not to change. */
export function serverServes({ of_server, wanted }: DeadTrigger): boolean {
  return of_server < MINIMUM_FACTOR * wanted.rows && wanted.rows < MINIMUM_FACTOR * 2 * of_server;
}
