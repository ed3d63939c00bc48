/** What the settings rules need to know of a target: each fact with its source, or a limit that says what is missing. */
import type {
  DiskType,
  Evidence,
  Limit,
  Rejection,
  RuleContext,
  RuleResult,
  SettingRow,
} from '../../domain/index.ts';

/** A setting's row; undefined: this version has none, or this role may not see it. */
export function setting(context: Pick<RuleContext, 'snapshot'>, name: string): SettingRow | undefined {
  return context.snapshot.settings.find((row) => row.name === name);
}

/** A fact that was read. */
export function measured(
  name: string,
  value: Evidence['value'],
  unit: string | null,
  source: string,
): Evidence {
  return { name, value, unit, source, level: 'measured', formula: null };
}

/** A fact that was worked out. */
export function computed(
  name: string,
  value: Evidence['value'],
  unit: string | null,
  formula: string,
): Evidence {
  return { name, value, unit, source: 'formula', level: 'estimated', formula };
}

/** The host's memory, or the limit that says how to give it. */
export function ramInput(context: RuleContext): { bytes: number; evidence: Evidence } | Limit {
  const { value, source } = context.snapshot.host.ram_bytes;
  if (value === null) return hostLimit('memory', source, '--ram 16GB', '"ram_bytes"');
  return { bytes: value, evidence: measured('memory of the host', value, 'bytes', source) };
}

/** The disk type, or the limit that says how to give it. */
export function diskInput(context: RuleContext): { type: DiskType; evidence: Evidence } | Limit {
  const { value, source } = context.snapshot.host.disk_type;
  if (value === null) return hostLimit('disk type', source, '--disk ssd', '"disk_type"');
  return { type: value, evidence: measured('disk type', value, null, source) };
}

/** The same words from every rule, so that a report shows them once. */
function hostLimit(what: string, source: string, option: string, property: string): Limit {
  return {
    scope: 'host',
    code: 'host_unknown',
    message: `The host's ${what} is not known (${source}): settings that depend on it are not advised.`,
    remedy: `Give ${option}, or ${property} in the target's "host".`,
  };
}

export function isLimit(value: object): value is Limit {
  return 'scope' in value;
}

const nothing: RuleResult = { recommendations: [], rejections: [], limits: [] };

/** A result with one limit. */
export function limited(limit: Limit): RuleResult {
  return { ...nothing, limits: [limit] };
}

/** A result with one rejection. */
export function rejected(rejection: Rejection): RuleResult {
  return { ...nothing, rejections: [{ ...rejection, key: `setting ${rejection.candidate}` }] };
}

export function settingNotVisible(name: string): Limit {
  return {
    scope: 'settings',
    code: 'setting_not_visible',
    message: `${name} is not visible to this role: what depends on it is not advised.`,
    remedy: 'GRANT pg_read_all_settings (or pg_monitor) to the role.',
  };
}
