/**
 * How each counter of a row is foretold from the row before and from the counters to its left. A good forecast is
 * only smaller, a bad one costs bytes and never a figure.
 */

/** In what a cell is kept: see `cellOf`. */
export type Unit =
  /** The number as it is. */
  | 'count'
  /** Milliseconds as µs or ns. */
  | 'ms_as_us'
  | 'ms_as_ns'
  /** A time as µs since 1970. */
  | 'time'
  /** A time cut to the minute. */
  | 'minute';

export type Forecast =
  /** Grows as fast as of late. */
  | { kind: 'rate' }
  /** Stays. */
  | { kind: 'still' }
  /** Grows with another column, in the proportion of their totals. */
  | { kind: 'with'; column: string }
  /** Grows as others do, less what these do. */
  | { kind: 'sum'; of: readonly string[]; less?: readonly string[] }
  /** This moment where another column moved. */
  | { kind: 'now'; column: string };

export interface CounterColumn {
  /** Name in the row. */
  name: string;
  unit: Unit;
  forecast: Forecast;
  /** May be null. A null elsewhere makes the row one that is kept as it is. */
  nullable: boolean;
}

const column = (name: string, forecast: Forecast, unit: Unit = 'count', nullable = false): CounterColumn => ({
  name,
  unit,
  forecast,
  nullable: nullable || unit === 'time' || unit === 'minute',
});
const rate: Forecast = { kind: 'rate' };
const still: Forecast = { kind: 'still' };
const with_ = (name: string): Forecast => ({ kind: 'with', column: name });

/** Mean and deviation are not among them: moments.ts. The first two are calls and their time. */
export const statementColumns: readonly CounterColumn[] = [
  column('calls', rate),
  column('total_exec_time_ms', with_('calls'), 'ms_as_us'),
  column('min_exec_time_ms', still, 'ms_as_ns'),
  column('max_exec_time_ms', still, 'ms_as_ns'),
  column('plans', with_('calls')),
  column('total_plan_time_ms', with_('plans'), 'ms_as_us'),
  column('rows', with_('calls')),
  column('shared_blks_hit', with_('calls')),
  column('shared_blks_read', with_('calls')),
  column('shared_blks_dirtied', with_('calls')),
  column('shared_blks_written', with_('calls')),
  column('temp_blks_read', with_('calls')),
  column('temp_blks_written', with_('temp_blks_read')),
  column('wal_records', with_('calls')),
  column('wal_bytes', with_('wal_records')),
  column('jit_time_ms', with_('calls'), 'ms_as_us', true),
];

export const tableColumns: readonly CounterColumn[] = [
  column('seq_scan', rate),
  column('seq_tup_read', with_('seq_scan')),
  column('idx_scan', rate, 'count', true),
  column('idx_tup_fetch', with_('idx_scan'), 'count', true),
  column('n_tup_ins', rate),
  column('n_tup_upd', rate),
  column('n_tup_del', rate),
  column('n_tup_hot_upd', with_('n_tup_upd')),
  column('n_tup_newpage_upd', with_('n_tup_upd'), 'count', true),
  column('n_live_tup', { kind: 'sum', of: ['n_tup_ins'], less: ['n_tup_del'] }),
  column('n_dead_tup', { kind: 'sum', of: ['n_tup_upd', 'n_tup_del'] }),
  column('n_mod_since_analyze', { kind: 'sum', of: ['n_tup_ins', 'n_tup_upd', 'n_tup_del'] }),
  column('n_ins_since_vacuum', { kind: 'sum', of: ['n_tup_ins'] }),
  column('vacuum_count', still),
  column('autovacuum_count', still),
  column('analyze_count', still),
  column('autoanalyze_count', still),
  column('last_vacuum', still, 'time'),
  column('last_autovacuum', still, 'time'),
  column('last_analyze', still, 'time'),
  column('last_autoanalyze', still, 'time'),
  column('last_seq_scan', { kind: 'now', column: 'seq_scan' }, 'minute'),
  column('last_idx_scan', { kind: 'now', column: 'idx_scan' }, 'minute'),
];

export const indexColumns: readonly CounterColumn[] = [
  column('idx_scan', rate),
  column('idx_tup_read', with_('idx_scan')),
  column('idx_tup_fetch', with_('idx_tup_read')),
  column('last_idx_scan', { kind: 'now', column: 'idx_scan' }, 'minute'),
];

const MINUTE_MS = 60_000;

/** `2026-11-20T10:00:00.1234Z`, as few digits as it takes: PostgreSQL's way. */
function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const digits = String(micros - seconds * 1e6)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${digits && `.${digits}`}Z`;
}

function micros(text: string): number {
  const dot = text.indexOf('.');
  const seconds = Date.parse(dot < 0 ? text : `${text.slice(0, dot)}Z`) / 1000;
  return seconds * 1e6 + (dot < 0 ? 0 : Number(text.slice(dot + 1, -1).padEnd(6, '0')));
}

/** The cell as a safe integer; NaN for null; undefined where it is none and the row must be kept as it is. */
export function cellOf(unit: Unit, value: unknown): number | undefined {
  if (value === null) return Number.NaN;
  let cell: number;
  if (unit === 'time' || unit === 'minute') {
    if (typeof value !== 'string') return undefined;
    cell = unit === 'time' ? micros(value) : Math.floor(Date.parse(value) / MINUTE_MS);
    if (unit === 'time' && Number.isSafeInteger(cell) && timeText(cell) !== value) return undefined;
  } else {
    if (typeof value !== 'number') return undefined;
    cell = unit === 'count' ? value : Math.round(value * (unit === 'ms_as_us' ? 1e3 : 1e6));
  }
  // No counter is negative; −0 becomes 0.
  return Number.isSafeInteger(cell) && cell >= 0 ? cell + 0 : undefined;
}

/** The value again. */
export function cellValue(unit: Unit, cell: number): number | string | null {
  if (Number.isNaN(cell)) return null;
  if (unit === 'count') return cell;
  if (unit === 'ms_as_us') return cell / 1e3;
  if (unit === 'ms_as_ns') return cell / 1e6;
  return unit === 'time' ? timeText(cell) : new Date(cell * MINUTE_MS).toISOString();
}
