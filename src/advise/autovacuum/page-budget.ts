/** What autovacuum has to read and dirty on a day, all tables together, against what its cost limit allows. */
import type { RuleContext } from '../../domain/index.ts';
import { formatMemory, MB } from '../settings/units.ts';
import { churnOf } from './churn.ts';
import { autovacuumEnabled } from './options.ts';
import { type CostParameters, type ServerParameters, serverParameters } from './parameters.ts';
import { simulatedTable, xidsPerSecond } from './replay.ts';
import { simulate } from './simulate.ts';
import type { SimulatedTable, SimulationOutcome } from './simulated.ts';
import { unitsPerSecond } from './work.ts';

const DAY = 86_400;
/** Days that all tables together are replayed; and how many of them, the most changed first. */
const REPLAYED_DAYS = 7;
const MOST_TABLES = 300;

export interface PageBudget {
  server: ServerParameters;
  outcome: SimulationOutcome;
  tables: number;
  /**
   * Cost units that the vacuums and analyzes of a day take and that the shared limit allows; of tables with a limit of
   * their own none, for they do not share it. Where the limit is what they wait for, they take what it allows.
   */
  needed_a_day: number;
  allowed_a_day: number;
  /** needed / allowed. */
  share: number;
  /** Cost units of a day with another limit in force, replayed: where tables wait no more, more is done. */
  unitsAt: (limit: number) => number;
  /** Tables left out because they change less than those replayed. */
  left_out: number;
}

/** All rules of an analysis are given the same context. */
const known = new WeakMap<RuleContext, PageBudget | null>();

/** Replays all tables together. Null: nothing changes, no rate is known, or settings are not visible. */
export function pageBudget(context: RuleContext): PageBudget | null {
  const cached = known.get(context);
  if (cached !== undefined) return cached;
  const made = replayAll(context);
  known.set(context, made);
  return made;
}

function replayAll(context: RuleContext): PageBudget | null {
  const { snapshot } = context;
  const server = serverParameters(snapshot);
  if (server === null) return null;
  const changing = snapshot.tables
    .flatMap((table): SimulatedTable[] => {
      if (!['r', 'm'].includes(table.relkind) || !autovacuumEnabled(table, snapshot)) return [];
      const churn = churnOf(table, context);
      if (churn === null || churn.dead + churn.inserted === 0) return [];
      const simulated = simulatedTable(table, churn, table.reloptions, context);
      return simulated ? [simulated] : [];
    })
    .sort((a, b) => b.rates.changed + b.rates.inserted - a.rates.changed - a.rates.inserted);
  const tables = changing.slice(0, MOST_TABLES);
  if (tables.length === 0) return null;
  const xids_per_second = xidsPerSecond(context) ?? 0;
  const days = REPLAYED_DAYS;
  const replayed = (cost: CostParameters) =>
    simulate({ tables, server: { ...server, cost }, xids_per_second, days });
  const outcome = replayed(server.cost);
  const allowed = unitsPerSecond(server.cost) * DAY;
  return {
    server,
    outcome,
    tables: tables.length,
    needed_a_day: outcome.units_a_day,
    allowed_a_day: allowed,
    share: Number.isFinite(allowed) ? outcome.units_a_day / allowed : 0,
    unitsAt: (limit) => replayed({ ...server.cost, limit }).units_a_day,
    left_out: changing.length - tables.length,
  };
}

/** What a cost limit allows a second, for people: reading from disk alone, or dirtying alone. */
export function unitRates(cost: CostParameters, blockSize: number): { read: string; dirtied: string } {
  const perSecond = (units: number) =>
    units > 0 && Number.isFinite(unitsPerSecond(cost))
      ? `${formatMemory(Math.max(MB, Math.round((unitsPerSecond(cost) / units) * blockSize)))} a second`
      : 'as much as it can';
  return { read: perSecond(cost.page_miss), dirtied: perSecond(cost.page_dirty) };
}
