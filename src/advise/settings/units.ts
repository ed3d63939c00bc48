/** Settings' numbers: pg_settings counts in a unit of its own (8kB, kB, ms …), people and ALTER SYSTEM write 128MB. */
import type { SettingRow } from '../../domain/index.ts';

const KB = 1024;
export const MB = 1024 * KB;
export const GB = 1024 * MB;

/** Bytes of one memory unit of pg_settings; null for other units. */
export function memoryUnitBytes(unit: string | null): number | null {
  const match = /^(\d*)(B|kB|MB|GB|TB)$/.exec(unit ?? '');
  if (!match) return null;
  const factors: Record<string, number> = { B: 1, kB: KB, MB, GB, TB: 1024 * GB };
  return Number(match[1] || 1) * (factors[match[2] ?? ''] ?? Number.NaN);
}

/** A memory setting's value in bytes; null for a setting of another kind, or a special value (−1). */
export function settingBytes(row: SettingRow): number | null {
  const unit = memoryUnitBytes(row.unit);
  const value = Number(row.setting);
  return unit === null || !Number.isFinite(value) || value < 0 ? null : value * unit;
}

/** Bytes as ALTER SYSTEM takes them and SHOW prints them: the largest unit that divides evenly. */
export function formatMemory(bytes: number): string {
  const units: [name: string, size: number][] = [
    ['TB', 1024 * GB],
    ['GB', GB],
    ['MB', MB],
    ['kB', KB],
  ];
  const whole = Math.round(bytes / KB) * KB;
  const [name, size] = units.find(([, unit]) => whole >= unit && whole % unit === 0) ?? ['kB', KB];
  return `${whole / size}${name}`;
}

/** As SHOW prints it. */
export function showValue(row: SettingRow): string {
  const bytes = settingBytes(row);
  return bytes === null ? `${row.setting}${row.unit ?? ''}` : formatMemory(bytes);
}

/** Rounded down to a number that a person would write: 3 significant binary steps, whole megabytes. */
export function roundMemory(bytes: number): number {
  if (bytes < 64 * KB) return 64 * KB;
  if (bytes < MB) return Math.floor(bytes / (64 * KB)) * 64 * KB;
  const step = 2 ** Math.max(20, Math.floor(Math.log2(bytes)) - 3);
  return Math.floor(bytes / step) * step;
}
