/** What autovacuum goes by for one table, and for the server: everything that the simulator and the rules reckon with. */
import type { Snapshot, TableRow } from '../../domain/index.ts';
import { serverParameter } from './options.ts';

/** Rows, shares of rows, transactions; as autovacuum would use them. */
export interface TableParameters {
  vacuum_threshold: number;
  vacuum_scale_factor: number;
  /** 18+; −1: none. */
  vacuum_max_threshold: number;
  /** −1: inserts alone never bring a vacuum. */
  insert_threshold: number;
  insert_scale_factor: number;
  analyze_threshold: number;
  analyze_scale_factor: number;
  freeze_max_age: number;
  freeze_table_age: number;
  freeze_min_age: number;
  /** The table's own limit and delay; null: it shares the server's with other workers. */
  own_cost_limit: number | null;
  own_cost_delay_ms: number | null;
}

/** Storage parameters by name: what a table has, or would have. */
export type Options = Readonly<Record<string, string>>;

/**
 * The parameters in force with these storage parameters. Null: a setting is not visible to this role. Which wins and
 * how ages are capped: vacuum_get_cutoffs() of vacuum.c, table_recheck_autovac() of autovacuum.c.
 */
export function tableParameters(options: Options, snapshot: Snapshot): TableParameters | null {
  let missing = false;
  const of = (option: string, setting = option): number => {
    if (options[option] !== undefined) return Number(options[option]);
    const found = serverParameter(snapshot, setting);
    if (found === null) missing = true;
    return found?.value ?? Number.NaN;
  };
  const has = (option: string) => (options[option] === undefined ? null : Number(options[option]));
  const serverMaxAge = of('autovacuum_freeze_max_age');
  const server = serverParameter(snapshot, 'autovacuum_freeze_max_age')?.value ?? serverMaxAge;
  const maxAge = Math.min(serverMaxAge, server);
  const capped = snapshot.server.server_version_num >= 180000;
  const limit = has('autovacuum_vacuum_cost_limit');
  const delay = has('autovacuum_vacuum_cost_delay');
  const parameters: TableParameters = {
    vacuum_threshold: of('autovacuum_vacuum_threshold'),
    vacuum_scale_factor: of('autovacuum_vacuum_scale_factor'),
    vacuum_max_threshold: capped ? of('autovacuum_vacuum_max_threshold') : -1,
    insert_threshold: of('autovacuum_vacuum_insert_threshold'),
    insert_scale_factor: of('autovacuum_vacuum_insert_scale_factor'),
    analyze_threshold: of('autovacuum_analyze_threshold'),
    analyze_scale_factor: of('autovacuum_analyze_scale_factor'),
    freeze_max_age: maxAge,
    freeze_table_age: Math.min(of('autovacuum_freeze_table_age', 'vacuum_freeze_table_age'), 0.95 * server),
    freeze_min_age: Math.min(of('autovacuum_freeze_min_age', 'vacuum_freeze_min_age'), server / 2),
    own_cost_limit: limit !== null && limit > 0 ? limit : null,
    own_cost_delay_ms: delay !== null && delay >= 0 ? delay : null,
  };
  return missing ? null : parameters;
}

/** The storage parameters that the TOAST table is vacuumed by: its own, or without any all of its table's. */
export function toastOptions(table: TableRow): Options {
  return Object.keys(table.toast_reloptions).length > 0 ? table.toast_reloptions : table.reloptions;
}

/** Units of the cost-based delay (vacuum.c). */
export interface CostParameters {
  /** Shared by all workers that have no limit of their own. */
  limit: number;
  delay_ms: number;
  page_hit: number;
  page_miss: number;
  page_dirty: number;
}

export interface ServerParameters {
  version: number;
  block_size: number;
  naptime_seconds: number;
  workers: number;
  cost: CostParameters;
  /** What a worker may keep dead row identifiers in, bytes. */
  memory_bytes: number;
}

/** The server's. Null: a setting is not visible to this role. */
export function serverParameters(snapshot: Snapshot): ServerParameters | null {
  let missing = false;
  const of = (name: string): number => {
    const found = serverParameter(snapshot, name);
    if (found === null) missing = true;
    return found?.value ?? Number.NaN;
  };
  const either = (own: string, unset: number, general: string) => (of(own) === unset ? of(general) : of(own));
  const parameters: ServerParameters = {
    version: snapshot.server.server_version_num,
    block_size: snapshot.server.block_size,
    naptime_seconds: of('autovacuum_naptime'),
    workers: of('autovacuum_max_workers'),
    cost: {
      limit: either('autovacuum_vacuum_cost_limit', -1, 'vacuum_cost_limit'),
      delay_ms: either('autovacuum_vacuum_cost_delay', -1, 'vacuum_cost_delay'),
      page_hit: of('vacuum_cost_page_hit'),
      page_miss: of('vacuum_cost_page_miss'),
      page_dirty: of('vacuum_cost_page_dirty'),
    },
    // Both in kB.
    memory_bytes: either('autovacuum_work_mem', -1, 'maintenance_work_mem') * 1024,
  };
  return missing ? null : parameters;
}
