/**
 * Settings' values with units, after PostgreSQL's guc.c: pg_settings counts in a unit of its own (8kB, kB, s …),
 * people, SHOW and ALTER SYSTEM write 128MB. Tests compare with real servers.
 */
import type { SettingRow } from '../../domain/index.ts';

export const KB = 1024;
export const MB = 1024 * KB;
export const GB = 1024 * MB;
const TB = 1024 * GB;

type UnitKind = 'memory' | 'time';

/** memory_unit_conversion_table and time_unit_conversion_table: bytes or milliseconds, the largest first. */
const UNITS: Record<UnitKind, readonly (readonly [name: string, size: number])[]> = {
  memory: [
    ['TB', TB],
    ['GB', GB],
    ['MB', MB],
    ['kB', KB],
    ['B', 1],
  ],
  time: [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
    ['ms', 1],
    ['us', 0.001],
  ],
};

interface UnitSize {
  kind: UnitKind;
  /** Bytes, or milliseconds. */
  size: number;
}

/** A unit of pg_settings (`8kB`, `min`) or of a person (`MB`); null: none. Units are case-sensitive. */
function unitSize(unit: string | null): UnitSize | null {
  const match = /^(\d*)([A-Za-z]+)$/.exec(unit ?? '');
  if (!match) return null;
  for (const kind of ['memory', 'time'] as const) {
    const found = UNITS[kind].find(([name]) => name === match[2]);
    if (found) return { kind, size: found[1] * Number(match[1] || 1) };
  }
  return null;
}

/** Bytes of one unit of a memory setting; null for a setting of another kind. */
export function memoryUnitBytes(unit: string | null): number | null {
  const found = unitSize(unit);
  return found?.kind === 'memory' ? found.size : null;
}

type Typed = Pick<SettingRow, 'setting' | 'unit' | 'vartype'>;

/** A memory setting's value in bytes; null for a setting of another kind, or for a special value such as −1. */
export function settingBytes(row: Typed): number | null {
  const unit = memoryUnitBytes(row.unit);
  const value = Number(row.setting);
  return unit === null || !Number.isFinite(value) || value < 0 ? null : value * unit;
}

/** A time setting's value in seconds; null for a setting of another kind, or for a special value. */
export function settingSeconds(row: Typed): number | null {
  const unit = unitSize(row.unit);
  const value = Number(row.setting);
  return unit?.kind !== 'time' || !Number.isFinite(value) || value < 0 ? null : (value * unit.size) / 1000;
}

/** C's rint(): halves go to the even neighbour. */
function rint(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const NUMBER = /^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*$/;

/**
 * A numeric setting's value as it may be written, in the setting's own unit: parse_int() and parse_real(). A fraction
 * of a unit is rounded to the next smaller unit. Null when it is no such value. Octal and hexadecimal numbers, which
 * PostgreSQL takes too, are none here.
 */
export function parseSetting(text: string, row: Pick<SettingRow, 'unit' | 'vartype'>): number | null {
  const match = NUMBER.exec(text);
  if (!match?.[1] || (row.vartype !== 'integer' && row.vartype !== 'real')) return null;
  if (row.vartype === 'integer' && /^[+-]?0\d/.test(match[1])) return null;
  let value = Number(match[1]);
  if (match[2]) {
    const base = unitSize(row.unit);
    const given = unitSize(match[2]);
    if (!base || !given || base.kind !== given.kind) return null;
    const bare = value * (given.size / base.size);
    const smaller = UNITS[given.kind][UNITS[given.kind].findIndex(([name]) => name === match[2]) + 1];
    const step = smaller === undefined ? 0 : smaller[1] / base.size;
    // convert_to_base_unit(): 30.1GB becomes a whole number of MB.
    value = !Number.isInteger(value) && step > 0 ? rint(bare / step) * step : bare;
  }
  return row.vartype === 'integer' ? rint(value) : value;
}

/** A value in a setting's own unit as SHOW prints it: the largest unit that divides it evenly; bare from 0 down. */
export function showValue(row: Typed): string {
  const value = Number(row.setting);
  const base = unitSize(row.unit);
  if (row.vartype === 'real') return showReal(value, base);
  if (row.vartype !== 'integer' || !base || value <= 0) return row.setting;
  for (const [name, size] of UNITS[base.kind]) {
    const ratio = size / base.size;
    if (ratio <= 1) return `${Math.round(value / ratio)}${name}`;
    if (value % ratio === 0) return `${value / ratio}${name}`;
  }
  return `${row.setting}${row.unit ?? ''}`;
}

/** C's %g with six significant digits, but for numbers so large or small that they would get an exponent. */
function showReal(value: number, base: UnitSize | null): string {
  const short = (number: number) => String(Number(number.toPrecision(6)));
  if (!base || value <= 0) return short(value);
  for (const [name, size] of UNITS[base.kind]) {
    const converted = (value * base.size) / size;
    if (Math.abs(rint(converted) / converted - 1) <= 1e-8) return `${short(converted)}${name}`;
  }
  return short(value);
}

/** A value as a bare number in the setting's own unit, as clouds' parameters take it; a word stays as it is. */
export function bareValue(text: string, unit: string | null): string {
  const value = parseSetting(text, { unit, vartype: 'real' });
  return value === null ? text : String(value);
}

/** Bytes as ALTER SYSTEM takes them, in whole kB: the largest unit that divides evenly. */
export function formatMemory(bytes: number): string {
  return showValue({ setting: String(Math.round(bytes / KB)), unit: 'kB', vartype: 'integer' });
}

/** Bytes that were measured, for a person: three digits with a unit. */
export function aboutMemory(bytes: number): string {
  const [name, unit] = UNITS.memory.find(([, size]) => bytes >= size) ?? ['B', 1];
  return `${Number((bytes / unit).toPrecision(3))}${name}`;
}

/** Rounded down to a number that a person would write: whole MB with three significant bits, below 1 MB steps of 64 kB. */
export function roundMemory(bytes: number): number {
  if (bytes < MB) return Math.max(64 * KB, Math.floor(bytes / (64 * KB)) * 64 * KB);
  const step = 2 ** Math.max(20, Math.floor(Math.log2(bytes)) - 3);
  return Math.floor(bytes / step) * step;
}
