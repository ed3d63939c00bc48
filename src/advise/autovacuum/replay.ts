/** From a table of the snapshot and its churn to what the simulator takes; and from its outcomes to evidence. */
import type { Evidence, RuleContext, TableRow } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';
import type { Churn } from './churn.ts';
import { rowsOf } from './options.ts';
import { type Options, type ServerParameters, serverParameters, tableParameters } from './parameters.ts';
import { simulate } from './simulate.ts';
import type { SimulatedTable, TableOutcome } from './simulated.ts';

/** How long a single table is replayed, days. */
const REPLAYED_DAYS = 30;

/** The table with these storage parameters. Null: a setting is not visible. */
export function simulatedTable(
  table: TableRow,
  churn: Churn,
  options: Options,
  context: Pick<RuleContext, 'snapshot'>,
): SimulatedTable | null {
  const { snapshot } = context;
  const parameters = tableParameters(options, snapshot);
  if (parameters === null) return null;
  const share = (pages: number | null) =>
    table.relpages > 0 && pages !== null ? Math.min(1, pages / table.relpages) : 0;
  const perSecond = (perHour: number) => perHour / 3600;
  const indexes = Math.max(
    snapshot.indexes.filter((index) => index.table_oid === table.oid).length,
    table.indexes_bytes > 0 ? 1 : 0,
  );
  return {
    name: `${table.schema}.${table.name}`,
    rows: rowsOf(table),
    pages: table.main_pages,
    index_pages: table.indexes_bytes / snapshot.server.block_size,
    indexes,
    pages_a_change: pagesAChange(churn, indexes),
    rates: {
      changed: perSecond(churn.changed_per_hour),
      dead: perSecond(churn.dead_per_hour),
      inserted: perSecond(churn.inserted_per_hour),
      deleted: churn.deleted / churn.seconds,
    },
    parameters,
    dead: table.n_dead_tup,
    inserted_since_vacuum: table.n_ins_since_vacuum,
    modified_since_analyze: table.n_mod_since_analyze,
    visible_share: share(table.relallvisible),
    frozen_share: share(table.relallfrozen),
    xid_age: table.xid_age ?? 0,
  };
}

/**
 * A HOT update and a delete touch the row's page; any other update also the page of the new version and a page of each
 * index. 1 where nothing was changed.
 */
function pagesAChange({ updated, hot, deleted }: Churn, indexes: number): number {
  const changes = updated + deleted;
  const cold = Math.max(0, updated - hot);
  return changes > 0 ? (changes + cold * (1 + indexes)) / changes : 1;
}

/** Transactions that took an identifier, a second; null: not seen in a window. */
export function xidsPerSecond({ window }: Pick<RuleContext, 'window'>): number | null {
  const xids = window?.counters?.xids;
  return typeof xids === 'number' && window && window.seconds > 0 ? xids / window.seconds : null;
}

export interface Replay {
  before: TableOutcome;
  after: TableOutcome;
  days: number;
  server: ServerParameters;
}

/**
 * The same table by itself with its options and with others. Alone it has a worker and the cost limit for itself:
 * how all tables get on together is the global rules' question. Null: settings are not visible.
 */
export function replay(table: TableRow, churn: Churn, after: Options, context: RuleContext): Replay | null {
  const server = serverParameters(context.snapshot);
  const tables = [table.reloptions, after].map((options) => simulatedTable(table, churn, options, context));
  const outcomes = tables.map((one) =>
    one && server
      ? simulate({
          tables: [one],
          server,
          xids_per_second: xidsPerSecond(context) ?? 0,
          days: REPLAYED_DAYS,
        })
      : null,
  );
  const [first, second] = outcomes;
  const [one, other] = [first?.tables[0], second?.tables[0]];
  if (!server || !first || !second || !one || !other) return null;
  return { before: one, after: other, days: Math.min(first.days, second.days), server };
}

const SOURCE = 'replay of autovacuum at the observed rates';

/** A row of before and after. */
function pair(
  name: string,
  unit: string,
  { before, after, days }: Replay,
  pick: (outcome: TableOutcome) => number,
  formula: string,
): Evidence[] {
  const row = (when: string, value: number): Evidence => ({
    name: `${name} ${when}`,
    value,
    unit,
    source: SOURCE,
    level: 'estimated',
    formula: `${formula}; ${days >= 1 ? `${Number(days.toPrecision(3))} days` : `${Math.round(days * 24)} hours`} replayed`,
  });
  return [row('now', pick(before)), row('after', pick(after))];
}

const PAGES =
  'pages not all-visible, runs of fewer than 32 all-visible ones among them, and all indexes unless dead rows are on less than 2 % of the pages';

/** Runs a day, most dead rows, pages read and dirtied a day, longest vacuum: before and after. */
export function replayEvidence(replayed: Replay, kind: 'vacuum' | 'analyze' = 'vacuum'): Evidence[] {
  const { server } = replayed;
  const round = `looked at every ${server.naptime_seconds} s`;
  if (kind === 'analyze') {
    return [
      ...pair('analyzes a day', 'runs', replayed, ({ analyzes_a_day }) => analyzes_a_day, round),
      ...pair('pages read a day', 'pages', replayed, ({ pages_read_a_day }) => pages_read_a_day, PAGES),
    ];
  }
  return [
    ...pair('vacuums a day', 'runs', replayed, ({ vacuums_a_day }) => vacuums_a_day, round),
    ...pair('dead rows at the peak', 'rows', replayed, ({ dead_peak }) => dead_peak, round),
    ...pair('dead rows on average', 'rows', replayed, ({ dead_mean }) => dead_mean, round),
    ...pair('pages read a day', 'pages', replayed, ({ pages_read_a_day }) => pages_read_a_day, PAGES),
    ...pair(
      'pages dirtied a day',
      'pages',
      replayed,
      ({ pages_dirtied_a_day }) => pages_dirtied_a_day,
      'pages pruned or made all-visible, and index pages with entries of dead rows',
    ),
    ...pair(
      'longest vacuum',
      's',
      replayed,
      ({ longest_seconds }) => longest_seconds,
      `(pages read × ${server.cost.page_miss} + dirtied × ${server.cost.page_dirty}) / cost limit ${server.cost.limit} × ${server.cost.delay_ms} ms, alone, or by the limits of the table`,
    ),
  ];
}

/** What the churn was, for evidence. */
export function churnEvidence(churn: Churn, table: TableRow): Evidence[] {
  const seconds = Math.round(churn.seconds);
  return [
    {
      ...measured('rows updated or deleted an hour', churn.changed_per_hour, 'rows', churn.source),
      formula: `(n_tup_upd + n_tup_del) ${churn.dead} × 3600 / ${seconds} s`,
    },
    ...(churn.pruning_seen
      ? [
          {
            ...measured('rows left dead an hour', churn.dead_per_hour, 'rows', churn.source),
            formula: `growth of n_dead_tup ${churn.left} × 3600 / ${seconds} s: pruning removed the rest`,
          },
        ]
      : []),
    ...(churn.updated > 0
      ? [
          {
            ...measured('share of HOT updates', churn.hot / churn.updated, 'share', churn.source),
            formula: `n_tup_hot_upd ${churn.hot} / n_tup_upd ${churn.updated}`,
          },
        ]
      : []),
    measured('live rows', table.n_live_tup, 'rows', 'pg_stat_user_tables.n_live_tup'),
    measured('dead rows now', table.n_dead_tup, 'rows', 'pg_stat_user_tables.n_dead_tup'),
  ];
}
