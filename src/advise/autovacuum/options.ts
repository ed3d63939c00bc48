/** Autovacuum's parameters of one table: its own storage parameter where it has one, otherwise the server's setting. */
import type { Snapshot, TableRow } from '../../domain/index.ts';

export interface Parameter {
  value: number;
  /** `reloptions` or `pg_settings`. */
  source: 'reloptions' | 'pg_settings';
}

/** The parameter in force; null: this version has none, or this role may not see it. */
export function parameter(table: TableRow, snapshot: Snapshot, name: string): Parameter | null {
  const own = table.reloptions[name];
  if (own !== undefined) return { value: Number(own), source: 'reloptions' };
  return serverParameter(snapshot, name);
}

/** The server's setting alone. */
export function serverParameter(snapshot: Snapshot, name: string): Parameter | null {
  const row = snapshot.settings.find((item) => item.name === name);
  return row ? { value: Number(row.setting), source: 'pg_settings' } : null;
}

/** A boolean as it was written: the server takes any beginning of the words that is not another's (parse_bool_with_len()). */
export function isOff(text: string | undefined): boolean {
  return /^(f|fa|fal|fals|false|n|no|of|off|0)$/i.test(text ?? '');
}

/** Is autovacuum at work for this table, apart from wraparound? */
export function autovacuumEnabled(table: TableRow, snapshot: Snapshot): boolean {
  const server = snapshot.settings.find((row) => row.name === 'autovacuum')?.setting;
  return !isOff(server) && !isOff(table.reloptions.autovacuum_enabled);
}

/** Rows that triggers are reckoned with: pg_class.reltuples, as autovacuum does; n_live_tup where it was never set. */
export function rowsOf(table: TableRow): number {
  return table.reltuples > 0 ? table.reltuples : table.n_live_tup;
}
