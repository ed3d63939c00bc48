/** Settings' values with units, compared in the unit that pg_settings uses. */

export interface SettingState {
  name: string;
  vartype: string;
  unit: string | null;
  context: string;
  /** What the session would have without its own SET: in base units. */
  reset_val: string | null;
  min_val: string | null;
  max_val: string | null;
  enumvals: string[] | null;
  source: string;
  pending_restart: boolean;
}

/** Bytes or milliseconds of each unit (guc.c, memory_unit_conversion_table and time_unit_conversion_table). */
const UNITS: Record<string, { kind: 'memory' | 'time'; size: number }> = {
  B: { kind: 'memory', size: 1 },
  kB: { kind: 'memory', size: 2 ** 10 },
  MB: { kind: 'memory', size: 2 ** 20 },
  GB: { kind: 'memory', size: 2 ** 30 },
  TB: { kind: 'memory', size: 2 ** 40 },
  us: { kind: 'time', size: 0.001 },
  ms: { kind: 'time', size: 1 },
  s: { kind: 'time', size: 1_000 },
  min: { kind: 'time', size: 60_000 },
  h: { kind: 'time', size: 3_600_000 },
  d: { kind: 'time', size: 86_400_000 },
};

const BOOLEANS: Record<string, string> = { on: 'on', true: 'on', yes: 'on', 1: 'on' };
const BOOLEAN_OFF: Record<string, string> = { off: 'off', false: 'off', no: 'off', 0: 'off' };

/** pg_settings' unit, e.g. `8kB` or `MB`, in bytes or milliseconds. */
function baseUnit(unit: string): { kind: 'memory' | 'time'; size: number } | null {
  const match = /^(\d*)([a-zA-Z]+)$/.exec(unit);
  const known = match?.[2] === undefined ? undefined : UNITS[match[2]];
  return known ? { kind: known.kind, size: known.size * Number(match?.[1] || 1) } : null;
}

/**
 * A value as ALTER SYSTEM takes it, in the form in which pg_settings shows it (base units, words in lower case).
 * Null when it is no value of this setting.
 */
export function inBaseUnits(value: string, setting: Pick<SettingState, 'vartype' | 'unit'>): string | null {
  const text = value.trim();
  switch (setting.vartype) {
    case 'bool':
      return BOOLEANS[text.toLowerCase()] ?? BOOLEAN_OFF[text.toLowerCase()] ?? null;
    case 'integer':
    case 'real': {
      const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-zA-Z]*)$/i.exec(text);
      if (!match) return null;
      let number = Number(match[1]);
      if (match[2]) {
        const given = UNITS[match[2]];
        const base = setting.unit === null ? null : baseUnit(setting.unit);
        if (!given || !base || given.kind !== base.kind) return null;
        number = (number * given.size) / base.size;
      }
      return String(setting.vartype === 'integer' ? Math.round(number) : number);
    }
    case 'enum':
      return text.toLowerCase();
    default:
      return value;
  }
}

/** Do both mean the same value of this setting? */
export function sameSettingValue(
  a: string,
  b: string,
  setting: Pick<SettingState, 'vartype' | 'unit'>,
): boolean {
  const [first, second] = [inBaseUnits(a, setting), inBaseUnits(b, setting)];
  if (first === null || second === null) return false;
  return setting.vartype === 'real'
    ? Math.abs(Number(first) - Number(second)) <= 1e-6 * Math.max(1, Math.abs(Number(first)))
    : first === second;
}

/** Why the value is refused, or null. */
export function outOfBounds(value: string, setting: SettingState): string | null {
  const base = inBaseUnits(value, setting);
  if (base === null) return `${value} is no value of ${setting.name} (${setting.vartype}).`;
  if (setting.vartype === 'integer' || setting.vartype === 'real') {
    const number = Number(base);
    if (setting.min_val !== null && number < Number(setting.min_val)) {
      return `${value} is below ${setting.name}'s minimum of ${setting.min_val}${setting.unit ? ` × ${setting.unit}` : ''}.`;
    }
    if (setting.max_val !== null && number > Number(setting.max_val)) {
      return `${value} is above ${setting.name}'s maximum of ${setting.max_val}${setting.unit ? ` × ${setting.unit}` : ''}.`;
    }
  }
  // Enums take some words that pg_settings does not list (on/off spelt otherwise); those are refused as well.
  if (setting.vartype === 'enum' && setting.enumvals && !setting.enumvals.includes(base)) {
    return `${value} is none of ${setting.name}'s values: ${setting.enumvals.join(', ')}.`;
  }
  return null;
}
