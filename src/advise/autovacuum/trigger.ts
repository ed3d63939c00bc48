/** When autovacuum comes, and when it should. */
import type { RuleContext, SettingRow, TableRow } from '../../domain/index.ts';

export interface Churn {
  /** Rows that updates and deletes leave behind. */
  dead_per_hour: number;
  /** How long that was watched. */
  seconds: number;
  source: string;
}

/** From the window where there is one; otherwise from the counters since their reset, which blur peaks. */
export function churnOf(table: TableRow, context: RuleContext): Churn | null {
  if (context.window) {
    const delta = context.window.tables.find((item) => item.oid === table.oid);
    if (!delta || context.window.seconds <= 0) return null;
    return {
      dead_per_hour: ((delta.n_tup_upd + delta.n_tup_del) * 3600) / context.window.seconds,
      seconds: context.window.seconds,
      source: 'pg_stat_user_tables, two snapshots',
    };
  }
  const { server, taken_at } = context.snapshot;
  const seconds = (Date.parse(taken_at) - Date.parse(server.stats_reset ?? server.started_at)) / 1000;
  if (!(seconds > 0)) return null;
  return {
    dead_per_hour: ((table.n_tup_upd + table.n_tup_del) * 3600) / seconds,
    seconds,
    source: 'pg_stat_user_tables since the statistics began',
  };
}

export interface Trigger {
  /** Dead rows at which autovacuum comes. */
  trigger: number;
  formula: string;
  source: string;
}

/** relation_needs_vacanalyze() of autovacuum.c: threshold + scale factor × rows, from 18 on capped by max_threshold. */
export function currentTrigger(table: TableRow, settings: readonly SettingRow[], rows: number): Trigger {
  const value = (name: string, fallback: number) =>
    Number(table.reloptions[name] ?? settings.find((row) => row.name === name)?.setting ?? fallback);
  const threshold = value('autovacuum_vacuum_threshold', 50);
  const factor = value('autovacuum_vacuum_scale_factor', 0.2);
  const cap = value('autovacuum_vacuum_max_threshold', -1);
  const plain = threshold + factor * rows;
  const own = Object.keys(table.reloptions).some((name) => name.startsWith('autovacuum_vacuum_'));
  return {
    trigger: cap >= 0 ? Math.min(cap, plain) : plain,
    formula: `${threshold} + ${factor} × ${Math.round(rows)} rows${cap >= 0 ? `, at most ${cap}` : ''}`,
    source: own ? "the table's options" : 'pg_settings',
  };
}

/** Autovacuum looks at a table once in autovacuum_naptime; two rounds are the soonest that makes sense. */
const ROUNDS = 2;

/**
 * As few dead rows as 1 % of the table, or what two rounds of autovacuum leave together if that is more, at most
 * 20 %; a tenth of it as threshold, the rest as scale factor.
 */
export function proposeTrigger(
  deadPerHour: number,
  rows: number,
  naptimeSeconds: number,
): { trigger: number; threshold: number; scale_factor: number; formula: string } {
  const together = (deadPerHour / 3600) * naptimeSeconds * ROUNDS;
  const target = Math.min(Math.max(together, 0.01 * rows), 0.2 * rows);
  const threshold = Math.round(Math.min(target, Math.max(50, 0.1 * target)));
  const factor = Math.min(Math.max((target - threshold) / rows, 0.0001), 0.2);
  const scale_factor = Number(factor.toPrecision(2));
  return {
    trigger: threshold + scale_factor * rows,
    threshold,
    scale_factor,
    formula: `clamp(${Math.round(deadPerHour)} rows an hour × ${ROUNDS} × ${naptimeSeconds} s naptime, 1 %, 20 % of ${Math.round(rows)}) = ${threshold} + ${scale_factor} × rows`,
  };
}
