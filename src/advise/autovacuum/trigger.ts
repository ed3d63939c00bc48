/** When autovacuum comes to a table: relation_needs_vacanalyze() of autovacuum.c. */
import type { Snapshot, TableRow } from '../../domain/index.ts';
import { type Parameter, parameter, rowsOf } from './options.ts';

export interface Trigger {
  /** Dead (or inserted) rows above which autovacuum comes. */
  rows: number;
  formula: string;
  /** Where its parameters stand. */
  source: string;
}

function sourceOf(parameters: (Parameter | null)[]): string {
  const own = parameters.some((item) => item?.source === 'reloptions');
  return own ? "the table's storage parameters, pg_settings" : 'pg_settings';
}

/** Dead rows: threshold + scale factor × reltuples, from 18 on at most max_threshold. Null: the settings are not visible. */
export function deadRowTrigger(table: TableRow, snapshot: Snapshot): Trigger | null {
  const threshold = parameter(table, snapshot, 'autovacuum_vacuum_threshold');
  const factor = parameter(table, snapshot, 'autovacuum_vacuum_scale_factor');
  const cap = parameter(table, snapshot, 'autovacuum_vacuum_max_threshold');
  if (threshold === null || factor === null) return null;
  const rows = rowsOf(table);
  const plain = threshold.value + factor.value * rows;
  const capped = cap !== null && cap.value >= 0 && cap.value < plain;
  return {
    rows: capped ? cap.value : plain,
    formula: `${threshold.value} + ${factor.value} × ${Math.round(rows)} rows${capped ? `, at most ${cap.value}` : ''}`,
    source: sourceOf([threshold, factor, cap]),
  };
}

/**
 * Inserted rows: insert threshold + insert scale factor × reltuples, from 18 on × the share of pages that are not
 * frozen. Null: switched off (threshold −1) or not visible.
 */
export function insertTrigger(table: TableRow, snapshot: Snapshot): Trigger | null {
  const threshold = parameter(table, snapshot, 'autovacuum_vacuum_insert_threshold');
  const factor = parameter(table, snapshot, 'autovacuum_vacuum_insert_scale_factor');
  if (threshold === null || factor === null || threshold.value < 0) return null;
  const rows = rowsOf(table);
  const frozen =
    snapshot.server.server_version_num >= 180000 && table.relpages > 0
      ? Math.min(1, (table.relallfrozen ?? 0) / table.relpages)
      : 0;
  const part = frozen > 0 ? ` × ${Number((1 - frozen).toFixed(3))} of the pages not frozen` : '';
  return {
    rows: threshold.value + factor.value * rows * (1 - frozen),
    formula: `${threshold.value} + ${factor.value} × ${Math.round(rows)} rows${part}`,
    source: sourceOf([threshold, factor]),
  };
}

/** Changed rows above which autovacuum analyses: threshold + scale factor × reltuples. Null: the settings are not visible. */
export function analyzeTrigger(table: TableRow, snapshot: Snapshot): Trigger | null {
  const threshold = parameter(table, snapshot, 'autovacuum_analyze_threshold');
  const factor = parameter(table, snapshot, 'autovacuum_analyze_scale_factor');
  if (threshold === null || factor === null) return null;
  const rows = rowsOf(table);
  return {
    rows: threshold.value + factor.value * rows,
    formula: `${threshold.value} + ${factor.value} × ${Math.round(rows)} rows`,
    source: sourceOf([threshold, factor]),
  };
}
